using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using Npgsql;

namespace BackupDr.SystemTests;

/// <summary>The only node is killed; the host goes on with its policy by itself, is killed in the middle of a backup and goes on again.
/// When the node is back, each nominal time has one run and one snapshot.</summary>
public sealed class AloneTests : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(4), LookEvery = TimeSpan.FromMilliseconds(300);

    readonly ScratchFolder _scratch = new();
    readonly PostgresServer _postgres = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;
    NodeProcess? _node;
    Process? _agent;

    string State => _scratch.At("agent");

    string Held => _scratch.At("held");

    string InHook => _scratch.At("in-hook");

    static string Program => Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent");

    NodeProcess Node => _node!;

    [Fact]
    public async Task A_host_makes_its_due_backups_while_no_node_is_there_and_tells_each_of_them_once()
    {
        Assert.SkipUnless(Nightly.IsOn, "in the long form only");
        Tool.Need("restic", "restic");
        var host = await StartNodeAndAgent();
        using var api = Node.Api();
        using var http = Node.Http();
        var (policy, repository) = await Protect(api, host);
        await Node.Do("update policy set spec = jsonb_set(spec, '{schedule,every}', '\"00:00:05\"')");
        var changed = await Node.Ask<DateTime>("select clock()");
        await Until(() => Is($"select exists (select from host_alone where items = 1 and asked_at > '{changed:O}')"),
            "the agent has the plan with the short schedule");

        await Node.Kill();
        var before = Snapshots();
        await Until(() => Task.FromResult(Snapshots() >= before + 2), "the host makes backups alone");
        await File.WriteAllTextAsync(Held, "", _ct);
        await Until(() => Task.FromResult(File.Exists(InHook)), "a backup waits in its hook, before its snapshot");
        await KillAgent();
        File.Delete(Held);
        StartAgent();
        before = Snapshots();
        await Until(() => Task.FromResult(Snapshots() >= before + 2), "the host goes on after it was killed");
        Assert.Contains("are backed up until", Tool.Run(Program, ["doctor", "--state", State]).Output, StringComparison.Ordinal);

        Node.Start();
        await Until(() => api.IsReady(_ct), "the node is back");
        // The first of the four may be of a run that the node handed out before it was killed.
        await Until(() => Is("select count(*) >= 3 from run where alone_id is not null"), "the node was told");
        using (var pause = await http.PostAsJsonAsync($"policies/{policy.Id}/pause", new PausePolicyRequest(policy.Id, "enough"),
            WireJson.Default.PausePolicyRequest, _ct)) pause.EnsureSuccessStatusCode();
        await Until(async () => await Is("select not exists (select from run where state in ('Queued', 'Leased', 'Running'))")
            && !Directory.EnumerateFiles(Path.Combine(State, "alone"), "*.run").Any(), "all is told and over");

        Assert.Equal(0, await Node.Ask<long>("select count(*) from run where alone_id is not null and (nominal_at is null or state <> "
            + "'Complete')"));
        Assert.Equal(1, await Node.Ask<long>("select count(*) from run where alone_id is not null and lease_epoch = 2"));
        Assert.Equal(await Node.Ask<long>("select count(*) from run where alone_id is not null"),
            await Node.Ask<long>("select count(*) from recovery_point where (backup->>'madeAlone')::boolean"));
        Assert.Equal(await Node.Ask<long>("select count(*) from run where kind = 'Backup' and state = 'Complete'"),
            await Node.Ask<long>("select count(*) from recovery_point"));
        await ShowOneSnapshotEach(api, repository, host);
        Assert.True((await http.GetFromJsonAsync($"hosts/{host}", WireJson.Default.Host, _ct))!.Alone is { Runs: >= 1, Failed: 0 });
        await Restore(api, http);
    }

    async Task<HostId> StartNodeAndAgent()
    {
        var key = _scratch.File("api-key", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24)));
        File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _node = new NodeProcess(_scratch, "node", await _postgres.NewDatabase(), key) { AloneAfterSeconds = 5 };
        _node.Start();
        using var api = _node.Api();
        await Until(() => api.IsReady(_ct), "the node is ready");
        var hook = _scratch.File("hooks/wait", $"#!/bin/sh\nwhile [ -e {Held} ]; do touch {InHook}; sleep 0.1; done\n");
        File.SetUnixFileMode(hook, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest($"https://127.0.0.1:{_node.Port + 1}"), _ct);
        var joined = Tool.Succeed(Program, "join", token.AgentsUrl, "--token", token.Token, "--state", State, "--name", "lonely");
        StartAgent();
        return HostId.Parse(joined.Trim().Split(' ')[^1].TrimEnd('.'));
    }

    void StartAgent() => _agent = Process.Start(new ProcessStartInfo("sh", ["-c",
        "exec \"$0\" run --state \"$1\" --hooks \"$2\" --stdin-lifetime >>\"$1.log\" 2>&1", Program, State, _scratch.At("hooks")])
    { RedirectStandardInput = true })!;

    async Task KillAgent()
    {
        if (_agent is null) return;
        if (!_agent.HasExited) _agent.Kill();
        await _agent.WaitForExitAsync(CancellationToken.None);
        _agent.Dispose();
        _agent = null;
    }

    async Task<(Policy Policy, RepositoryId Repository)> Protect(ApiClient api, HostId host)
    {
        var location = await api.CreateLocation(new CreateLocationRequest
        {
            Name = "Beside",
            Path = FilePath.FromText(_scratch.Folder("store")),
            Host = host,
        }, _ct);
        var source = Path.GetDirectoryName(_scratch.File("data/file", "worth it\n"))!;
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Location = location.Id,
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText(source)] } })],
            Spec = new PolicySpec
            {
                Rpo = TimeSpan.FromHours(1),
                Schedule = new ScheduleSpec { Every = TimeSpan.FromMinutes(1) },
                Proof = new ProofSpec { DrillAfterFirst = false, DrillEvery = TimeSpan.Zero },
                Hooks = new HooksSpec { Before = "wait" },
            },
        }, _ct);
        Run? first = null;
        await Until(async () => (await api.Runs(Assert.Single(policy.Items).Id, _ct)).Runs is [.., { State: RunState.Complete } ended]
            && (first = ended) is not null, "the first backup is complete");
        return (policy, first!.Repository);
    }

    /// <summary>Those of the only repository.</summary>
    int Snapshots() => Directory.EnumerateFiles(_scratch.At("store"), "*", SearchOption.AllDirectories)
        .Count(file => file.Contains("/snapshots/", StringComparison.Ordinal) && Path.GetFileName(file).Length == 64);

    async Task ShowOneSnapshotEach(ApiClient api, RepositoryId repository, HostId host)
    {
        var escape = await api.Reveal(repository, _ct);
        var restic = new ResticCli(Path.Combine(_scratch.At("store"), host.ToString()), escape.Password, _scratch.At("restic-cache"));
        var tags = restic.Snapshots().SelectMany(one => one.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!)).ToList();
        var made = await Node.Ask<string[]>("select array_agg('backupdr.run=run_' || replace(alone_id::text, '-', '')) from run "
            + "where alone_id is not null");
        Assert.All(made, run => Assert.Single(tags, tag => tag == run));
        restic.Succeed("check", "--no-lock");
    }

    async Task Restore(ApiClient api, HttpClient http)
    {
        var point = RecoveryPointId.From(await Node.Ask<Guid>("select id from recovery_point "
            + "where (backup->>'madeAlone')::boolean limit 1"));
        using var answer = await http.PostAsJsonAsync("restores", new RequestRestoreRequest
        {
            Point = point,
            Target = FilePath.FromText(_scratch.At("back")),
        }, WireJson.Default.RequestRestoreRequest, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        var run = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
        await Until(async () => (await api.Run(run, _ct)).FinishedAt is not null, "the restore ends");
        Assert.Equal("worth it\n", await File.ReadAllTextAsync(_scratch.At("back") + _scratch.At("data/file"), _ct));
    }

    async Task<string> Told() => await Node.Ask<string>("select coalesce(json_agg(json_build_object('id', id, 'alone', alone_id, "
        + "'state', state, 'epoch', lease_epoch, 'nominal', nominal_at) order by nominal_at)::text, 'none') from run "
        + "where alone_id is not null") + "\n" + string.Join('\n', Directory.EnumerateFileSystemEntries(Path.Combine(State, "alone")));

    Task<bool> Is(string question) => Node.Ask<bool>(question);

    async Task Until(Func<Task<bool>> isSo, string what)
    {
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            try { if (await isSo()) return; }
            // Who starts does not answer yet; a file may have gone between two looks.
            catch (Exception e) when (e is UnavailableException or HttpRequestException or NpgsqlException or IOException
                or InvalidOperationException)
            { await Task.Delay(LookEvery, _ct); }
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail(await Told() + string.Create(CultureInfo.InvariantCulture,
                $"\nNot within {Patience}: {what}.\n{_node?.Log}{(File.Exists(State + ".log") ? string.Join('\n',
                    File.ReadLines(State + ".log").TakeLast(30)) : "")}"));
            await Task.Delay(LookEvery, _ct);
        }
    }

    public async ValueTask DisposeAsync()
    {
        File.Delete(Held);
        await KillAgent();
        if (_node is not null) await _node.DisposeAsync();
        await _postgres.DisposeAsync();
        _scratch.Dispose();
    }
}
