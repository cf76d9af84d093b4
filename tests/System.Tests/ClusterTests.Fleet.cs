using System.Net.Http.Json;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>Agents that die, come and go while the cluster is at work: parts of the long form.</summary>
public sealed partial class ClusterTests
{
    const int MoverRepositories = 6, SlowBytes = 6_000_000;

    static readonly TimeSpan ShareLimit = TimeSpan.FromSeconds(30), AfterLease = TimeSpan.FromSeconds(5);

    /// <summary>An agent dies in the middle of a run: that is queued again when its lease is over, and made once when the host is back.
    /// </summary>
    static async Task KillAgent(HaCluster cluster, ApiClient api)
    {
        var (host, source) = (await cluster.AddAgent("slow"), cluster.Folder("data/slow"));
        await File.WriteAllBytesAsync(Path.Combine(source, "file"), RandomNumberGenerator.GetBytes(SlowBytes));
        var location = await HaCluster.Insist(() => api.CreateLocation(new CreateLocationRequest
        {
            Name = "slow",
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(cluster.Folder("store/slow")),
            Bandwidth = "32 KiB/s",
        }, CancellationToken.None));
        var item = Assert.Single((await Create(api, location.Id, host, source)).Items).Id;
        var run = Assert.Single((await HaCluster.Insist(() => api.Runs(item, CancellationToken.None))).Runs).Id;
        await cluster.Until(async () => await api.Run(run, CancellationToken.None) is { State: RunState.Running, Progress: not null },
            "the slow backup is under way");

        await cluster.EndAgent("slow", atOnce: true);
        var queued = await cluster.Until(async () => (await api.Run(run, CancellationToken.None)).State == RunState.Queued,
            "the run of the dead agent is queued again");
        using (var http = cluster.Http())
        using (var edit = await http.PutAsJsonAsync($"locations/{location.Id}", new EditLocationRequest { Name = "slow" },
            WireJson.Default.EditLocationRequest)) edit.EnsureSuccessStatusCode();
        cluster.StartAgent("slow");
        await cluster.Until(async () => (await api.Run(run, CancellationToken.None)).FinishedAt is not null, "the run of the host ends");
        var ended = await api.Run(run, CancellationToken.None);
        HaCluster.Say($"the run of a dead agent was queued again after {queued.TotalSeconds:0.0} s, and ended {ended.State} under lease "
            + $"{ended.Epoch}");
        Assert.Equal((RunState.Complete, 2L), (ended.State, ended.Epoch));
        Assert.True(queued < AgentProtocol.LeaseDuration + AfterLease, $"{queued}");
    }

    /// <summary>A policy of a host that runs once, now.</summary>
    static async Task<Policy> Create(ApiClient api, LocationId location, HostId host, string source)
        => await HaCluster.Insist(() => api.CreatePolicy(new CreatePolicyRequest
        {
            Location = location,
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText(source)] } })],
            Spec = new PolicySpec { Proof = new ProofSpec { DrillAfterFirst = false, DrillEvery = TimeSpan.Zero } },
        }, CancellationToken.None));

    /// <summary>Two movers join while backups go on, have their share of the checks soon, and leave: what the
    /// first one had goes to the second.</summary>
    static async Task AddMovers(HaCluster cluster, ApiClient api, List<PolicyId> policies, HashSet<RunId> runs)
    {
        var shared = await HaCluster.Insist(() => api.CreateLocation(new CreateLocationRequest
        {
            Name = "shared",
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(cluster.Folder("store/shared")),
        }, CancellationToken.None));
        foreach (var host in (await HaCluster.Insist(() => api.Hosts(CancellationToken.None))).Take(MoverRepositories))
            await Create(api, shared.Id, host.Id, cluster.Folder($"data/{host.Name}"));
        await cluster.Until(async () => await Open(cluster) == 0, "the backups into the shared place end");

        await RunAll(api, policies, runs);
        foreach (var mover in (string[])["mover-1", "mover-2"]) await cluster.AddAgent(mover, mover: true);
        using var http = cluster.Http();
        var share = await cluster.Until(async () =>
        {
            await CheckAll(cluster, http);
            return await cluster.Ask<long>("select count(distinct host_id) from run r join host h on h.id = r.host_id where h.is_mover "
                + "and r.kind = 'Check' and r.lease_epoch > 0") == 2;
        }, "both movers have checks");
        HaCluster.Say($"two movers had their share {share.TotalSeconds:0.0} s after they joined under load");
        await RunAll(api, policies, runs);
        await CheckAll(cluster, http);
        await cluster.EndAgent("mover-1", atOnce: false);
        var empty = await cluster.Until(async () => await Open(cluster) == 0, "what the first mover had goes to the second and ends");
        await cluster.EndAgent("mover-2", atOnce: false);
        HaCluster.Say($"a mover left, and nothing was open {empty.TotalSeconds:0.0} s later");
        Assert.True(share < ShareLimit, $"{share}");
    }

    /// <summary>Asks for a check of each repository in a shared place that has none under way.</summary>
    static async Task CheckAll(HaCluster cluster, HttpClient http)
    {
        var repositories = await cluster.Ask<string[]>("""
            select coalesce(array_agg(replace(s.id::text, '-', '')), '{}') from repository s join location l on l.id = s.location_id
            where l.kind = 'Gateway' and not exists (select from run r where r.repository_id = s.id and r.kind = 'Check'
                and r.state in ('Queued', 'Leased', 'Running'))
            """);
        foreach (var repository in repositories)
            using (var asked = await http.PostAsync($"repositories/repo_{repository}/check", null))
                Assert.True(asked.IsSuccessStatusCode || (int)asked.StatusCode >= 500, await asked.Content.ReadAsStringAsync());
    }
}
