using System.Globalization;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

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
        var steps = AllowedSteps(service, old, recovery);
        await using var agent = await Agent(service, api, steps, "site-b");
        await Put(http, "step-secrets/ddns", new SaveStepSecretRequest { Name = "ddns", Value = names.Key },
            WireJson.Default.SaveStepSecretRequest);
        var runbook = await Post(http, "runbooks", new CreateRunbookRequest
        {
            Name = "shop",
            Spec = Spec(steps, recovery, balancer, names),
        }, WireJson.Default.CreateRunbookRequest, WireJson.Default.Runbook);
        await using var client = new ShopClient(balancer.Front);
        await service.Until(() => Task.FromResult(client.Orders.Count > 20), "orders are taken");

        // The rehearsal looks, and production notices nothing.
        var before = await Production(old, names);
        var rehearsal = await Post(http, $"runbooks/{runbook.Id}/rehearse", new RehearseRunbookRequest(Why: "to see"),
            WireJson.Default.RehearseRunbookRequest, WireJson.Default.ExecutionStarted);
        var rehearsed = await Ended(service, api, rehearsal.Id);
        Assert.Equal(ExecutionOutcome.Succeeded, rehearsed.State.Outcome);
        Assert.Equal(before, await Production(old, names));
        Assert.True(await recovery.Database.Ask<bool>("select pg_is_in_recovery()"));

        old.CutOff();
        var started = await Post(http, $"runbooks/{runbook.Id}/executions", new StartExecutionRequest(Mode: ExecutionMode.Disaster,
            Why: "site A does not answer"), WireJson.Default.StartExecutionRequest, WireJson.Default.ExecutionStarted);
        var acknowledged = client.Orders;
        var execution = await Ended(service, api, started.Id);
        Assert.True(execution.State.Outcome == ExecutionOutcome.Succeeded, string.Join('\n', execution.State.Steps
            .Select(step => $"{step.Name} {step.Phase}: {step.Reason}")));
        await service.Until(() => Task.FromResult(client.Orders.Count > acknowledged.Count + 5), "orders are taken again");

        Assert.False(old.IsAlive);
        Assert.Equal("127.0.0.2", names.Dig("app"));
        var first = client.Orders[acknowledged.Count].At;
        var evidence = (await Get(http, "evidence", WireJson.Default.EvidencePage)).Entries
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
        Assert.True((await Get(http, "evidence", WireJson.Default.EvidencePage)).ChainIsWhole);
        if (Nightly.IsOn) await GoBack(new Scene(service, api, http, old, recovery, names, client), runbook, acknowledged.Count);
    }

    static RunbookSpec Spec(StepsFolder steps, ShopSite recovery, HaproxyServer balancer, BindServer names)
    {
        var cluster = new PostgreSqlSpec { Host = recovery.Database.Sockets, Port = recovery.Database.Port, User = "postgres" };
        StepSpec Step(string name, string needs, StepKind kind) => new()
        {
            Name = name,
            Needs = needs.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            Kind = kind,
            Timeout = TimeSpan.FromMinutes(3),
        };
        return new RunbookSpec
        {
            From = "a",
            To = "b",
            Targets = new RunbookTargets { Rto = TimeSpan.FromMinutes(5), Rpo = TimeSpan.FromMinutes(1) },
            RehearseEvery = TimeSpan.Zero,
            Steps =
            [
                Step("fence", "", StepKind.Fence) with
                { Script = new ScriptStepSpec { Host = "site-b", Run = steps.Program("power-off") } },
                Step("promote", "fence", StepKind.DbPromote) with
                { Promote = new DatabaseStepSpec { Host = "site-b", Cluster = cluster } },
                Step("newest", "promote", StepKind.DbAssert) with
                {
                    InRehearsal = InRehearsal.Simulate,
                    Assert = new DatabaseStepSpec
                    {
                        Host = "site-b",
                        Cluster = cluster with { User = "asserter" },
                        Query = "select max(at) from orders",
                        MaxAge = TimeSpan.FromMinutes(10),
                    },
                },
                Step("app", "newest", StepKind.Script) with
                { Script = new ScriptStepSpec { Host = "site-b", Run = steps.Program("start-shop"), Undo = steps.Program("stop-shop") } },
                Step("balancer", "app", StepKind.LbSwitch) with
                {
                    Lb = new LbSpec
                    {
                        Address = balancer.Api,
                        Servers = [new LbServer { Name = "be/s1", State = LbState.Maint },
                            new LbServer { Name = "be/s2", State = LbState.Ready }],
                    },
                },
                Step("name", "app", StepKind.DnsChange) with
                {
                    Dns = names.Move("app", "ddns", "127.0.0.1", "127.0.0.2"),
                },
                Step("healthy", "balancer name", StepKind.HealthWait) with
                {
                    InRehearsal = InRehearsal.Skip,   // it asks what clients ask
                    Health = new HealthSpec
                    {
                        Http = new HttpCallSpec
                        { Url = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{balancer.Front}/") },
                        Every = TimeSpan.FromMilliseconds(100),
                    },
                },
                Step("tell", "healthy", StepKind.Notify) with
                { Notify = new NotifySpec { Subject = "The shop is served from B" }, Impact = StepImpact.Optional },
            ],
        };
    }

    /// <summary>What somebody who watches production sees: who writes, what the name says, how many statements other than the shop's.
    /// </summary>
    static async Task<(bool, string, long)> Production(ShopSite site, BindServer names) => (
        await site.Database.Ask<bool>("select pg_is_in_recovery()"), names.Dig("app"),
        await site.Database.Ask<long>("select count(*) from pg_stat_activity where backend_type = 'client backend' and usename <> 'app' "
            + "and pid <> pg_backend_pid()"));

    sealed record StepsFolder(string Path)
    {
        public ProgramSpec Program(string name) => new()
        {
            Name = name,
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(System.IO.Path.Combine(Path, name)))),
        };
    }

    /// <summary>What root of the recovery site allows: to switch off the power of the other site, and what every site allows.</summary>
    static StepsFolder AllowedSteps(Service service, ShopSite old, ShopSite recovery)
    {
        File.WriteAllText(Path.Combine(service.Folder("site-b.steps"), "power-off"), old.PowerOff);
        return AllowedSteps(service, "site-b", recovery);
    }

    /// <summary>What root of a site allows: to start and stop its shop and its database server. The programs are the same at both.
    /// </summary>
    static StepsFolder AllowedSteps(Service service, string name, ShopSite site)
    {
        var (folder, server) = (service.Folder($"{name}.steps"), site.Database);
        File.WriteAllText(Path.Combine(folder, "words"), string.Join(' ', site.StartWords) + "\n");
        File.WriteAllText(Path.Combine(folder, "start-shop"),
            "#!/bin/bash\nread -ra words < \"${0%/*}/words\"\nsetsid \"${words[@]}\" </dev/null >/dev/null 2>&1 &\n");
        File.WriteAllText(Path.Combine(folder, "stop-shop"), """
            #!/bin/bash
            read -r words < "${0%/*}/words"
            for process in /proc/[0-9]*; do
                [ "$(tr '\0' ' ' < "$process/cmdline")" = "$words " ] && kill -TERM "${process#/proc/}"
            done 2>/dev/null
            exit 0

            """);
        var address = string.Create(CultureInfo.InvariantCulture, $"{server.Sockets}:{server.Port}");
        File.WriteAllText(Path.Combine(folder, "databases"), address + "\n");
        File.WriteAllText(Path.Combine(folder, "standbys"), $"{address} {server.Data} database.service\n");
        File.WriteAllText(Path.Combine(folder, "services"), "database.service\n");
        // Stands for the service manager: the one service is the site's database server.
        var manager = Path.Combine(service.Folder($"{name}.bin"), "systemctl");
        File.WriteAllText(manager, $"""
            #!/bin/sh
            verb=$1
            [ "$verb" = is-active ] && verb=status
            exec setpriv --reuid=postgres --regid=postgres --init-groups -- {server.Programs}/pg_ctl -D {server.Data} -w -m fast \
                -l {server.Folder}/log "$verb"

            """);
        Tool.Succeed("chmod", "-R", "755", folder, manager);
        return new StepsFolder(folder);
    }

    /// <summary>The host of a site, with an agent of its own.</summary>
    static async Task<GuardedProcess> Agent(Service service, ApiClient api, StepsFolder steps, string name)
    {
        var token = await api.CreateJoinToken(new CreateJoinTokenRequest(), NoStop);
        var program = Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent");
        var state = service.At(name);
        Tool.Succeed(program, "join", token.AgentsUrl, "--token", token.Token, "--state", state, "--name", name);
        var agent = new GuardedProcess(service.At($"{name}.log"), [program, "run", "--state", state, "--hooks", "/nonexistent", "--steps",
            steps.Path], new Dictionary<string, string>
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

    static async Task<T> Get<T>(HttpClient http, string path, JsonTypeInfo<T> type)
        => (await http.GetFromJsonAsync(path, type, NoStop))!;

    static async Task<TAnswer> Post<TAsked, TAnswer>(HttpClient http, string path, TAsked asked, JsonTypeInfo<TAsked> asks,
        JsonTypeInfo<TAnswer> answers)
    {
        using var answer = await http.PostAsJsonAsync(path, asked, asks, NoStop);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(NoStop));
        return (await answer.Content.ReadFromJsonAsync(answers, NoStop))!;
    }

    static async Task Put<T>(HttpClient http, string path, T asked, JsonTypeInfo<T> asks)
    {
        using var answer = await http.PutAsJsonAsync(path, asked, asks, NoStop);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(NoStop));
    }
}
