using System.Diagnostics;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>Nodes, the primary and the whole database are killed while runs go on: every run ends exactly once in the right state, and no
/// firing is lost or made twice. In the long form with 20 agents, 500 runs and a minute without a database.</summary>
public sealed partial class ClusterTests
{
    static readonly int Agents = Nightly.Or(3, 20), Seconds = Nightly.Or(12, 60);

    const int Items = 2, LongRuns = 500;

    static readonly TimeSpan TakeoverLimit = TimeSpan.FromSeconds(15), FailoverLimit = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("haproxy")]
    [InlineData("nginx")]
    public async Task Every_run_ends_once_whatever_is_killed(string balancer)
    {
        Assert.SkipWhen(balancer != "haproxy" && !Nightly.IsOn, "in the long form only");
        await using var cluster = HaCluster.Start(balancer, whole: Nightly.IsOn);
        using var api = cluster.Api();
        var policies = new List<PolicyId>();
        var hosts = new List<(string Name, HostId Host)>();
        for (var agent = 1; agent <= Agents; agent++) hosts.Add(($"web-{agent}", await cluster.AddAgent($"web-{agent}", agent % 2 == 0)));
        foreach (var (name, host) in hosts) policies.Add(await Protect(cluster, api, name, host));
        var runs = new HashSet<RunId>();
        await cluster.Until(async () => await Open(cluster) == 0, "the first backups end");

        await KillNodes(cluster, api, policies, runs);
        var writes = await KillPrimary(cluster, api, policies, runs);
        if (Nightly.IsOn) await LoseSite(cluster, api, policies, runs);
        var away = await TakeDatabaseAway(cluster, api, policies, runs);
        HaCluster.Say($"the database was away for {away.TotalSeconds:0.0} s");
        await RunAll(api, policies, runs);
        await cluster.Until(async () => await Open(cluster) == 0, "the runs end after the outage");
        await cluster.Until(async () => await cluster.Ask<long>("select count(distinct nominal_at) from run where nominal_at is not null")
            >= 2, "policies fire after all that");
        await cluster.Until(async () => await Open(cluster) == 0, "what was fired ends");

        await DrainUnderLoad(cluster, api, policies, runs);
        if (Nightly.IsOn)
        {
            await KillAgent(cluster, api);
            await AddMovers(cluster, api, policies, runs);
            if (balancer == "haproxy") await FourthNode(cluster, api, policies, runs);   // nginx's file has places for three
        }
        var until = await cluster.Ask<DateTime>("select clock()");   // policies go on firing
        await cluster.Until(async () => await cluster.Ask<long>($"{OpenRuns} and created_at < '{until:O}'") == 0, "the last runs end");
        await ShowThatItIsSo(cluster, runs, $"created_at < '{until:O}'");
        if (Nightly.IsOn) Assert.True(writes < FailoverLimit, $"{writes}");
    }

    static async Task KillNodes(HaCluster cluster, ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        for (var node = 1; node <= 3; node++)
        {
            await RunAll(api, policies, runs);
            var begun = Stopwatch.GetTimestamp();
            cluster.Do("kill", $"node{node}");
            var killed = await cluster.Ask<string>("select clock_timestamp()::text");
            var asking = RunAll(api, policies, runs);
            await cluster.Until(async () => await cluster.Ask<long>($"select count(*) from host where last_seen_at > "
                + $"'{killed}'") == Agents, $"all agents ask the others after node{node} is gone");
            var agents = Stopwatch.GetElapsedTime(begun);
            await asking;
            HaCluster.Say($"node{node} killed: all agents were elsewhere after {agents.TotalSeconds:0.0} s");
            await cluster.Until(async () => await Open(cluster) == 0, $"the runs end without node{node}");
            cluster.Do("start", $"node{node}");
            await cluster.Until(() => IsReady(cluster.NodeConsole(node)), $"node{node} is ready again");
            if (Nightly.IsOn) Assert.True(agents < TakeoverLimit, $"{agents}");
        }
    }

    static async Task<TimeSpan> KillPrimary(HaCluster cluster, ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        await RunAll(api, policies, runs);
        cluster.Stand();   // what has no copy yet cannot be promoted
        var (primary, begun, since) = (cluster.Primary(), Stopwatch.GetTimestamp(), TimeProvider.System.GetUtcNow());
        cluster.Do("kill", $"patroni-{primary}");
        await cluster.Until(async () => await RunOne(api, policies[0], runs), "a node writes again");
        var writes = Stopwatch.GetElapsedTime(begun);
        cluster.Outages.Add((since, TimeProvider.System.GetUtcNow()));
        HaCluster.Say($"primary {primary} killed: writes went on after {writes.TotalSeconds:0.0} s on {cluster.Primary()}");
        await RunAll(api, policies, runs);
        await cluster.Until(async () => await Open(cluster) == 0, "the runs end after the failover");
        cluster.Do("start", $"patroni-{primary}");
        cluster.Stand();
        return writes;
    }

    /// <summary>Two sites: at one the primary and two nodes, at the other the standby that has every commit and a node. The first is
    /// lost; etcd has its majority elsewhere.</summary>
    static async Task LoseSite(HaCluster cluster, ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        cluster.Stand();
        string[] members = ["node1", "node2", "node3"];
        var kept = "";
        foreach (var member in members)
            if (await cluster.IsSynchronous(member)) kept = member;
        Assert.NotEmpty(kept);
        var lost = members.Where(member => member != kept).ToList();
        await RunAll(api, policies, runs);
        var (begun, since) = (Stopwatch.GetTimestamp(), TimeProvider.System.GetUtcNow());
        foreach (var member in lost)
        {
            cluster.Do("kill", $"patroni-{member}");
            cluster.Do("kill", member);
        }
        await cluster.Until(async () => await RunOne(api, policies[0], runs), "the other site writes");
        var writes = Stopwatch.GetElapsedTime(begun);
        cluster.Outages.Add((since, TimeProvider.System.GetUtcNow()));
        HaCluster.Say($"the site with {string.Join(" and ", lost)} lost: writes went on at {kept} after {writes.TotalSeconds:0.0} s");
        await RunAll(api, policies, runs);
        await cluster.Until(async () => await Open(cluster) == 0, "the runs end at one site");
        foreach (var member in lost) cluster.Do("start", $"patroni-{member}");
        cluster.Stand();
        foreach (var member in lost) cluster.Do("start", member);
        foreach (var member in lost)
            await cluster.Until(() => IsReady(cluster.NodeConsole(member[^1] - '0')), $"{member} is ready again");
    }

    static async Task<Node?> Find(ApiClient api, string name)
        => (await api.Nodes(CancellationToken.None)).LastOrDefault(node => node.Name == name);

    /// <summary>One more node is joined while runs go on, has its share of the agents, and leaves by drain.</summary>
    static async Task FourthNode(HaCluster cluster, ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        var load = RunAll(api, policies, runs);
        cluster.Do("join", "node4");
        var share = await cluster.Until(async () => await Find(api, "node4") is { State: NodeState.Online } node
            && node.Agents >= Agents / 8, "node4 has half of an even share of the agents");
        await load;
        await RunAll(api, policies, runs);
        await cluster.Until(async () => { await api.DrainNode(new DrainNodeRequest("node4"), CancellationToken.None); return true; },
            "node4 is asked to drain");
        var drained = await cluster.Until(async () => await Find(api, "node4") is { State: NodeState.Drained }, "node4 is drained");
        cluster.Do("kill", "node4");
        await cluster.Until(async () => await Open(cluster) == 0, "the runs end without node4");
        HaCluster.Say($"node4 had its share {share.TotalSeconds:0.0} s after it was ready, drained in {drained.TotalSeconds:0.0} s");
        Assert.True(share < TimeSpan.FromSeconds(30), $"{share}");
    }

    static async Task<PolicyId> Protect(HaCluster cluster, ApiClient api, string name, HostId host)
    {
        var location = await HaCluster.Insist(() => api.CreateLocation(new CreateLocationRequest
        {
            Name = name,
            Path = FilePath.FromText(cluster.Folder($"store/{name}")),
            Host = host,
        }, CancellationToken.None));
        var items = Enumerable.Range(1, Items).Select(item =>
        {
            var folder = cluster.Folder($"data/{name}/{item}");
            File.WriteAllText(Path.Combine(folder, "file"), $"{name} {item}\n");
            var files = new FilesSpec { Paths = [FilePath.FromText(folder)] };
            return new NewItem(host, new SourceSpec { Kind = SourceKind.Files, Files = files });
        }).ToList();
        return (await HaCluster.Insist(() => api.CreatePolicy(new CreatePolicyRequest
        {
            Location = location.Id,
            Items = items,
            Spec = new PolicySpec
            {
                Rpo = TimeSpan.FromHours(1),
                Schedule = new ScheduleSpec { Every = TimeSpan.FromMinutes(1) },
                Proof = new ProofSpec { DrillAfterFirst = false, DrillEvery = TimeSpan.Zero },
            },
        }, CancellationToken.None))).Id;
    }

    static async Task RunAll(ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        foreach (var policy in policies)
            foreach (var run in (await HaCluster.Insist(() => api.RunPolicy(policy, CancellationToken.None))).Runs) runs.Add(run);
    }

    static async Task<bool> RunOne(ApiClient api, PolicyId policy, HashSet<RunId> runs)
    {
        foreach (var run in (await api.RunPolicy(policy, CancellationToken.None)).Runs) runs.Add(run);
        return true;
    }

    const string OpenRuns = "select count(*) from run where state in ('Queued', 'Leased', 'Running')";

    static Task<long> Open(HaCluster cluster)
        => cluster.Ask<long>(OpenRuns);

    /// <summary>A node leaves by drain and comes back; its agents ask others meanwhile, and it has its share again.</summary>
    static async Task DrainUnderLoad(HaCluster cluster, ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        Task<Node?> Second() => Find(api, "node2");
        await RunAll(api, policies, runs);
        await cluster.Until(async () => { await api.DrainNode(new DrainNodeRequest("node2"), CancellationToken.None); return true; },
            "node2 is asked to drain");
        var drained = await cluster.Until(async () => await Second() is { State: NodeState.Drained }, "node2 is drained");
        cluster.Do("kill", "node2");   // it holds nothing, so however it ends is the same
        await RunAll(api, policies, runs);
        await cluster.Until(async () => await Open(cluster) == 0, "the runs end without node2");
        cluster.Do("start", "node2");
        await cluster.Until(async () => await Second() is { State: NodeState.Online, DrainingAt: null }, "node2 is back");
        var share = await cluster.Until(async () => await Second() is { Agents: > 0 }, "agents ask node2 again");
        HaCluster.Say($"node2 was drained after {drained.TotalSeconds:0.0} s, and had agents {share.TotalSeconds:0.0} s after it was back");
    }

    static async Task<bool> IsReady(Uri console)
    {
        using var http = new HttpClient { BaseAddress = console, Timeout = TimeSpan.FromSeconds(3) };
        try { return (await http.GetAsync("/health/ready")).IsSuccessStatusCode; }
        catch (TaskCanceledException) { return false; }
    }

    static async Task<TimeSpan> TakeDatabaseAway(HaCluster cluster, ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        string[] servers = Nightly.IsOn ? ["node1", "node2", "node3"] : ["node1", "node2"];
        await RunAll(api, policies, runs);
        var (begun, since) = (Stopwatch.GetTimestamp(), TimeProvider.System.GetUtcNow());
        foreach (var server in servers) cluster.Do("kill", $"patroni-{server}");
        using var http = cluster.Http();
        await cluster.Until(async () =>
            await http.GetAsync("safety") is { StatusCode: System.Net.HttpStatusCode.ServiceUnavailable } refused
            && (await refused.Content.ReadAsStringAsync()).Contains("database.unavailable", StringComparison.Ordinal),
            "a node says through the balancer that the database is away");
        while (Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(Seconds)) await Task.Delay(100);
        foreach (var server in servers) cluster.Do("start", $"patroni-{server}");
        await cluster.Until(() => RunOne(api, policies[0], runs), "a node writes after the outage");
        cluster.Outages.Add((since, TimeProvider.System.GetUtcNow()));
        return Stopwatch.GetElapsedTime(begun);
    }

    /// <summary>Minutes at which a policy did not fire, but for those after which, until the next one came, nobody could write: that one
    /// made up for them.</summary>
    static string MissedMarks(HaCluster cluster) => $"""
        select count(*) from (select policy_id, min(nominal_at) as first, max(nominal_at) as last from firing group by policy_id) p,
            generate_series(p.first, p.last, interval '1 minute') as mark
        where not exists (select from firing f where f.policy_id = p.policy_id and f.nominal_at = mark)
            and not exists (select from (values {string.Join(", ", cluster.Outages.Select(outage
                => $"('{outage.From:O}'::timestamptz, '{outage.Until:O}'::timestamptz)"))}) as away(since, until)
                where mark + interval '1 minute' between since - interval '20 s' and until + interval '20 s')
        """;

    /// <summary>Firings that made no run of an item although none of it was under way.</summary>
    const string SilentFirings = """
        select count(*) from firing f join item i on i.policy_id = f.policy_id
        where not exists (select from run r where r.item_id = i.id and r.nominal_at = f.nominal_at)
            and not exists (select from run r where r.item_id = i.id and r.kind = 'Backup'
                and r.created_at < f.fired_at + interval '10 s' and coalesce(r.finished_at, 'infinity') > f.fired_at - interval '10 s')
        """;

    /// <summary>The queries of docs/operate/high-availability.md.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <param name="runs">Runs that somebody asked for.</param>
    /// <param name="are">Which runs must have ended.</param>
    static async Task ShowThatItIsSo(HaCluster cluster, HashSet<RunId> runs, string are)
    {
        var all = await cluster.Ask<long>($"select count(*) from run where {are}");
        var complete = await cluster.Ask<long>($"select count(*) from run where state = 'Complete' and {are}");
        var endedTwice = await cluster.Ask<long>("select count(*) from (select run_id from run_event where code in ('run.complete', "
            + "'run.incomplete', 'run.failed', 'run.cancelled') group by run_id having count(*) > 1) x");
        var withoutEnd = await cluster.Ask<long>($"select count(*) from run where {are} and not exists (select from run_event "
            + "where run_id = run.id and code in ('run.complete', 'run.incomplete', 'run.failed', 'run.cancelled'))");
        var doubled = await cluster.Ask<long>("select count(*) - count(distinct (policy_id, item_id, nominal_at)) from run "
            + "where nominal_at is not null");
        var points = await cluster.Ask<long>("select count(*) - count(distinct run_id) from recovery_point where run_id is not null");
        var again = await cluster.Ask<long>("select count(*) from run where lease_epoch > 1");
        var paused = await cluster.Ask<long>("select count(*) from run_event where code = 'run.lease_paused'");
        var missing = await cluster.Ask<long>(MissedMarks(cluster));
        var silent = await cluster.Ask<long>(SilentFirings);
        var fired = await cluster.Ask<long>("select count(distinct (policy_id, nominal_at)) from run where nominal_at is not null");
        HaCluster.Say($"{all} runs, {complete} complete, {again} leased more than once, {paused} leases paused by the outage, "
            + $"{fired} firings; ended twice {endedTwice}, without an end {withoutEnd}, firings doubled {doubled}, "
            + $"lost {missing}, without a word {silent}, points doubled {points}");
        Assert.Equal((all, 0L, 0L, 0L, 0L), (complete, endedTwice, withoutEnd, doubled, points));
        Assert.Equal((0L, 0L), (missing, silent));
        if (Nightly.IsOn) Assert.True(all >= LongRuns, $"{all} runs");
        var known = await cluster.Ask<string[]>("select array_agg(replace(id::text, '-', '')) from run");
        Assert.Empty(runs.Select(run => run.Value.ToString("n")).Except(known));
    }
}
