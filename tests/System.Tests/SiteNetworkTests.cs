using System.Globalization;
using System.Net.Sockets;
using System.Net;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Contracts;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit;
using static BackupDr.SystemTests.ShopRunbook;
using static System.FormattableString;

namespace BackupDr.SystemTests;

/// <summary>The loss of a site for real: a database under load, its application, balancer, agent and region in a network of their own,
/// whose cable is pulled. Nothing of it dies, and nobody can ask it anything.</summary>
public sealed partial class SiteNetworkTests
{
    /// <summary>Seconds by which what clients saw and what the evidence says may differ.</summary>
    const double Tolerance = 1;
    const string Seen = "Its switch port is dark, its router does not answer the other carrier, and its name leads elsewhere from now on.";
    static readonly TimeSpan SilentFor = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task A_site_that_is_cut_off_is_taken_over_and_what_comes_back_as_it_was_is_told_as_a_split_brain()
    {
        Assert.SkipUnless(Nightly.IsOn, "in the long form only");
        await using var scene = await Scene.Start(withStandby: true);
        await Protect(scene);
        var runbook = await Make(scene, "shop", Spec(scene, Promotion(scene)));
        await Rehearse(scene, runbook);

        await TakeOver(scene, runbook);
        await ComeBack(scene, runbook);
    }

    [Fact]
    public async Task A_site_that_is_cut_off_comes_back_from_the_backups_of_the_other_regions_repository()
    {
        Assert.SkipUnless(Nightly.IsOn, "in the long form only");
        await using var scene = await Scene.Start(withStandby: false);
        var item = await Protect(scene);
        var runbook = await Make(scene, "shop", Spec(scene, await Restoring(scene, item)));
        var stored = TimeProvider.System.GetUtcNow();
        await scene.Service.Until(async () => (await scene.Http.Get($"items/{item.Id}", WireJson.Default.Item)).LogUntil > stored,
            "the log of now is stored");

        await TakeOver(scene, runbook);
        Say(Invariant($"restored: {scene.Restore!.Files} files, {scene.Restore.Cluster!.Segments} segments of log"));
    }

    /// <summary>Its log as it is written, and base backups, in the other site's region first: that is where they are wanted. A second copy
    /// lies in its own.</summary>
    static async Task<Item> Protect(Scene scene)
    {
        var (far, near) = (await Location(scene, "Region B", await scene.Region(scene.B)),
            await Location(scene, "Region A", await scene.Region(scene.A)));
        var host = (await scene.Api.Hosts(NoStop)).Single(one => one.Name == "site-a");
        var policy = await scene.Api.CreatePolicy(new CreatePolicyRequest
        {
            Location = far.Id,
            Items = [new NewItem(host.Id, new SourceSpec { Kind = SourceKind.PostgreSql, PostgreSql = new PostgreSqlSpec
            {
                DataFolder = FilePath.FromText(scene.Old.Database.Data),
                User = "postgres",
                Log = new LogSpec { FlushEvery = TimeSpan.FromSeconds(1) },
            } })],
            Spec = new PolicySpec { Proof = new ProofSpec { DrillAfterFirst = false } },
        }, NoStop);
        var item = Assert.Single(policy.Items);
        IReadOnlyList<RecoveryPoint> points = [];
        await scene.Service.Until(async () => (points = await scene.Http.Get($"points?item={item.Id}",
            WireJson.Default.IReadOnlyListRecoveryPoint)).Count > 0, "the first base backup is there");
        var repository = points[0].Repository;
        var filled = (await scene.Http.Post($"repositories/{repository}/replicas", new AddReplicaRequest(repository, near.Id),
            WireJson.Default.AddReplicaRequest, WireJson.Default.RunStarted)).Run;
        await scene.Service.Until(async () => (await scene.Api.Run(filled, NoStop)).FinishedAt is not null, "both regions have it");
        Assert.Equal(RunState.Complete, (await scene.Api.Run(filled, NoStop)).State);
        return item;
    }

