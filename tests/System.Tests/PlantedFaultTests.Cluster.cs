using System.Net.Http.Json;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>Faults of a database: one node, one host, one cluster, one item, broken and mended again and again.</summary>
public sealed partial class PlantedFaultTests
{
    const int SegmentsOfASnapshot = 16;

    /// <summary>What the faults are planted in.</summary>
    sealed record Scene(Service Service, ApiClient Api, HttpClient Http, PostgresCluster Cluster, Policy Policy, string Scratch,
        PostSink Sink)
    {
        public Item Item => Policy.Items[0];
    }

    [Fact]
    public async Task Each_fault_of_a_cluster_is_named_by_its_item_and_told_and_its_mending_too()
    {
        await using var cluster = PostgresCluster.Start("min_wal_size = 32MB");
        await cluster.Execute("create table orders (id int primary key); insert into orders values (1), (2), (3)");
        await using var service = new Service();
        await using var sink = new PostSink();
        var outcome = await service.StartSmall();
        using var api = service.Api();
        using var http = service.Http();
        await Save(http, sink);
        var scratch = PostgresCluster.Make(Path.Combine(cluster.Folder, "scratch"));
        var policy = await Protect(api, http, cluster, scratch);
        var scene = new Scene(service, api, http, cluster, policy, scratch, sink);

        await ADrillThatIsKilledLeavesNothing(scene);
        await AnAssertionThatFails(scene);
        await ABrokenPage(scene);
        await AServerThatDoesNotStart(scene);
        await ASegmentOfTheLogThatIsGone(scene, outcome);
        await ANodeThatIsKilledWhileItTells(scene);
        Assert.Equal(0, await service.Stop());
    }

    async Task Save(HttpClient http, PostSink sink)
    {
        using var saved = await http.PostAsJsonAsync("channels", new SaveChannelRequest
        {
            Name = "ops",
            Kind = ChannelKind.Webhook,
            Settings = new ChannelSettings { Url = sink.Url, Collect = TimeSpan.Zero },
        }, WireJson.Default.SaveChannelRequest, _ct);
        Assert.True(saved.IsSuccessStatusCode, await saved.Content.ReadAsStringAsync(_ct));
    }

