using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Contracts;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit;
using static BackupDr.SystemTests.ShopRunbook;

namespace BackupDr.SystemTests;

/// <summary>A site with a database server under load and an application behind HAProxy, whose name is in BIND, is cut off. A runbook fences
/// it, promotes the standby of the other site, looks at the data, starts the application there and switches balancer and name.</summary>
public sealed partial class SiteLossTests
{
    /// <summary>Seconds by which what is seen from outside and what is told may differ; tenths on a machine that has nothing else to do.
    /// </summary>
    static readonly double Tolerance = Nightly.Or(5, 1);

    static readonly CancellationToken NoStop = CancellationToken.None;

    [Fact]
    public async Task A_lost_site_is_taken_over_and_the_evidence_says_what_was_measured_outside()
    {
        Mount.NeedRoot();   // what runbooks may do on a host is in root's files
        await using var service = new Service();
        await service.StartSmall();
        using var http = service.Http();
        using var api = service.Api();
        await using var names = new BindServer();
        await names.Start();
        await using var old = await ShopSite.Primary();
        await using var recovery = ShopSite.StandbyOf(old);
        await using var balancer = new HaproxyServer();
        await balancer.Start(old.Port, recovery.Port);
        var programs = ShopPrograms.Allow(service, "site-b", recovery, ("power-off", old.PowerOff));   // root there may switch A off
        await using var agent = await Agent(service, api, programs, "site-b");
        await http.Put("step-secrets/ddns", new SaveStepSecretRequest { Name = "ddns", Value = names.Key },
            WireJson.Default.SaveStepSecretRequest);
        var runbook = await http.Post("runbooks", new CreateRunbookRequest
        {
            Name = "shop",
            Spec = Spec(programs, recovery, balancer, names),
        }, WireJson.Default.CreateRunbookRequest, WireJson.Default.Runbook);
        await using var client = new ShopClient(balancer.Front);
        await service.Until(() => Task.FromResult(client.Orders.Count > 20), "orders are taken");

        // The rehearsal looks, and production notices nothing.
        var before = await Production(old, names);
        var rehearsal = await http.Post($"runbooks/{runbook.Id}/rehearse", new RehearseRunbookRequest(Why: "to see"),
            WireJson.Default.RehearseRunbookRequest, WireJson.Default.ExecutionStarted);
        var rehearsed = await Ended(service, api, rehearsal.Id);
        Assert.Equal(ExecutionOutcome.Succeeded, rehearsed.State.Outcome);
        Assert.Equal(before, await Production(old, names));
        Assert.True(await recovery.Database.Ask<bool>("select pg_is_in_recovery()"));

        old.CutOff();
        var started = await http.Post($"runbooks/{runbook.Id}/executions", new StartExecutionRequest(Mode: ExecutionMode.Disaster,
            Why: "site A does not answer"), WireJson.Default.StartExecutionRequest, WireJson.Default.ExecutionStarted);
        var acknowledged = client.Orders;
        var execution = await Ended(service, api, started.Id);
        Assert.True(execution.State.Outcome == ExecutionOutcome.Succeeded, string.Join('\n', execution.State.Steps
            .Select(step => $"{step.Name} {step.Phase}: {step.Reason}")));
        await service.Until(() => Task.FromResult(client.Orders.Count > acknowledged.Count + 5), "orders are taken again");

        Assert.False(old.IsAlive);
        Assert.Equal("127.0.0.2", names.Dig("app"));
        var first = client.Orders[acknowledged.Count].At;
        var evidence = (await http.Get("evidence", WireJson.Default.EvidencePage)).Entries
            .First(entry => entry.Kind == "execution" && entry.Body.Execution == started.Id.ToString());
        Assert.Equal(("shop", "disaster", "Succeeded", "site A does not answer"),
            (evidence.Body.Runbook, evidence.Body.Mode, evidence.Body.Outcome, evidence.Body.Why));
        Assert.Equal(["fence", "promote", "newest", "app", "balancer", "name", "healthy", "tell"],
            evidence.Body.Steps!.Select(step => step.Name));
        // What the client saw from outside, and what the evidence says.
        var seen = (first - execution.State.StartedAt).TotalSeconds;
        Assert.InRange(Seconds(evidence.Body.Rto!.AchievedSeconds) - seen, -Tolerance, Tolerance);
        var lost = Math.Max(0, (execution.State.StartedAt - acknowledged[^1].At).TotalSeconds);
        Assert.InRange(Seconds(evidence.Body.Rpo!.AchievedSeconds) - lost, -Tolerance, Tolerance);
        Say($"RTO {evidence.Body.Rto.AchievedSeconds} s, seen {seen:0.00} s");
        Say($"RPO {evidence.Body.Rpo.AchievedSeconds} s, seen {lost:0.00} s");
        foreach (var step in evidence.Body.Steps!) Say($"{step.Name} {Took(step):0.00} s");
        Assert.True((await http.Get("evidence", WireJson.Default.EvidencePage)).ChainIsWhole);
        if (Nightly.IsOn) await GoBack(new Scene(service, api, http, old, recovery, names, client), runbook, acknowledged.Count);
    }

