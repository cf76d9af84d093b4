using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using Npgsql;

namespace BackupDr.SystemTests;

/// <summary>A moment of a step at which the node that carries it out is killed, and that lasts until it is released.</summary>
/// <param name="Step">The step.</param>
/// <param name="Name">"asked", "inside", "done": before anything was done, while it is done, when it was done and not told.</param>
/// <param name="Hold">Makes the step stop there when it comes there; gives what releases it.</param>
/// <param name="IsThere">Whether it is there, with this node.</param>
sealed record KillMoment(string Step, string Name, Func<Task<Func<Task>>> Hold, Func<string, Task<bool>> IsThere)
{
    /// <summary>Whether what the dead node left would hold the others too.</summary>
    public bool IsReleasedFirst { get; init; }

    /// <summary>How much later it is before another node goes on.</summary>
    public TimeSpan Later { get; init; } = StepKillScene.LeaseIsOver;
}

/// <summary>Two nodes as processes over one database, and a host with an agent; the nodes are killed.</summary>
sealed class StepKillScene : IAsyncDisposable
{
    /// <summary>Longer than a node has an activity without a sign of life.</summary>
    public static readonly TimeSpan LeaseIsOver = TimeSpan.FromSeconds(25);

    static readonly CancellationToken NoStop = CancellationToken.None;

    readonly ScratchFolder _scratch = new();
    readonly PostgresServer _postgres = new();
    readonly Dictionary<string, NodeProcess> _nodes = [];
    GuardedProcess? _agent;
    NpgsqlDataSource? _database;
    NodeProcess? _alive;
    TimeSpan _passed;

    /// <summary>Name of the host.</summary>
    public const string Host = "site-b";

    /// <summary>Folder of what the host's programs do and wait for.</summary>
    public string Work => _scratch.Folder("work");

    /// <summary>What root of the host allows runbooks.</summary>
    public string Steps => _scratch.Folder("steps.d");

    /// <summary>What is executed now.</summary>
    public ExecutionId Execution { get; private set; }

    /// <summary>How often a node was killed.</summary>
    public int Kills { get; private set; }

    /// <summary>A client of whichever node lives.</summary>
    public HttpClient Http() => _alive!.Http();

