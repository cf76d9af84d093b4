using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using BackupDr.Agent.Jobs;
using BackupDr.Contracts.Jobs;
using BackupDr.TestKit;
using BackupDr.TestKit.Crashes;

namespace BackupDr.Agent.Tests;

/// <summary>Drills of a real cluster, killed in each phase: of 2 GiB in the long run, of a small one in every run.</summary>
public sealed partial class DrillKillTests : IDisposable
{
    const string Prefix = "BACKUPDR_DRILL_", Sockets = "sockets";
    const int KilledExitCode = 128 + 9;

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Nothing_is_left_after_the_next_start_whichever_phase_it_was_killed_in()
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

        foreach (var phase in (string[])["restoring", "recovering", "checking", "cleaning up"])
        {
            var ended = Tool.Run(Environment.ProcessPath!,
                ["-method", $"{typeof(DrillKillTests).FullName}.{nameof(Inside)}", "-explicit", "only", "-noColor"],
                new Dictionary<string, string>
                {
                    [Prefix + "REPOSITORY"] = _scratch.At("repository"),
                    [Prefix + "STATE"] = _scratch.At("state"),
                    [Prefix + "SNAPSHOT"] = job.SnapshotId,
                    [Prefix + "SCRATCH"] = scratch,
                    [Prefix + "PHASE"] = phase,
                }, TimeSpan.FromMinutes(20));
            Assert.True(ended.ExitCode == KilledExitCode, $"{phase}: {ended.Output}{ended.Errors}");
            Assert.True(Copies(scratch).Length == 1, $"{phase}: a copy is left");

            DrillSandbox.RemoveAll(scenery.State);   // as the agent's next start does

            Assert.Empty(Copies(scratch));
            Assert.False(Directory.Exists(scenery.State.SandboxFolder));
            Assert.Empty(ProcessesOf(scratch));
            Assert.DoesNotContain(scratch, File.ReadAllText("/proc/mounts"), StringComparison.Ordinal);
            if (File.Exists(_scratch.At($"state/{Sockets}")))
                Assert.All(File.ReadLines(_scratch.At($"state/{Sockets}")), folder => Assert.False(Directory.Exists(folder), folder));
        }
        Assert.True(File.Exists(_scratch.At($"state/{Sockets}")));

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
        Assert.Empty(ProcessesOf(scratch));
    }

    /// <summary>A drill that dies as soon as it is in a phase.</summary>
    [Fact(Explicit = true)]
    public async Task Inside()
    {
        var (scratch, phase) = (Given("SCRATCH"), Given("PHASE"));
        var scenery = new DrillScenery(Given("REPOSITORY"), Given("STATE"));
        new Thread(() => DieIn(phase, scenery, scratch)) { IsBackground = true }.Start();

        await scenery.Drill(DrillScenery.Of(Given("SNAPSHOT"), scratch));
    }

    // As fast as it can: the clean-up of a small copy takes some ten milliseconds.
    static void DieIn(string phase, DrillScenery scenery, string scratch)
    {
        for (var unsent = new List<Contracts.Agents.RunEventLine>(); ; Thread.Yield())
        {
            var now = scenery.Reporter.Take(unsent).Progress?.Phase;
            // Fetching has begun when files are there; a server in them, when its socket is named.
            var isIn = phase == "restoring" ? Copies(scratch) is [var copy] && Directory.Exists(Path.Combine(copy, "data/base"))
                : now == phase;
            if (!isIn || (phase is "recovering" && !File.Exists(Path.Combine(Copies(scratch)[0], "data/postmaster.pid")))) continue;
            if (phase is "recovering" or "checking")
                foreach (var words in ProcessesOf(scratch))
                    if (SocketFolder().Match(words) is { Success: true } found)
                        File.AppendAllText(Path.Combine(scenery.State.Folder, Sockets), found.Groups[1].Value + "\n");
            CrashTrigger.Kill();
        }
    }

    static string Given(string name) => Environment.GetEnvironmentVariable(Prefix + name)
        ?? throw new InvalidOperationException("This test is started by another one.");

    static string[] Copies(string scratch) => Directory.GetDirectories(scratch, DrillSandbox.Prefix + "*");

    static List<string> ProcessesOf(string folder) => [.. Directory.EnumerateDirectories("/proc")
        .Where(process => int.TryParse(Path.GetFileName(process), out _)).Select(CommandLine)
        .Where(words => words.Contains($"{folder}/{DrillSandbox.Prefix}", StringComparison.Ordinal))];

    static string CommandLine(string process)
    {
        try { return File.ReadAllText(Path.Combine(process, "cmdline")); }
        catch (IOException) { return ""; }   // it ended meanwhile
    }

    [GeneratedRegex("unix_socket_directories=([^\0]+)")]
    private static partial Regex SocketFolder();
}