    static RunbookSpec Spec(ShopPrograms programs, ShopSite recovery, HaproxyServer balancer, BindServer names) => new()
    {
        From = "a",
        To = "b",
        Targets = new RunbookTargets { Rto = TimeSpan.FromMinutes(5), Rpo = TimeSpan.FromMinutes(1) },
        RehearseEvery = TimeSpan.Zero,
        Steps =
        [
            Step("fence", "", StepKind.Fence) with
            { Script = new ScriptStepSpec { Host = "site-b", Run = programs.Named("power-off") } },
            Step("promote", "fence", StepKind.DbPromote) with
            { Promote = new DatabaseStepSpec { Host = "site-b", Cluster = ClusterOf(recovery) } },
            .. Serve("promote", recovery, programs, balancer, names.Move("app", "ddns", "127.0.0.1", "127.0.0.2"),
                string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{balancer.Front}/")),
        ],
    };

    /// <summary>What somebody who watches production sees: who writes, what the name says, how many statements other than the shop's.
    /// </summary>
    static async Task<(bool, string, long)> Production(ShopSite site, BindServer names) => (
        await site.Database.Ask<bool>("select pg_is_in_recovery()"), names.Dig("app"),
        await site.Database.Ask<long>("select count(*) from pg_stat_activity where backend_type = 'client backend' and usename <> 'app' "
            + "and pid <> pg_backend_pid()"));

    /// <summary>The host of a site, with an agent of its own.</summary>
    static async Task<GuardedProcess> Agent(Service service, ApiClient api, ShopPrograms programs, string name)
    {
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest(), NoStop);
        var program = Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent");
        var state = service.At(name);
        Tool.Succeed(program, "join", token.AgentsUrl, "--token", token.Token, "--state", state, "--name", name);
        var agent = new GuardedProcess(service.At($"{name}.log"), [program, "run", "--state", state, "--hooks", "/nonexistent", "--steps",
            programs.Folder], new Dictionary<string, string>
            { ["PATH"] = $"{service.At($"{name}.bin")}:{Environment.GetEnvironmentVariable("PATH")}" });
        await service.Until(async () => (await api.Hosts(NoStop)).Any(host => host.Name == name && host.State == HostState.Online),
            $"the host {name} is online");
        return agent;
    }

    static async Task<ExecutionView> Ended(Service service, ApiClient api, ExecutionId id)
    {
        ExecutionView? view = null;
        await service.Until(async () => (view = await api.Execution(id, NoStop)).State.Phase is ExecutionPhase.Ended
            or ExecutionPhase.Paused, "the execution ends");
        Assert.True(view!.State.Phase == ExecutionPhase.Ended,
            string.Join('\n', view.State.Steps.Select(step => $"{step.Name} {step.Phase}: {step.Reason}")));
        return view;
    }

    static void Say(FormattableString what)
        => TestContext.Current.TestOutputHelper?.WriteLine(what.ToString(CultureInfo.InvariantCulture));

    static double Seconds(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    static double Took(EvidenceStep step) => (DateTimeOffset.Parse(step.EndedAt, CultureInfo.InvariantCulture)
        - DateTimeOffset.Parse(step.StartedAt, CultureInfo.InvariantCulture)).TotalSeconds;
}