    async Task<Policy> Protect(ApiClient api, HttpClient http, PostgresCluster cluster, string scratch)
    {
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);
        return await api.CreatePolicy(new CreatePolicyRequest
        {
            Spec = new PolicySpec { Proof = new ProofSpec { Assertions = ["postgres: select pg_sleep(3) is not null"] } },
            Items =
            [
                new NewItem(host.Id, new SourceSpec
                {
                    Kind = SourceKind.PostgreSql,
                    PostgreSql = new PostgreSqlSpec
                    {
                        DataFolder = FilePath.FromText(cluster.Data),
                        User = "postgres",
                        Scratch = FilePath.FromText(scratch),
                        Log = new LogSpec { FlushEvery = TimeSpan.FromSeconds(1) },
                    },
                }),
            ],
        }, _ct);
    }

    async Task ADrillThatIsKilledLeavesNothing(Scene scene)
    {
        // Killed while it restores (a lease takes its half minute to end), and while the restored server answers a query.
        if (Nightly.IsOn)
        {
            await scene.Service.Until(() => Task.FromResult(Copies(scene.Scratch).Length > 0), "the drill restores");
            scene.Service.KillAgent();
        }
        await scene.Service.Until(() => Task.FromResult(Copies(scene.Scratch).Any(copy
            => File.Exists(Path.Combine(copy, "data/postmaster.pid")))), "the copy is started");
        scene.Service.KillAgent();

        await scene.Service.Until(async () => (await Reason(scene.Http, scene.Item)).State == ItemState.Proven,
            "the drill ends in its next lease");
        Assert.Empty(Copies(scene.Scratch));
        Assert.Empty(ServersBelow(scene.Scratch));
    }

    async Task AnAssertionThatFails(Scene scene)
    {
        await Wants(scene, "postgres: select count(*) > 1000 from orders");
        await Drill(scene);
        await Is(scene, ItemState.Failed, "postgres: select count(*) > 1000 from orders gave False", AlertKind.DrillFailed);
        Assert.Empty(Copies(scene.Scratch));
        await Wants(scene);
        await Drill(scene);
        await IsMended(scene);
    }

    async Task ABrokenPage(Scene scene)
    {
        var cluster = scene.Cluster;
        await cluster.Execute("create table broken (id int); insert into broken select generate_series(1, 5000); checkpoint");
        var file = Path.Combine(cluster.Data, await cluster.Ask<string>("select pg_relation_filepath('broken')"));
        using (var bytes = File.OpenWrite(file))
        {
            bytes.Position = 3 * 8192 + 5000;
            bytes.Write([0xBA, 0xD0]);
        }
        await scene.Api.RunPolicy(scene.Policy.Id, _ct);
        await Is(scene, ItemState.Incomplete, "page 3 of postgres: broken", AlertKind.BackupIncomplete);
        await cluster.Execute("drop table broken; checkpoint");
        await Backup(scene);
        await IsMended(scene);
    }

    async Task AServerThatDoesNotStart(Scene scene)
    {
        // The running server has it in memory; the next one reads it when its recovery ends.
        var needed = Path.Combine(scene.Cluster.Data, "pg_multixact/offsets/0000");
        File.Move(needed, scene.Service.At("needed"));
        await Backup(scene);
        await Drill(scene);
        await Is(scene, ItemState.Failed, "recovery: FATAL:", AlertKind.DrillFailed);
        Assert.Contains("pg_multixact", (await Reason(scene.Http, scene.Item)).Reason, StringComparison.Ordinal);
        File.Move(scene.Service.At("needed"), needed);
        await Backup(scene);
        await Drill(scene);
        await IsMended(scene);
    }

    /// <summary>Two snapshots of the log are published behind the newest base backup, and the first of them is removed.</summary>
    async Task ASegmentOfTheLogThatIsGone(Scene scene, JsonElement outcome)
    {
        var before = Logs();
        for (var published = 1; published <= 2; published++)
        {
            for (var segment = 0; segment <= SegmentsOfASnapshot; segment++)
                await scene.Cluster.Execute($"insert into orders values ({published * 1000 + segment}); select pg_switch_wal()");
            await scene.Service.Until(() => Task.FromResult(Logs().Except(before).Count() >= published), "the log is published");
        }
        File.Delete(Path.Combine(outcome.GetProperty("repository").GetString()!, "snapshots", Logs().Except(before).First()));
        await Drill(scene);
        await Is(scene, ItemState.Failed, "of the stored log is missing, and no base backup was taken since", AlertKind.DrillFailed);
        await Backup(scene);
        await Drill(scene);
        await IsMended(scene);

        List<string> Logs() => [.. scene.Service.Restic(outcome).Snapshots().Where(snapshot => snapshot.TryGetProperty("tags", out var tags)
            && tags.EnumerateArray().Any(tag => tag.GetString() == "postgresql-wal"))
            .Select(snapshot => snapshot.GetProperty("id").GetString()!)];
    }

    /// <summary>The sink has the message, and its answer never comes to the node that sent it: the next one sends it under the same key.
    /// </summary>
    async Task ANodeThatIsKilledWhileItTells(Scene scene)
    {
        var sink = scene.Sink;
        // All of the mending before is told by now, so that what is held back is the alert.
        await scene.Service.Until(() => Task.FromResult(Told(scene).Count(one => one == "DrillFailed cleared") == 3), "mending is told");
        sink.Hold();
        var before = sink.All.Count;
        await Wants(scene, "postgres: select count(*) > 1000000 from orders");
        await Drill(scene);
        await scene.Service.Until(() => Task.FromResult(sink.All.Count > before), "the alert is being told");
        await scene.Service.KillEverything();
        sink.Release();
        scene.Service.Start("--protect", scene.Service.At("first"));
        await scene.Service.Outcome();
        await scene.Service.Pass(TimeSpan.FromMinutes(3));   // its lease is over
        var cut = sink.All.ElementAt(before);
        await scene.Service.Until(() => Task.FromResult(sink.All.Count(posted => posted.Key == cut.Key) == 2), "it is told again");

        Assert.Single(sink.All.Where(posted => posted.Key == cut.Key).Select(posted => posted.Text).Distinct());
        // Everything else came once: nothing lost, nothing doubled.
        Assert.All(sink.All.Where(posted => posted.Key != cut.Key).GroupBy(posted => posted.Key), one => Assert.Single(one));
        Assert.Equal(["BackupIncomplete cleared 1", "BackupIncomplete raised 1", "DrillFailed cleared 3", "DrillFailed raised 4"],
            Told(scene).GroupBy(one => one).Select(same => $"{same.Key} {same.Count()}").Order(StringComparer.Ordinal)
                .Where(one => one.StartsWith("Drill", StringComparison.Ordinal) || one.StartsWith("Backup", StringComparison.Ordinal)));
    }

    /// <summary>What was told of the item, each message once however often it came.</summary>
    static List<string> Told(Scene scene) => [.. scene.Sink.All.DistinctBy(posted => posted.Key)
        .SelectMany(posted => JsonSerializer.Deserialize(posted.Text, WireJson.Default.MessageContent)!.Events)
        .Where(one => one.Items.Contains(scene.Item.Name)).Select(one => $"{one.Kind} {one.What}")];

    async Task Is(Scene scene, ItemState state, string reason, AlertKind alert)
    {
        await scene.Service.Until(async () => await Reason(scene.Http, scene.Item) is var (now, why) && now == state
            && why.Contains(reason, StringComparison.Ordinal), $"the item is {state} because '{reason}'");
        await scene.Service.Until(async () => await IsTold(scene.Http, alert, scene.Item.Name), $"{alert} is told");
    }

    async Task IsMended(Scene scene)
    {
        await scene.Service.Until(async () => (await Reason(scene.Http, scene.Item)).State == ItemState.Proven, "the item is proven");
        await scene.Service.Until(async () => !await IsTold(scene.Http, AlertKind.DrillFailed, scene.Item.Name)
            && !await IsTold(scene.Http, AlertKind.BackupIncomplete, scene.Item.Name), "the alert is over");
    }

    async Task Wants(Scene scene, params string[] assertions)
    {
        using var edited = await scene.Http.PutAsJsonAsync($"policies/{scene.Policy.Id}", new EditPolicyRequest(scene.Policy.Id,
            scene.Policy.Name, scene.Policy.Spec with { Proof = new ProofSpec { Assertions = assertions } }),
            WireJson.Default.EditPolicyRequest, _ct);
        edited.EnsureSuccessStatusCode();
    }

    async Task Backup(Scene scene)
    {
        var run = Assert.Single((await scene.Api.RunPolicy(scene.Policy.Id, _ct)).Runs);
        await scene.Service.Until(async () => (await scene.Api.Run(run, _ct)).FinishedAt is not null, "the backup ends");
        Assert.Equal(RunState.Complete, (await scene.Api.Run(run, _ct)).State);
    }

    async Task Drill(Scene scene)
    {
        var drill = (await scene.Api.Drill((await Points(scene.Http, scene.Item))[0].Id, _ct)).Run;
        await scene.Service.Until(async () => (await scene.Api.Run(drill, _ct)).FinishedAt is not null, "the drill ends");
    }
}
