using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>The database is lost. A control plane that is rebuilt from a location on an empty PostgreSQL goes on with the same agent, which
/// does not join again.</summary>
public sealed class RebuildTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_lost_control_plane_is_rebuilt_from_a_location_and_agents_policies_restores_and_proofs_go_on()
    {
        await using var service = new Service();
        await using var postgres = new PostgresServer();
        var (source, office) = (service.Folder("source"), service.Folder("office"));
        var file = Path.Combine(source, "file");
        await File.WriteAllTextAsync(file, "before the export\n", _ct);
        service.Start("--protect", source);
        await service.Outcome();
        var (item, evidence, kit) = await ExportTo(service, office);

        // What is backed up after the export is in the repository, and in no export.
        await File.WriteAllTextAsync(file, "after the export\n", _ct);
        var late = await BackUp(service, item);
        await service.KillEverything();

        var database = await postgres.NewDatabase();
        var settings = Settings(service, database);
        var begun = Stopwatch.GetTimestamp();
        var rebuilt = Tool.Succeed(PublishedProgram.Path, "rebuild", "--kit", kit, "--from", office, "--settings", settings);
        Say($"rebuilt in {Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s: {rebuilt}");
        Assert.Contains("Term 2 begins in 1 of 1 places.", rebuilt, StringComparison.Ordinal);

        var programs = Path.GetDirectoryName(PublishedProgram.Path)!;
        using var node = Run(service, "node", PublishedProgram.Path, "console", "--settings", settings);
        using var agent = Run(service, "agent", Path.Combine(programs, "backupdr-agent"), "run", "--state",
            Path.Combine(service.Data, "agent"), "--hooks", "/nonexistent");
        try
        {
            await GoesOn(service, item, late, evidence);
        }
        catch (Exception)
        {
            Say(string.Concat(new[] { "node", "agent" }.Select(name => $"--- {name}\n{File.ReadAllText(service.At($"{name}.log"))}\n")));
            throw;
        }
        finally
        {
            foreach (var process in (Process[])[node, agent])
            {
                if (!process.HasExited) process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
            }
        }
    }

    /// <summary>A location that nodes serve, an export to it, and the kit on paper.</summary>
    async Task<(Item Item, long Evidence, string Kit)> ExportTo(Service service, string folder)
    {
        using var http = service.Http();
        using var api = service.Api();
        await Post(http, "locations", new CreateLocationRequest
        {
            Name = "Office",
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(folder),
        }, WireJson.Default.CreateLocationRequest, WireJson.Default.Location);
        var ticking = service.Folder("ticking");
        var host = Assert.Single(await api.Hosts(_ct)).Id;
        var item = Assert.Single(await api.Items(_ct));
        await api.CreatePolicy(new CreatePolicyRequest
        {
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText(ticking)] } })],
            Spec = new PolicySpec
            {
                Rpo = TimeSpan.FromHours(1),
                Schedule = new ScheduleSpec { Every = TimeSpan.FromMinutes(1) },
                Proof = new ProofSpec { DrillAfterFirst = false, DrillEvery = TimeSpan.Zero },
            },
        }, _ct);
        var kit = await Post(http, "recovery-kit", WireJson.Default.RecoveryKit);
        await File.WriteAllTextAsync(service.At("kit.txt"), kit.Text, _ct);
        var state = await Post(http, "control-plane/export", WireJson.Default.ControlPlaneState);
        Assert.Null(Assert.Single(state.Places, place => place.IsExported).Problem);
        var page = await Get(http, "evidence", WireJson.Default.EvidencePage);
        return (item, page.Entries[0].Seq, service.At("kit.txt"));
    }

    /// <summary>Runs the item's policy once; gives the snapshot.</summary>
    async Task<string> BackUp(Service service, Item item)
    {
        using var api = service.Api();
        var started = Assert.Single((await api.RunPolicy(item.Policy, _ct)).Runs);
        Run? run = null;
        await service.Until(async () => (run = await api.Run(started, _ct)).FinishedAt is not null, "the backup after the export ends");
        Assert.Equal(RunState.Complete, run!.State);
        return run.Result!.Backup!.SnapshotId;
    }

    async Task GoesOn(Service service, Item item, string late, long evidence)
    {
        using var http = service.Http();
        using var api = service.Api();
        await service.Until(() => api.IsReady(_ct), "the rebuilt node is ready");
        await service.Until(async () => Assert.Single(await api.Hosts(_ct)).State == HostState.Online, "the agent is back");

        // The agent looks through the repository, so that nothing that was taken since the export is lost.
        RecoveryPoint? found = null;
        await service.Until(async () => (found = (await Get(http, $"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint))
            .FirstOrDefault(point => point.SnapshotId == late)) is not null, "the snapshot taken after the export is known again");
        var target = FilePath.FromText(service.At("restored"));
        var restore = await Post(http, "restores", new RequestRestoreRequest { Point = found!.Id, Target = target },
            WireJson.Default.RequestRestoreRequest, WireJson.Default.RunStarted);
        await service.Until(async () => (await api.Run(restore.Run, _ct)).FinishedAt is not null, "the restore ends");
        Assert.Equal(RunState.Complete, (await api.Run(restore.Run, _ct)).State);
        var restored = Assert.Single(Directory.EnumerateFiles(target.ToString(), "file", SearchOption.AllDirectories));
        Assert.Equal("after the export\n", await File.ReadAllTextAsync(restored, _ct));

        await service.Until(async () => (await Get(http, "runs?limit=50", WireJson.Default.RunPage)).Runs.Any(run => run is
        { Kind: JobKind.Backup, NominalAt: not null, State: RunState.Complete } && run.CreatedAt > found.ReceivedAt),
            "a policy fires by its schedule");
        var page = await Get(http, "evidence", WireJson.Default.EvidencePage);
        Assert.True(page.ChainIsWhole);
        Assert.True(page.Entries[0].Seq > evidence);   // the restore's
        Assert.Equal([], (await api.VerifyAudit(_ct)).Problems);
        var state = await Get(http, "control-plane", WireJson.Default.ControlPlaneState);
        Assert.Equal((2, null), (state.Term, state.Later));
    }

    static string Settings(Service service, string database)
    {
        service.Folder("rebuilt");
        var file = service.At("rebuilt/appsettings.json");
        File.WriteAllText(file, JsonSerializer.Serialize(new Dictionary<string, Dictionary<string, string>>
        {
            ["Database"] = new() { ["ConnectionString"] = database },
            ["Console"] = new() { ["Url"] = $"http://127.0.0.1:{service.Port}" },
            ["Agents"] = new() { ["Url"] = $"https://127.0.0.1:{service.Port + 1}" },
            ["Secrets"] = new() { ["KeyFile"] = service.At("rebuilt/sealing.key") },
            ["Bootstrap"] = new() { ["ApiKeyFile"] = Path.Combine(service.Data, "secrets", "api-key") },
        }));
        return file;
    }

    static Process Run(Service service, string name, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo("sh", ["-c", "log=$1; shift; exec \"$@\" >\"$log\" 2>&1", "sh", service.At($"{name}.log"), program,
            .. arguments])
        { WorkingDirectory = service.At("rebuilt") };
        return Process.Start(start)!;
    }

    static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    async Task<TAnswer> Post<TRequest, TAnswer>(HttpClient http, string path, TRequest request, JsonTypeInfo<TRequest> shape,
        JsonTypeInfo<TAnswer> answered)
    {
        using var answer = await http.PostAsJsonAsync(path, request, shape, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        return (await answer.Content.ReadFromJsonAsync(answered, _ct))!;
    }

    async Task<TAnswer> Post<TAnswer>(HttpClient http, string path, JsonTypeInfo<TAnswer> answered)
    {
        using var answer = await http.PostAsync(path, null, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        return (await answer.Content.ReadFromJsonAsync(answered, _ct))!;
    }

    async Task<T> Get<T>(HttpClient http, string path, JsonTypeInfo<T> shape) => (await http.GetFromJsonAsync(path, shape, _ct))!;
}
