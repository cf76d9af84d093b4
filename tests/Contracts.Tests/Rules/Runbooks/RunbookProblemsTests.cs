using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using static BackupDr.Contracts.Tests.Rules.Runbooks.Drive;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

/// <summary>What cannot be executed as it is written, and how steps hang together.</summary>
public sealed class RunbookProblemsTests
{
    public static TheoryData<string, RunbookSpec, string> Bad() => new()
    {
        { "steps", Book(), "There are 0." },
        { "atOnce", Book(Step("a")) with { AtOnce = 0 }, "It is 0." },
        { "to", Book(Step("a")) with { From = "eu", To = "eu" }, "It is the site that is left, 'eu'." },
        { "steps.A", Book(Step("A")), "'A' is not a name." },
        { "steps.a", Book(Step("a"), Step("a")), "There are 2 steps of this name." },
        { "steps.a.needs", Book(Step("a", "b")), "There is no step 'b'." },
        { "steps.a.timeout", Book(Step("a") with { Timeout = TimeSpan.Zero }), "It is 00:00:00." },
        { "steps.a.retries", Book(Step("a") with { Retries = 21 }), "It is 21." },
        { "steps.a.retries", Book(Step("a", kind: StepKind.Approval) with { Retries = 1 }), "Waiting and asking are not tried again." },
        { "steps.a.for", Book(Step("a", kind: StepKind.Wait) with { For = TimeSpan.FromHours(1) }), "It is 01:00:00." },
        { "steps.a.for", Book(Step("a") with { For = TimeSpan.FromHours(1) }), "Only a wait has a length." },
        { "steps.a.approval", Book(Step("a") with { Approval = new() }), "Only an approval asks people." },
        { "steps.a.approval.of", Book(Step("a", kind: StepKind.Approval) with { Approval = new() { Of = 11 } }), "It is 11." },
        { "steps.a.goTo", Book(Step("a") with { OnFailure = OnStepFailure.GoTo }), "It says to go back, and not where to." },
        { "steps.a.goTo", Book(Step("a") with { OnFailure = OnStepFailure.GoTo, GoTo = "b" }, Step("b")), "'b' does not come before it." },
        { "steps.c.goTo", Book(Step("a"), Step("b", "a", StepKind.DbPromote), Step("c", "b") with { OnFailure = OnStepFailure.GoTo,
            GoTo = "a" }), "A point of no return lies between the two." },
        { "steps.a.onFailure", Book(Step("a") with { Impact = StepImpact.Optional, OnFailure = OnStepFailure.Stop }),
            "An optional step that fails lets the others go on." },
        { "steps.b.needs", Book(Step("a") with { IsAlways = true }, Step("b", "a")), "'a' is done at the very end." },
        { "steps", Book(Step("a", "c"), Step("b", "a"), Step("c", "b")), "They need each other in a circle: a needs c needs b needs a." },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void What_is_wrong_is_said_with_its_place(string place, RunbookSpec spec, string problem)
        => Assert.Contains(RunbookProblems.Of(spec), one => one.Place == place && one.Problem == problem && one.Advice.Length > 0);

    static readonly ScriptStepSpec Script = new() { Host = "web-1", Run = new ProgramSpec { Name = "cut", Sha256 = new string('a', 64) } };
    static readonly ServiceStepSpec Service = new() { Host = "web-1", Unit = "shop.service" };
    static readonly DatabaseStepSpec Ask = new() { Host = "db-1", Query = "select true" };

    static StepSpec Made(StepKind kind) => Step("a", kind: kind);

    /// <summary>Steps that hosts carry out: what is missing, too much or impossible.</summary>
    public static TheoryData<string, StepSpec> BadOnHosts => new()
    {
        { "script", Made(StepKind.Script) },
        { "script", Made(StepKind.ServiceStart) with { Script = Script, Service = Service } },
        { "service", Made(StepKind.ServiceStop) },
        { "service", Made(StepKind.Script) with { Script = Script, Service = Service } },
        { "fence", Made(StepKind.Fence) },
        { "fence", Made(StepKind.Fence) with { Script = Script, Service = Service } },
        { "promote", Made(StepKind.DbPromote) },
        { "assert", Made(StepKind.DbAssert) },
        { "assert", Made(StepKind.DbPromote) with { Promote = new() { Host = "db-1" }, Assert = Ask } },
        { "assert.query", Made(StepKind.DbAssert) with { Assert = new() { Host = "db-1" } } },
        { "assert.maxAge", Made(StepKind.DbAssert) with { Assert = Ask with { MaxAge = TimeSpan.FromSeconds(-1) } } },
        { "assert.rehearsalCluster", Made(StepKind.DbAssert) with { Assert = Ask with { RehearsalCluster = new() } } },
        { "promote.query", Made(StepKind.DbPromote) with { Promote = Ask } },
        { "script.host", Made(StepKind.Script) with { Script = Script with { Host = "" } } },
        { "script.rehearsalHost", Made(StepKind.Script) with { Script = Script with { RehearsalHost = "web-1" } } },
        { "script.rehearsalHost", Made(StepKind.Script) with { Script = Script, InRehearsal = InRehearsal.Do } },
        { "script.rehearsalReaches", Made(StepKind.Script) with { Script = Script with { RehearsalReaches = ["10.9.0.5:5432"] } } },
        { "script.rehearsalReaches", Made(StepKind.Script) with
            { Script = Script with { RehearsalHost = "dr-1", RehearsalReaches = ["db.example.org:5432"] } } },
        { "promote.instead", Made(StepKind.DbPromote) with { Promote = new() { Host = "db-1", Instead = new() } } },
        { "assert.instead", Made(StepKind.DbAssert) with { Assert = Ask with { Instead = new() { Host = "db-2" } } } },
        { "script.run.name", Made(StepKind.Script) with { Script = Script with { Run = Script.Run with { Name = "../cut" } } } },
        { "script.run.sha256", Made(StepKind.Script) with { Script = Script with { Run = Script.Run with { Sha256 = "" } } } },
        { "script.run.arguments", Made(StepKind.Script) with { Script = Script with { Run = Script.Run with { Arguments = ["\0"] } } } },
        { "script.undo.name", Made(StepKind.Script) with { Script = Script with { Undo = Script.Run with { Name = "-cut/" } } } },
        { "service.unit", Made(StepKind.ServiceStop) with { Service = Service with { Unit = "shop" } } },
    };

    [Theory]
    [MemberData(nameof(BadOnHosts))]
    public void What_is_wrong_with_a_step_on_a_host_is_said_with_its_place(string place, StepSpec step)
        => Assert.Contains(RunbookProblems.Of(Book(step)), one => one.Place == $"steps.a.{place}" && one.Advice.Length > 0);

    [Fact]
    public void Steps_on_hosts_that_can_be_carried_out_have_no_problems()
        => Assert.Empty(RunbookProblems.Of(Book(Made(StepKind.Script) with { Script = Script with { RehearsalHost = "web-2" } },
            Made(StepKind.ServiceStart) with { Name = "b", Service = Service }, Made(StepKind.Fence) with { Name = "c", Service = Service },
            Made(StepKind.DbAssert) with { Name = "d", Assert = Ask with { MaxAge = TimeSpan.FromMinutes(5) } },
            Made(StepKind.DbPromote) with { Name = "e", Promote = new() { Host = "db-1" } })));

    [Fact]
    public void A_chain_as_long_as_there_may_be_steps_is_read()
    {
        var spec = Book([.. Enumerable.Range(0, RunbookSpec.MostSteps).Select(number => Step($"s{number}", number == 0 ? ""
            : $"s{number - 1}"))]);

        Assert.Empty(RunbookProblems.OfCourse(spec));
        Assert.Equal(RunbookSpec.MostSteps, new RunbookGraph(spec).Groups().Count);
        Assert.NotEmpty(RunbookProblems.OfCourse(spec with
        {
            Steps = [Step("s0", $"s{RunbookSpec.MostSteps - 1}"), .. spec.Steps.Skip(1)],
        }));
    }

    [Fact]
    public void The_critical_path_is_the_longest_way()
    {
        var graph = new RunbookGraph(Book(Step("fence"), Step("db"), Step("files"), Step("app", "db files"), Step("dns", "app fence")));
        var minutes = new Dictionary<string, int> { ["fence"] = 30, ["db"] = 20, ["files"] = 9, ["app"] = 15, ["dns"] = 1 };

        var (length, steps) = graph.CriticalPath(step => TimeSpan.FromMinutes(minutes[step.Name]));

        Assert.Equal((TimeSpan.FromMinutes(36), "db app dns"), (length, string.Join(' ', steps)));
        Assert.Equal(["fence db files", "app", "dns"], graph.Groups().Select(group => string.Join(' ', group)));
    }
}
