using System.Diagnostics;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>A host with its agent, a policy and the address under which it asks for work.</summary>
sealed record FencedHost(HostId Host, Policy Policy, RepositoryId Repository, Relay Way);

/// <summary>Two control planes of one installation as processes: the old one, whose exports go to two places, and the one that is rebuilt
/// from them while the old one lives.</summary>
sealed class OldControlPlane : IAsyncDisposable
{

    readonly ScratchFolder _scratch = new();
    readonly PostgresServer _postgres = new();
    readonly List<Process> _agents = [];
    readonly List<Relay> _ways = [];
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public NodeProcess Old { get; private set; } = null!;

    public NodeProcess New { get; private set; } = null!;

    /// <summary>The folder of the two places that exports go to.</summary>
    public string Places => _scratch.At("places");

    string Kit => _scratch.At("kit.txt");

    public static async Task<OldControlPlane> Start()
    {
        var scene = new OldControlPlane();
        try
        {
            var key = scene._scratch.File("api-key", Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24)));
            File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            scene.Old = new NodeProcess(scene._scratch, "old", await scene._postgres.NewDatabase(), key);
            scene.New = new NodeProcess(scene._scratch, "new", await scene._postgres.NewDatabase(), key);
            scene.Old.Start(ownMounts: true);
            using var http = scene.Old.Http();
            using var api = scene.Old.Api();
            await scene.Until(() => api.IsReady(scene._ct), "the old control plane is ready");
            foreach (var place in (string[])["Office", "Far"])
                await http.Post("locations", new CreateLocationRequest
                {
                    Name = place,
                    Kind = LocationKind.Gateway,
                    Path = FilePath.FromText(scene._scratch.Folder($"places/{place}")),
                }, WireJson.Default.CreateLocationRequest, WireJson.Default.Location);
            return scene;
        }
        catch (Exception)
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    /// <summary>A host that reaches its control plane under an address of its own, with a folder, a policy of a minute and a first backup.
    /// </summary>
    public async Task<FencedHost> AddHost(string name)
    {
        using var api = Old.Api();
        var way = new Relay(Old.Port + 1);
        _ways.Add(way);
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest($"https://127.0.0.1:{way.Port}"), _ct);
        var (program, state) = (Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent"), Agent(name));
        var joined = Tool.Succeed(program, "join", token.AgentsUrl, "--token", token.Token, "--state", state, "--name", name);
        _agents.Add(Process.Start(new ProcessStartInfo("sh", ["-c",
            "exec \"$0\" run --state \"$1\" --hooks /nonexistent --stdin-lifetime >>\"$1.log\" 2>&1", program, state])
        { RedirectStandardInput = true })!);
        var host = HostId.Parse(joined.Trim().Split(' ')[^1].TrimEnd('.'));
        var source = Path.GetDirectoryName(_scratch.File($"data/{name}/file", $"{name}\n"))!;
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Location = (await AddFolder(name, host)).Id,
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText(source)] } })],
            Spec = new PolicySpec
            {
                Rpo = TimeSpan.FromHours(1),
                Schedule = new ScheduleSpec { Every = TimeSpan.FromMinutes(1) },
                Proof = new ProofSpec { DrillAfterFirst = false, DrillEvery = TimeSpan.Zero },
            },
        }, _ct);
        Run? first = null;
        await Until(async () => (await api.Runs(Assert.Single(policy.Items).Id, _ct)).Runs is [.., { State: RunState.Complete } ended]
            && (first = ended) is not null, $"the first backup of {name} is complete");
        return new FencedHost(host, policy, first!.Repository, way);
    }

    /// <summary>A folder of a host, as a location.</summary>
    public async Task<Location> AddFolder(string name, HostId host)
    {
        using var api = Old.Api();
        var path = FilePath.FromText(_scratch.Folder($"stores/{name}"));
        return await api.CreateLocation(new CreateLocationRequest { Name = name, Path = path, Host = host }, _ct);
    }

    string Agent(string name) => Path.Combine(_scratch.Folder("agents"), name);

    /// <summary>The repository of a host, for stock restic.</summary>
    public async Task<ResticCli> Restic(string name, FencedHost host)
    {
        using var api = New.Api();
        var escape = await api.Reveal(host.Repository, _ct);
        return new ResticCli(Path.Combine(_scratch.At($"stores/{name}"), host.Host.ToString()), escape.Password,
            _scratch.At("restic-cache"));
    }

    /// <summary>Exports the old one, and keeps the recovery kit.</summary>
    public async Task Export()
    {
        using var http = Old.Http();
        var kit = await http.Post("recovery-kit", WireJson.Default.RecoveryKit);
        await File.WriteAllTextAsync(Kit, kit.Text, _ct);
        var state = await http.Post("control-plane/export", WireJson.Default.ControlPlaneState);
        Assert.Equal(2, state.Places.Count(place => place is { IsExported: true, Problem: null }));
    }

    /// <summary>Rebuilds from a place, and starts what was rebuilt.</summary>
    public async Task Rebuild()
    {
        var said = Tool.Succeed(PublishedProgram.Path, "rebuild", "--kit", Kit, "--from", Path.Combine(Places, "Office"), "--settings",
            New.Settings());
        Assert.Contains("Term 2 begins in 2 of 2 places.", said, StringComparison.Ordinal);
        New.Start();
        using var api = New.Api();
        await Until(() => api.IsReady(_ct), "the rebuilt control plane is ready");
    }

    /// <summary>Runs a host's policy once; gives the run when it is over.</summary>
    public async Task<Run> BackUp(NodeProcess node, FencedHost host)
    {
        using var api = node.Api();
        return await Ended(node, Assert.Single((await api.RunPolicy(host.Policy.Id, _ct)).Runs));
    }

    /// <summary>A run that is over.</summary>
    public async Task<Run> Ended(NodeProcess node, RunId id)
    {
        using var api = node.Api();
        Run? run = null;
        await Until(async () => (run = await api.Run(id, _ct)).FinishedAt is not null, "a run ends");
        return run!;
    }

    /// <summary>Waits until it is so, through restarts of whoever is asked.</summary>
    public Task Until(Func<Task<bool>> isSo, string what) => Patiently.Until(isSo, what, () => Task.FromResult(Logs()), _ct);

    string Logs() => string.Concat(new[] { Old.Log, New.Log }.Concat(Directory.EnumerateFiles(_scratch.Folder("agents"), "*.log")
        .Select(file => $"--- {Path.GetFileName(file)}\n{string.Join('\n', File.ReadLines(file).TakeLast(15))}\n")));

    public async ValueTask DisposeAsync()
    {
        foreach (var agent in _agents)
        {
            if (!agent.HasExited) agent.Kill();
            await agent.WaitForExitAsync(CancellationToken.None);
            agent.Dispose();
        }
        foreach (var way in _ways) await way.DisposeAsync();
        foreach (var node in (NodeProcess?[])[Old, New])
            if (node is not null) await node.DisposeAsync();
        await _postgres.DisposeAsync();
        _scratch.Dispose();
    }
}
