using System.Diagnostics;
using System.Globalization;
using BackupDr.Agent.Jobs;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Sources;
using BackupDr.Sources.Tools;
using BackupDr.TestKit;
using BackupDr.TestKit.Crashes;

namespace BackupDr.Agent.Tests;

/// <summary>Drills of real database servers, killed in each phase: of 2 GiB in the long run, of small ones in every run.</summary>
public sealed class DrillKillTests : IDisposable
{
    const string Prefix = "BACKUPDR_DRILL_", Held = "held", CleaningUp = "cleaning up";
    const int KilledExitCode = 128 + 9, ManyFiles = 5_000;

    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Nothing_of_a_cluster_is_left_after_the_next_start_whichever_phase_it_was_killed_in()
    {
        Mount.NeedRoot();   // the copies belong to the server's user
        await using var cluster = PostgresCluster.Start();
        // About 2 GiB: a row takes 1 KiB with its share of the page.
        var rows = Nightly.Or(2_000, 2_000_000);
        await cluster.Execute("create table t (id int primary key, v text); alter table t alter v set storage plain; insert into t "
            + $"select g, repeat(md5(g::text), 30) from generate_series(1, {rows.ToString(CultureInfo.InvariantCulture)}) g");
        var scratch = PostgresCluster.Make(Path.Combine(cluster.Folder, "scratch"));
        var scenery = new DrillScenery(_scratch.At("repository"), _scratch.At("state"));
        var job = await scenery.Store(cluster, scratch);

        DieInEach(scenery, job, scratch, new("restoring") { File = "data/base" }, new("recovering") { Program = "postgres" },
            new("checking"), new(CleaningUp));

        var begun = Stopwatch.GetTimestamp();
        var whole = await scenery.Drill(job);
        Assert.True(whole.Result == ProofResult.Proven, whole.Reason);
        Assert.Empty(Copies(scratch));
        TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{new DirectoryInfo(cluster.Data).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) >> 20} MiB: "
            + $"answering after {whole.RestoreSeconds:0.0} s, {whole.Seconds:0.0} s in all, "
            + $"{Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s with the clean-up."));

        var late = await scenery.Drill(job with { Limit = TimeSpan.FromSeconds(5) }, DrillScenery.Endless());
        Assert.Equal((ProofResult.Failed, "It was not finished within 5 s."), (late.Result, late.Reason));
        Assert.Empty(Copies(scratch));
        Ends(scratch);
    }

    [Fact]
    public async Task Nothing_of_a_MariaDB_server_is_left_after_the_next_start_whichever_phase_it_was_killed_in()
    {
        Mount.NeedRoot();   // the copies belong to the server's user
        await using var server = MariaDbServer.Start();
        server.Execute("create database shop; create table shop.orders (id int primary key) engine=innodb; "
            + "insert into shop.orders values (1), (2)");
        var scratch = Path.Combine(server.Folder, "scratch");
        Tool.Succeed("install", "-d", "-o", "mysql", scratch);
        var scenery = new DrillScenery(_scratch.At("repository"), _scratch.At("state"));
        const string counted = "select count(*) = 2 from shop.orders";
        var job = await scenery.Store(server, scratch) with { Assertions = [counted] };

        DieInEach(scenery, job, scratch, new("restoring") { File = "mysql" }, new("recovering") { Program = "mariadb-backup" },
            new("recovering") { Program = "mariadbd" }, new("checking"), new(CleaningUp));

        var whole = await scenery.Drill(job);
        Assert.True(whole.Result == ProofResult.Proven, whole.Reason);
        Assert.Equal(["restore", "start", "tables", "check", "count", counted, "stop"], whole.Checks!.Select(check => check.Name));
        Assert.Empty(Copies(scratch));
        Ends(scratch);
    }

    /// <summary>Where a drill is when it dies.</summary>
    /// <param name="Phase">What its run says that it does.</param>
    sealed record Death(string Phase)
    {
        /// <summary>What is there in the copy then; empty where that does not matter.</summary>
        public string File { get; init; } = "";
        /// <summary>What works in the copy then; empty where that does not matter.</summary>
        public string Program { get; init; } = "";

        public bool IsNow(string? now, string scratch)
            // Fetching has begun when files are there, before the run says how far it is.
            => (File.Length > 0 ? Copies(scratch) is [var copy] && Path.Exists(Path.Combine(copy, File)) : now == Phase)
                && (Program.Length == 0 || ProcessesIn(scratch).Contains(Program));

        public override string ToString() => $"{Phase} {Program}";
    }

    void DieInEach(DrillScenery scenery, DrillJob job, string scratch, params Death[] deaths)
    {
        foreach (var death in deaths)
        {
            var ended = Tool.Run(Environment.ProcessPath!,
                ["-method", $"{typeof(DrillKillTests).FullName}.{nameof(Inside)}", "-explicit", "only", "-noColor"],
                new Dictionary<string, string>
                {
                    [Prefix + "REPOSITORY"] = _scratch.At("repository"),
                    [Prefix + "STATE"] = _scratch.At("state"),
                    [Prefix + "SNAPSHOT"] = job.SnapshotId,
                    [Prefix + "KIND"] = job.LiveSource!.Kind.ToString(),
                    [Prefix + "SCRATCH"] = scratch,
                    [Prefix + "PHASE"] = death.Phase,
                    [Prefix + "FILE"] = death.File,
                    [Prefix + "PROGRAM"] = death.Program,
                }, TimeSpan.FromMinutes(20));
            Assert.True(ended.ExitCode == KilledExitCode, $"{death}: {ended.Output}{ended.Errors}");
            Assert.True(Copies(scratch).Length == 1, $"{death}: a copy is left");

            DrillSandbox.RemoveAll(scenery.State);   // as the agent's next start does

            Assert.Empty(Copies(scratch));
            Assert.False(Directory.Exists(scenery.State.SandboxFolder));
            Ends(scratch);
            Assert.DoesNotContain(scratch, File.ReadAllText("/proc/mounts"), StringComparison.Ordinal);
            if (File.Exists(_scratch.At($"state/{Held}")))
                Assert.All(File.ReadLines(_scratch.At($"state/{Held}")), folder => Assert.False(Directory.Exists(folder), folder));
        }
        Assert.True(File.Exists(_scratch.At($"state/{Held}")));   // the folders of sockets and passwords, which lie elsewhere
    }

    /// <summary>A drill that dies as soon as it is somewhere.</summary>
    [Fact(Explicit = true)]
    public async Task Inside()
    {
        var (scratch, death) = (Given("SCRATCH"), new Death(Given("PHASE")) { File = Given("FILE"), Program = Given("PROGRAM") });
        var scenery = new DrillScenery(Given("REPOSITORY"), Given("STATE"));
        var isCluster = Given("KIND") == nameof(SourceKind.PostgreSql);
        new Thread(() => DieAt(death, scenery, scratch)) { IsBackground = true }.Start();

        await scenery.Drill(isCluster ? DrillScenery.Of(Given("SNAPSHOT"), scratch) : DrillScenery.OfServer(Given("SNAPSHOT"), scratch),
            death.Phase == CleaningUp ? Fill : null);
    }

    // As fast as it can: some phases take a few milliseconds.
    static void DieAt(Death death, DrillScenery scenery, string scratch)
    {
        for (var unsent = new List<RunEventLine>(); ; Thread.Yield())
        {
            if (!death.IsNow(scenery.Reporter.Take(unsent).Progress?.Phase, scratch)) continue;
            foreach (var file in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
                if (LinkOf(file) is { } held && Path.GetFileName(held).StartsWith("backupdr-scratch-", StringComparison.Ordinal))
                    File.AppendAllText(Path.Combine(scenery.State.Folder, Held), held + "\n");
            CrashTrigger.Kill();
        }
    }

    /// <summary>So much that its clean-up cannot be missed.</summary>
    static Task<ProofCheck> Fill(IReadOnlyDictionary<string, string> variables, (uint Uid, uint Gid)? user, CancellationToken ct)
    {
        var folder = Directory.CreateDirectory(Path.Combine(variables[Isolation.Copy], "filled")).FullName;
        for (var i = 0; i < ManyFiles; i++) File.Create(Path.Combine(folder, $"{i}")).Dispose();
        return Task.FromResult(new ProofCheck("fill", true, ""));
    }

    static string Given(string name) => Environment.GetEnvironmentVariable(Prefix + name)
        ?? throw new InvalidOperationException("This test is started by another one.");

    static string[] Copies(string scratch) => Directory.GetDirectories(scratch, DrillSandbox.Prefix + "*");

    /// <summary>What was killed ends a moment later.</summary>
    static void Ends(string scratch)
    {
        for (var begun = Stopwatch.GetTimestamp(); ProcessesIn(scratch) is { Count: > 0 } left; Thread.Yield())
            Assert.True(Stopwatch.GetElapsedTime(begun) < Patience, string.Join(", ", left));
    }

    /// <summary>Names of the programs that work in a copy or were told of one.</summary>
    static List<string> ProcessesIn(string scratch) => [.. Directory.EnumerateDirectories("/proc")
        .Where(process => int.TryParse(Path.GetFileName(process), out _) && IsIn(process, $"{scratch}/{DrillSandbox.Prefix}"))
        .Select(process => Text(Path.Combine(process, "comm")).TrimEnd('\n'))];

    static bool IsIn(string process, string folder)
        => LinkOf(Path.Combine(process, "cwd"))?.StartsWith(folder, StringComparison.Ordinal) == true
            || Text(Path.Combine(process, "cmdline")).Contains(folder, StringComparison.Ordinal);

    static string? LinkOf(string link)
    {
        try { return File.ResolveLinkTarget(link, returnFinalTarget: false)?.FullName; }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { return null; }   // it ended meanwhile
    }

    static string Text(string file)
    {
        try { return File.ReadAllText(file); }
        catch (IOException) { return ""; }   // it ended meanwhile
    }
}