    /// <summary>Starts the nodes.</summary>
    public static async Task<StepKillScene> Start()
    {
        var scene = new StepKillScene();
        try
        {
            var key = scene._scratch.File("api-key", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24)));
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            // What waits for the lock of a moment waits for as long as the dead node takes to start again.
            var database = $"{await scene._postgres.NewDatabase()};Command Timeout=600";
            scene._database = NpgsqlDataSource.Create(database);
            foreach (var name in (string[])["one", "two"])
            {
                scene._nodes[name] = scene._alive = new NodeProcess(scene._scratch, name, database, key, scene._scratch.At("sealing.key"));
                await scene.StartNode(name);
            }
            return scene;
        }
        catch (Exception)
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    async Task StartNode(string name)
    {
        _nodes[name].Start();
        using var api = _nodes[name].Api();
        await Until(() => api.IsReady(NoStop), $"the node {name} is ready");
    }

    /// <summary>Starts the host's agent, which finds our program where the service manager's should be, and waits until it knows both
    /// nodes.</summary>
    public async Task StartAgent(string systemctl)
    {
        Tool.Succeed("chmod", "-R", "755", Steps, systemctl);
        using var api = _alive!.Api();
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest(), NoStop);
        var (program, state) = (Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent"), _scratch.At(Host));
        Tool.Succeed(program, "join", token.AgentsUrl, "--token", token.Token, "--state", state, "--name", Host);
        _agent = new GuardedProcess(_scratch.At($"{Host}.log"), [program, "run", "--state", state, "--hooks", "/nonexistent", "--steps",
            Steps], new Dictionary<string, string>
            { ["PATH"] = $"{Path.GetDirectoryName(systemctl)}:{Environment.GetEnvironmentVariable("PATH")}" });
        var ports = _nodes.Values.Select(node => $":{node.Port + 1}").ToList();
        await Until(async () => ports.All((await File.ReadAllTextAsync(Path.Combine(state, "agent.json"), NoStop)).Contains),
            "the host knows both nodes");
    }

    /// <summary>Whether the host began this step.</summary>
    public bool HasBegun(string step) => File.Exists(Path.Combine(_scratch.At(Host), "steps",
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{Execution}/{step}/1")))));

    /// <summary>Lets nobody write a table of the nodes' database; gives what ends that.</summary>
    public async Task<Func<Task>> Lock(string table)
    {
        var connection = await _database!.OpenConnectionAsync(NoStop);
        var tx = await connection.BeginTransactionAsync(NoStop);
        await using var command = new NpgsqlCommand($"lock table {table} in share row exclusive mode", connection, tx);
        await command.ExecuteNonQueryAsync(NoStop);
        return async () =>
        {
            await tx.RollbackAsync(NoStop);
            await connection.DisposeAsync();
        };
    }

    /// <summary>Whether a node waits until it may write that table with this statement.</summary>
    public Task<bool> Waits(string node, string statement) => Ask<bool>("select exists (select from pg_stat_activity a join pg_locks l "
        + $"on l.pid = a.pid and not l.granted where a.application_name like '%{node}%' and a.query like '%{statement}%')");

    /// <summary>Asks the nodes' database one question.</summary>
    public async Task<T> Ask<T>(string sql)
    {
        await using var command = _database!.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(NoStop))!;
    }

    /// <summary>Begins an execution, and kills the node that carries out a step at each of these moments, one after the other.</summary>
    /// <param name="spec">What is executed.</param>
    /// <param name="moments">In the order in which they come.</param>
    public async Task<ExecutionId> Play(RunbookSpec spec, IReadOnlyList<KillMoment> moments)
    {
        using var http = Http();
        var runbook = await http.Post("runbooks", new CreateRunbookRequest { Name = "killed", Spec = spec },
            WireJson.Default.CreateRunbookRequest, WireJson.Default.Runbook);
        var release = await moments[0].Hold();
        var id = (await http.Post($"runbooks/{runbook.Id}/executions", new StartExecutionRequest(Mode: ExecutionMode.Disaster,
            Why: "to be killed"), WireJson.Default.StartExecutionRequest, WireJson.Default.ExecutionStarted)).Id;
        Execution = id;
        for (var at = 0; at < moments.Count; at++)
        {
            var (moment, what) = (moments[at], $"{moments[at].Step}, {moments[at].Name}");
            var holder = "";
            await Until(async () => (holder = await Holder(id, moment.Step)).Length > 0 && await moment.IsThere(holder),
                $"{what}: is there");
            var next = at + 1 < moments.Count ? await moments[at + 1].Hold() : () => Task.CompletedTask;
            await _nodes[holder].Kill();
            Kills++;
            _alive = _nodes.Values.First(node => node != _nodes[holder]);
            if (moment.IsReleasedFirst) await release();
            await _alive.Pass(_passed += moment.Later);
            await Until(async () => await Holder(id, moment.Step) != holder, $"{what}: another node goes on");
            if (!moment.IsReleasedFirst) await release();
            release = next;
            if (at + 1 < moments.Count) await StartNode(holder);
        }
        await release();
        return id;
    }

    /// <summary>The node that carries out a step; of one that only waits, some node; empty for none.</summary>
    async Task<string> Holder(ExecutionId id, string step) => await Ask<string>($"""
        select coalesce((select node from activity where execution_id = '{id.Value}' and step = '{step}'),
            (select 'one' from execution, jsonb_array_elements(state -> 'steps') s where id = '{id.Value}' and s ->> 'name' = '{step}'
                and s ->> 'activity' is not null and not exists (select from activity where execution_id = '{id.Value}')), '')
        """);

    /// <summary>The execution, once it is over or waits for a person.</summary>
    public async Task<ExecutionView> Rest(ExecutionId id)
    {
        using var api = _alive!.Api();
        ExecutionView? view = null;
        await Until(async () => (view = await api.Execution(id, NoStop)).State.Phase is Contracts.Rules.Runbooks.ExecutionPhase.Ended
            or Contracts.Rules.Runbooks.ExecutionPhase.Paused, "the execution ends or waits for a person");
        return view!;
    }

    /// <summary>Waits until it is so.</summary>
    public Task Until(Func<Task<bool>> isSo, string what) => Patiently.Until(isSo, what, Logs);

    async Task<string> Logs()
    {
        var logs = string.Concat(_nodes.Values.Select(node => node.Log)) + _agent?.LastWords;
        try
        {
            return $"{logs}\n{string.Join('\n', await Ask<string[]>("""
                select coalesce(array_agg(concat_ws(' ', state ->> 'phase', s ->> 'name', s ->> 'phase', s ->> 'activity',
                    s ->> 'reason')), '{}') from execution, jsonb_array_elements(state -> 'steps') s
                """))}";
        }
        catch (NpgsqlException e) { return $"{logs}\n{e.Message}"; }   // the failure that is told matters more
    }

    public async ValueTask DisposeAsync()
    {
        if (_agent is not null) await _agent.DisposeAsync();
        foreach (var node in _nodes.Values) await node.DisposeAsync();
        if (_database is not null) await _database.DisposeAsync();
        await _postgres.DisposeAsync();
        _scratch.Dispose();
    }
}