    static async Task<Location> Location(Scene scene, string name, S3Server server)
        => await scene.Api.CreateLocation(new CreateLocationRequest
        {
            Name = name,
            Kind = LocationKind.S3,
            Address = (await server.NewBucket("fleet")).ToString(),
            Options = ["s3.region=us-east-1"],
            Credentials = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret },
        }, NoStop);

    static Task<Runbook> Make(Scene scene, string name, RunbookSpec spec) => scene.Http.Post("runbooks",
        new CreateRunbookRequest { Name = name, Spec = spec }, WireJson.Default.CreateRunbookRequest, WireJson.Default.Runbook);

    static PostgreSqlSpec Over(ShopSite site) => ClusterOf(site) with { Host = site.Address };

    static IReadOnlyList<StepSpec> Promotion(Scene scene) =>
    [
        Step("data", "fence", StepKind.DbPromote) with
        {
            Promote = new DatabaseStepSpec
            {
                Host = "site-b",
                Cluster = ClusterOf(scene.New),
                Instead = new OldPrimarySpec { Host = "site-a", Cluster = ClusterOf(scene.Old) },
            },
        },
    ];

    static async Task<IReadOnlyList<StepSpec>> Restoring(Scene scene, Item item) =>
    [
        Step("restore", "fence", StepKind.RestoreDatabase) with
        {
            Restore = new RestoreStep
            {
                Item = item.Id,
                Host = (await scene.Api.Hosts(NoStop)).Single(one => one.Name == "site-b").Id,
                Point = RestoreWhich.EndOfLog,
                Target = FilePath.FromText(scene.New.Database.Data),
            },
        },
        Step("data", "restore", StepKind.ServiceStart) with
        { Service = new ServiceStepSpec { Host = "site-b", Unit = "database.service" } },
    ];

    static RunbookSpec Spec(Scene scene, IReadOnlyList<StepSpec> data) => new()
    {
        From = "a",
        To = "b",
        Targets = new RunbookTargets { Rto = TimeSpan.FromMinutes(10), Rpo = TimeSpan.FromMinutes(5) },
        RehearseEvery = TimeSpan.Zero,
        Steps =
        [
            // Of the side that nobody can ask: what it leaves unproven two persons answer for.
            Step("fence", "", StepKind.Fence, SilentFor.TotalSeconds) with
            { Service = new ServiceStepSpec { Host = "site-a", Unit = "database.service" } },
            .. data,
            .. Serve("data", scene.New, scene.Programs("b"), scene.Balancer,
                scene.Names.Move("app", "ddns", scene.A.Address, scene.B.Address),
                Invariant($"http://{scene.B.Address}:{scene.Balancer.Front}/")),
        ],
    };

    /// <summary>Production sees nothing of a rehearsal; a program in it that calls production is blocked and told, and the same program
    /// gets there in earnest.</summary>
    static async Task Rehearse(Scene scene, Runbook runbook)
    {
        using var production = new TcpListener(IPAddress.Parse(Outside(scene)), 0);
        production.Start();
        var port = ((IPEndPoint)production.LocalEndpoint).Port;
        var call = scene.Programs("a").Named("call", Outside(scene), port.ToString(CultureInfo.InvariantCulture));
        var probe = await Make(scene, "probe", new RunbookSpec
        {
            RehearseEvery = TimeSpan.Zero,
            Steps = [Step("call", "", StepKind.Script) with { InRehearsal = InRehearsal.Do, Script = new ScriptStepSpec
                { Host = "site-a", RehearsalHost = "site-b", Run = call } }],
        });
        var before = await Production(scene);

        foreach (var id in (RunbookId[])[runbook.Id, probe.Id])
        {
            var rehearsed = await scene.Ended((await scene.Http.Post($"runbooks/{id}/rehearse", new RehearseRunbookRequest(Why: "to see"),
                WireJson.Default.RehearseRunbookRequest, WireJson.Default.ExecutionStarted)).Id);
            Assert.False(rehearsed.State.HasLeftovers);
            Assert.Equal(id == probe.Id ? ExecutionOutcome.Failed : ExecutionOutcome.Succeeded, rehearsed.State.Outcome);
            if (id == probe.Id)
                Assert.Contains($"The rehearsal's sandbox did not let it reach {Outside(scene)}:{port}.", rehearsed.State.Steps[0].Reason,
                    StringComparison.Ordinal);
        }
        Assert.False(production.Pending());
        Assert.Equal(before, await Production(scene));
        Assert.Equal("", Tool.Run("pgrep", ["-f", "ip route add local default dev lo"]).Output);   // no sandbox is left
        var earnest = await Execute(scene, probe, ExecutionMode.Planned, "to see");
        Assert.Equal(ExecutionOutcome.Succeeded, (await scene.Ended(earnest)).State.Outcome);
        Assert.True(production.Pending());
    }

    /// <summary>Where clients are: neither site, and reached from both.</summary>
    static string Outside(Scene scene) => scene.A.Address[..(scene.A.Address.LastIndexOf('.') + 1)] + "1";

    /// <summary>What somebody who watches production sees: who writes, what the name and the balancer say, who came in from elsewhere and
    /// who asked.</summary>
    static async Task<(bool, string, string, int)> Production(Scene scene) => (
        await scene.Old.Database.Ask<bool>("select pg_is_in_recovery()"), scene.Names.Dig("app") + scene.Names.Serial,
        Tool.Succeed("sh", "-c", $"echo show servers state be | socat - TCP:{scene.Balancer.Api} | cut -d' ' -f4-8"),
        scene.Old.Database.Log.Split('\n').Count(line => line.Contains("connection authorized", StringComparison.Ordinal)
            && (line.Contains("user=asserter", StringComparison.Ordinal) || line.Contains("replication", StringComparison.Ordinal))));

    static async Task<ExecutionId> Execute(Scene scene, Runbook runbook, ExecutionMode mode, string why)
        => (await scene.Http.Post($"runbooks/{runbook.Id}/executions", new StartExecutionRequest(Mode: mode, Why: why),
            WireJson.Default.StartExecutionRequest, WireJson.Default.ExecutionStarted)).Id;

    static async Task TakeOver(Scene scene, Runbook runbook)
    {
        var cutAt = TimeProvider.System.GetUtcNow();
        SiteNetwork.Cut(scene.A);
        var id = await Execute(scene, runbook, ExecutionMode.Disaster, "site A does not answer");
        var acknowledged = scene.Client.Orders;
        await scene.Witness(id, "fence", Seen);
        var execution = await scene.Ended(id);
        Assert.True(execution.State.Outcome == ExecutionOutcome.Succeeded, string.Join('\n', execution.State.Steps
            .Select(step => $"{step.Name} {step.Phase}: {step.Reason}")));
        await scene.Service.Until(() => Task.FromResult(scene.Client.Orders.Count > acknowledged.Count + 5), "orders are taken again");

        Assert.True(scene.Old.IsAlive);   // it was cut off, and works on where nobody hears of it
        Assert.Equal(scene.B.Address, scene.Names.Dig("app"));
        var evidence = (await scene.Http.Get("evidence", WireJson.Default.EvidencePage)).Entries
            .First(entry => entry.Kind == "execution" && entry.Body.Execution == id.ToString()).Body;
        Assert.Equal(("shop", "disaster", "Succeeded"), (evidence.Runbook, evidence.Mode, evidence.Outcome));
        // Nobody could ask the old side, and the evidence says who answered for that and what was seen.
        Assert.Equal("by hand", evidence.Steps!.Single(step => step.Name == "fence").Result);
        Assert.Contains(Seen, Assert.Single(evidence.Deviations!, one => one.Name == "fence").Why, StringComparison.Ordinal);
        if (execution.State.Steps.SingleOrDefault(step => step.Name == "restore")?.Outputs["run"] is { } run)
            scene.Restore = (await scene.Api.Run(RunId.Parse(run), NoStop)).Result!.Restore;
        await Compare(scene, execution, evidence, acknowledged, cutAt);
    }

    /// <summary>What clients saw, and what the evidence says; and what the whole took beside the parts that nothing avoids.</summary>
    static async Task Compare(Scene scene, ExecutionView execution, EvidenceBody evidence,
        IReadOnlyList<ShopClient.Acknowledged> acknowledged, DateTimeOffset cutAt)
    {
        var started = execution.State.StartedAt;
        var first = scene.Client.Orders[acknowledged.Count].At;
        var (rto, seen) = (Seconds(evidence.Rto!.AchievedSeconds), (first - started).TotalSeconds);
        // The newest order that clients were told of and that is there still, and those that they were told of and that are lost.
        var there = (await scene.New.Database.Ask<long[]>("select array_agg(id) from orders")).ToHashSet();
        var kept = acknowledged.Where(order => there.Contains(order.Id)).Max(order => order.At);
        var (rpo, lost) = (Seconds(evidence.Rpo!.AchievedSeconds), Math.Max(0, (started - kept).TotalSeconds));
        Say(Invariant($"RTO {rto:0.00} s, seen by clients {seen:0.00} s; RPO {rpo:0.00} s, by their orders {lost:0.00} s"));
        Say(Invariant($"orders lost that clients were told of: {acknowledged.Count(order => !there.Contains(order.Id))} of ")
            + Invariant($"{acknowledged.Count}; nobody was served for {(first - acknowledged[^1].At).TotalSeconds:0.00} s from ")
            + Invariant($"{(started - cutAt).TotalSeconds:0.00} s before the start"));
        foreach (var step in execution.State.Steps)
            Say(Invariant($"  {step.Name} {(step.EndedAt - step.BeganAt)?.TotalSeconds:0.00} s: {step.Reason}"));
        (string What, double Took)[] parts = [("a host that does not answer is given", SilentFor.TotalSeconds),
            ("two persons took", scene.Answered.TotalSeconds), .. scene.DataParts(),
            ("the application until it answers", (Ended(execution, "healthy") - Began(execution, "app")).TotalSeconds)];
        Say(Invariant($"the whole took {rto:0.00} s; what nothing avoids {parts.Sum(part => part.Took):0.00} s: ")
            + string.Join(", ", parts.Select(part => Invariant($"{part.What} {part.Took:0.00} s"))));
        Assert.InRange(rto - seen, -Tolerance, Tolerance);
        Assert.InRange(rpo - lost, -Tolerance, Tolerance);
        Assert.True((await scene.Http.Get("evidence", WireJson.Default.EvidencePage)).ChainIsWhole);
    }

    static DateTimeOffset Began(ExecutionView execution, string step)
        => execution.State.Steps.Single(one => one.Name == step).BeganAt!.Value;

    static DateTimeOffset Ended(ExecutionView execution, string step)
        => execution.State.Steps.Single(one => one.Name == step).EndedAt!.Value;

    static double Seconds(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    static void Say(string what) => TestContext.Current.TestOutputHelper?.WriteLine(what);
}
