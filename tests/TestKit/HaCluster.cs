using System.Diagnostics;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using Npgsql;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>Three nodes behind a balancer over a PostgreSQL that fails over, as deploy/ha/cluster.sh makes them, with hosts whose agents
/// are processes.</summary>
public sealed class HaCluster : IAsyncDisposable
{
    static readonly TimeSpan Patience = Patiently.Patience, LookEvery = TimeSpan.FromMilliseconds(100);

    const int JoinTries = 3;

    readonly ScratchFolder _scratch = new();
    readonly Dictionary<string, Process> _agents = [];
    readonly Dictionary<string, string> _environment;
    readonly int _offset = FreePorts.Offset([8480, 8481, .. new[] { 2379, 2380, 5432, 8008, 8420, 8421 }
        .SelectMany(port => Enumerable.Range(0, 4).Select(member => port + 10 * member))]);

    HaCluster(Dictionary<string, string> environment) => _environment = environment;

    /// <summary>Starts one.</summary>
    /// <param name="balancer">"haproxy" or "nginx".</param>
    /// <param name="whole">etcd and PostgreSQL on all three, as in earnest; else one etcd and two servers.</param>
    /// <exception cref="Xunit.Sdk.SkipException">A program is missing.</exception>
    public static HaCluster Start(string balancer = "haproxy", bool whole = false)
    {
        Tool.Need("patroni", "patroni");
        Tool.Need("etcd", "etcd-server");
        Tool.Need("curl", "curl");
        if (!File.Exists($"/usr/sbin/{balancer}")) Tool.Need(balancer, balancer);
        if (balancer == "nginx") NeedStreams();
        var cluster = new HaCluster(new Dictionary<string, string>
        {
            ["BACKUPDR_HA_APP"] = Path.GetDirectoryName(PublishedProgram.Path)!,
            ["BACKUPDR_HA_ETCD"] = whole ? "node1 node2 node3" : "node1",
            ["BACKUPDR_HA_DATABASES"] = whole ? "node1 node2 node3" : "node1 node2",
            ["BACKUPDR_HA_BALANCER"] = balancer,
            ["BACKUPDR_HA_FSYNC"] = "off",
            ["BACKUPDR_HA_ETCD_OPTIONS"] = "--unsafe-no-fsync",
            ["BACKUPDR_HA_SHARED_BUFFERS"] = "32MB",
        });
        cluster._environment["BACKUPDR_HA_OFFSET"] = cluster._offset.ToString(CultureInfo.InvariantCulture);
        try { cluster.Up(); }
        catch
        {
            cluster.Down();
            throw;
        }
        return cluster;
    }

    // Debian's nginx loads this module only where its package is installed, and otherwise does not know what passes TLS through.
    static void NeedStreams()
    {
        if (File.Exists("/usr/lib/nginx/modules/ngx_stream_module.so")) return;
        const string missing = "nginx cannot pass TLS through: install the package libnginx-mod-stream.";
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail(missing);
        Assert.Skip(missing);
    }

    /// <summary>When nobody could write, as far as the test saw.</summary>
    public List<(DateTimeOffset From, DateTimeOffset Until)> Outages { get; } = [];

    /// <summary>A path in the scratch folder.</summary>
    public string At(string relative) => _scratch.At(relative);

    /// <summary>A new folder in the scratch folder.</summary>
    public string Folder(string relative) => _scratch.Folder(relative);

    /// <summary>The balancer's address of console and API.</summary>
    public Uri Console => new($"http://127.0.0.1:{8480 + _offset}");

    /// <summary>The balancer's address for agents.</summary>
    public Uri Agents => new($"https://127.0.0.1:{8481 + _offset}");

    /// <summary>A node's own address of console and API.</summary>
    public Uri NodeConsole(int node) => new($"http://127.0.0.1:{8420 + _offset + 10 * (node - 1)}");

    /// <summary>The key that every node admits.</summary>
    public Secret Key => Secret.FromText(File.ReadAllText(At("ha/api-key")).Trim());

    /// <summary>A client of the API through the balancer.</summary>
    public ApiClient Api() => new(Console, Key);

