using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

public sealed class FailbackTests
{
    static readonly ProgramSpec Cut = new() { Name = "cut", Sha256 = new string('a', 64) },
        Warm = new() { Name = "warm", Sha256 = new('b', 64) }, Cool = new() { Name = "cool", Sha256 = new('c', 64) };

    static StepSpec Step(string name, string needs, StepKind kind) => new()
    {
        Name = name,
        Needs = needs.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        Kind = kind,
        Timeout = TimeSpan.FromMinutes(3),
        Modes = [ExecutionMode.Planned, ExecutionMode.Disaster],
    };

    static RunbookSpec There(params IReadOnlyList<StepSpec> more) => new()
    {
        From = "a",
        To = "b",
        Steps =
        [
            Step("fence", "", StepKind.Fence) with { Script = new ScriptStepSpec { Host = "db-b", Run = Cut } },
            Step("db", "fence", StepKind.DbPromote) with
            { Promote = new DatabaseStepSpec { Host = "db-b", Cluster = new PostgreSqlSpec { User = "promoter" } } },
            Step("newest", "db", StepKind.DbAssert) with
            { Assert = new DatabaseStepSpec { Host = "db-b", Query = "select true" } },
            Step("cache", "newest", StepKind.Script) with { Script = new ScriptStepSpec { Host = "web-b", Run = Warm, Undo = Cool } },
            Step("app", "cache", StepKind.ServiceStart) with { Service = new ServiceStepSpec { Host = "web-b", Unit = "shop.service" } },
            Step("lb", "app", StepKind.LbSwitch) with
            {
                Lb = new LbSpec
                {
                    Address = "192.0.2.5:9999",
                    Servers = [new LbServer { Name = "be/a", State = LbState.Drain },
                        new LbServer { Name = "be/b", State = LbState.Ready }],
                },
            },
            Step("name", "app", StepKind.DnsChange) with
            {
                Dns = new DnsSpec { Server = "ns1", Zone = "example.org", Record = "shop.example.org", Key = "k", KeySecret = "dns-key",
                    From = ["192.0.2.10"], To = ["198.51.100.10"] },
            },
            Step("ok", "lb name", StepKind.HealthWait) with
            { InRehearsal = InRehearsal.Skip, Health = new HealthSpec { Tcp = "shop.example.org:443" } },
            Step("tell", "ok", StepKind.Notify) with { Notify = new NotifySpec { Subject = "At b" }, IsAlways = true },
            .. more,
        ],
    };

    static readonly FailbackHost[] Hosts =
    [
        new()
        {
            At = "db-b",
            To = "db-a",
            From = new PostgreSqlSpec { Host = "10.2.0.5", User = "follower" },
            Unit = "postgresql@15-main.service",
            Back = new PostgreSqlSpec { Host = "10.1.0.5", User = "follower" },
        },
        new() { At = "web-b", To = "web-a" },
    ];

    [Fact]
    public void The_way_back_protects_first_stops_in_order_promotes_what_has_everything_and_switches_the_other_way()
    {
        var back = Failback.Of(There(), Hosts, out var problems);

        Assert.Empty(problems);
        Assert.Empty(RunbookProblems.Of(back));
        Assert.Equal(("b", "a"), (back.From, back.To));
        Assert.Equal(["protect-db DbReprotect", "go-back Approval", "quiet-app ServiceStop", "quiet-cache Script", "stop-db Fence",
            "back-db DbPromote", "back-newest DbAssert", "start-cache Script", "start-app ServiceStart", "back-lb LbSwitch",
            "back-name DnsChange", "back-ok HealthWait", "back-tell Notify", "again-db DbReprotect"],
            back.Steps.Select(step => $"{step.Name} {step.Kind}"));
        Assert.All(back.Steps.Skip(1), (step, place) => Assert.Equal([back.Steps[place].Name], step.Needs));
        Assert.All(back.Steps, step => Assert.Empty(step.Modes));
        StepSpec Of(string name) => back.Steps.Single(step => step.Name == name);
        var protect = Of("protect-db").Reprotect!;
        Assert.Equal(("db-a", "promoter", "10.2.0.5", "follower", false),
            (protect.Host, protect.Cluster.User, protect.From.Host, protect.From.User, protect.IsLossSeen));
        Assert.Equal(("cool", "web-b"), (Of("quiet-cache").Script!.Run.Name, Of("quiet-cache").Script!.Host));
        Assert.Equal(("db-b", "postgresql@15-main.service"), (Of("stop-db").Service!.Host, Of("stop-db").Service!.Unit));
        Assert.Equal(("db-a", true), (Of("back-db").Promote!.Host, Of("back-db").Promote!.IsLossless));
        Assert.Equal(("warm", "web-a"), (Of("start-cache").Script!.Run.Name, Of("start-cache").Script!.Host));
        Assert.Equal(["be/a Ready", "be/b Maint"], Of("back-lb").Lb!.Servers.Select(server => $"{server.Name} {server.State}"));
        Assert.Equal(("198.51.100.10", "192.0.2.10"), (Of("back-name").Dns!.From[0], Of("back-name").Dns!.To[0]));
        Assert.Equal(("db-b", "10.1.0.5", StepImpact.Optional),
            (Of("again-db").Reprotect!.Host, Of("again-db").Reprotect!.From.Host, Of("again-db").Impact));
    }

    [Fact]
    public void What_nobody_can_turn_round_is_a_question_to_a_person()
    {
        var there = There(
            Step("route", "ok", StepKind.Http) with { Http = new HttpSpec { Method = "POST", Url = "https://edge.example.org/v1/route" } },
            Step("look", "ok", StepKind.Http) with { Http = new HttpSpec { Url = "https://edge.example.org/v1/route" } },
            Step("files", "", StepKind.RestoreFiles) with { Restore = new RestoreStep { Item = default } },
            Step("seen", "files", StepKind.HealthWait) with { Health = new HealthSpec { Tcp = "${files.host}:80" } },
            Step("warm", "ok", StepKind.Script) with { Script = new ScriptStepSpec { Host = "web-b", Run = Warm } },
            Step("www", "ok", StepKind.DnsChange) with
            { Dns = new DnsSpec { Server = "ns1", Zone = "z", Record = "www.z", Key = "k", KeySecret = "s", To = ["192.0.2.1"] } });

        var back = Failback.Of(there, [Hosts[0] with { Unit = null, Back = null }, Hosts[1]], out var problems);

        Assert.Empty(problems);
        Assert.Empty(RunbookProblems.Of(back));
        Assert.Equal(["back-route", "back-seen", "back-www", "bring-files", "go-back", "quiet-warm", "stop-db"],
            back.Steps.Where(step => step.Kind == StepKind.Approval).Select(step => step.Name).Order(StringComparer.Ordinal));
        Assert.DoesNotContain(back.Steps, step => step.Name.StartsWith("again-", StringComparison.Ordinal) || step.Name == "back-look");
    }

    [Fact]
    public void What_has_to_be_said_besides_is_told_once_for_each_host()
    {
        Failback.Of(There(), [], out var problems);

        Assert.Equal(["from.db-b", "hosts.db-b", "hosts.web-b"], problems.Select(problem => problem.Place).Order(StringComparer.Ordinal));
    }
}