    void Up()
    {
        File.SetUnixFileMode(_scratch.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
        var begun = Stopwatch.GetTimestamp();
        var result = Tool.Run(Script, ["up", At("ha")], _environment, Patience);
        Assert.True(result.ExitCode == 0, $"{result.Output}{result.Errors}\n{Logs()}");
        Say($"three nodes over Patroni stood after {Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s");
    }

    static string Script => Path.Combine(Service.Checkout(), "deploy", "ha", "cluster.sh");

    /// <summary>Says something in the test's output.</summary>
    public static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    /// <summary>kill, start: of "node1", "patroni-node1", "haproxy" …</summary>
    public string Do(string verb, string what = "")
    {
        var result = Tool.Run(Script, what.Length == 0 ? [verb, At("ha")] : [verb, At("ha"), what], _environment);
        Assert.True(result.ExitCode == 0, $"{verb} {what}: {result.Output}{result.Errors}");
        return result.Output.Trim();
    }

    /// <summary>The member that is the primary now; empty for none.</summary>
    public string Primary() => Tool.Run(Script, ["primary", At("ha")], _environment).Output.Trim();

    /// <summary>Waits until each server of the database is the primary or a standby in step with it, so that one may be taken
    /// away.</summary>
    public void Stand()
    {
        var result = Tool.Run(Script, ["wait", At("ha")], new Dictionary<string, string>(_environment) { ["BACKUPDR_HA_PATIENCE"] = "240" },
            Patience + TimeSpan.FromMinutes(1));
        Assert.True(result.ExitCode == 0, $"{result.Output}{result.Errors}\n{Logs()}");
    }

    /// <summary>Whether this member is the standby that has every commit, which alone may become the primary.</summary>
    public async Task<bool> IsSynchronous(string member)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(3) };
        return (await http.GetAsync($"http://127.0.0.1:{8008 + _offset + 10 * (member[^1] - '1')}/synchronous")).IsSuccessStatusCode;
    }

    /// <summary>Joins a host and starts its agent.</summary>
    public async Task<HostId> AddAgent(string name, bool direct = false, bool mover = false)
    {
        using var api = Api();
        var agent = Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent");
        var state = At($"agents/{name}");
        _scratch.Folder("agents");
        string[] role = mover ? ["--mover"] : [];
        ToolResult joined;
        var tries = 0;
        do   // a token works once, so whoever had no answer in time joins with another one, as a person does
        {
            var token = await Insist(() => api.CreateJoinToken(new CreateJoinTokenRequest(direct ? null : Agents.ToString().TrimEnd('/')),
                CancellationToken.None));
            joined = Tool.Run(agent, ["join", token.AgentsUrl, "--token", token.Token, "--state", state, "--name", name, .. role],
                patience: Patience);
        }
        while (joined.ExitCode != 0 && ++tries < JoinTries);
        Assert.True(joined.ExitCode == 0, joined.Errors);
        StartAgent(name);
        return HostId.Parse(joined.Output.Trim().Split(' ')[^1].TrimEnd('.'));
    }

    /// <summary>Starts the agent of a host that joined.</summary>
    public void StartAgent(string name)
    {
        const string line = "exec \"$0\" run --state \"$1\" --hooks /nonexistent --stdin-lifetime >>\"$1.log\" 2>&1";
        var start = new ProcessStartInfo("sh", ["-c", line,
            Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent"), At($"agents/{name}")])
        { RedirectStandardInput = true };
        _agents[name] = Process.Start(start)!;
    }

    /// <summary>Ends the agent of a host at once, or asks it to stop, as its service does.</summary>
    public async Task EndAgent(string name, bool atOnce)
    {
        var agent = _agents[name];
        if (atOnce) agent.Kill();
        else Tool.Succeed("kill", "-TERM", agent.Id.ToString(CultureInfo.InvariantCulture));
        using var late = new CancellationTokenSource(Patience);
        await agent.WaitForExitAsync(late.Token);
        agent.Dispose();
        _agents.Remove(name);
    }

    /// <summary>Plain HTTP through the balancer, for routes that the client does not have.</summary>
    public HttpClient Http()
    {
        var http = new HttpClient { BaseAddress = new Uri(Console, "api/v1/"), Timeout = TimeSpan.FromSeconds(15) };
        http.DefaultRequestHeaders.Authorization = new("Bearer", Key.Reveal());
        return http;
    }

    /// <summary>Calls until it is answered: what a program does that speaks to a cluster.</summary>
    public static async Task<T> Insist<T>(Func<Task<T>> call)
    {
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            try { return await call(); }
            catch (UnavailableException) when (Stopwatch.GetElapsedTime(begun) < Patience) { await Task.Delay(LookEvery); }
        }
    }

    /// <summary>Waits until it is so, through failures of the way there; says how long it took.</summary>
    public Task<TimeSpan> Until(Func<Task<bool>> isSo, string what) => Patiently.Until(isSo, what, () => Task.FromResult(Logs()));

    /// <summary>Asks the database one question, on the primary.</summary>
    public async Task<T> Ask<T>(string sql)
    {
        var hosts = string.Join(',', _environment["BACKUPDR_HA_DATABASES"].Split(' ')
            .Select(name => $"127.0.0.1:{5432 + _offset + 10 * (name[^1] - '1')}"));
        var password = File.ReadLines(At("ha/ha.env")).First(line => line.StartsWith("BACKUPDR_HA_PASSWORD=", StringComparison.Ordinal))
            .Split('=')[1];
        var connection = $"Host={hosts};Username=backupdr;Password={password};Database=backupdr;Timeout=5";
        await using var source = new NpgsqlDataSourceBuilder(connection).BuildMultiHost()
            .WithTargetSession(TargetSessionAttributes.Primary);
        await using var command = source.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>The ends of all logs.</summary>
    public string Logs() => string.Concat(new[] { At("ha/run"), At("agents") }.Where(Directory.Exists)
        .SelectMany(folder => Directory.EnumerateFiles(folder, "*.log"))
        .Select(file => $"--- {Path.GetFileName(file)}\n{string.Join('\n', File.ReadLines(file).TakeLast(15))}\n"));

    void Down() => Tool.Run(Script, ["down", At("ha")], _environment);

    /// <summary>Ends everything and removes it.</summary>
    public ValueTask DisposeAsync()
    {
        foreach (var agent in _agents.Values)
        {
            if (!agent.HasExited) agent.Kill();
            agent.WaitForExit();
            agent.Dispose();
        }
        Down();
        _scratch.Dispose();
        return ValueTask.CompletedTask;
    }
}
