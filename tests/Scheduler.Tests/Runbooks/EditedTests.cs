using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Tests.Access;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>A runbook that is edited while people approve it, or while it is executed.</summary>
public sealed class EditedTests(SchedulerDatabases databases)
{
    static Task<Runbook> Edit(Books books, Runbook runbook, params IReadOnlyList<StepSpec> steps) => books.Get<EditRunbook>().Handle(
        TestNode.Admin, new EditRunbookRequest(runbook.Id, runbook.Name, runbook.Spec with { Steps = steps }), Books.NoStop);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_asked_for_of_one_version_is_not_approved_for_the_next(bool isEdited)
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("app"));
        var ann = await books.Node.Person("ann", new RoleGrant(nameof(Role.Admin)));
        var bob = await books.Node.Person("bob", new RoleGrant(nameof(Role.Admin)));
        await books.Get<SetFourEyes>().Handle(ann, new SetFourEyesRequest(true), Books.NoStop);
        var asked = await Assert.ThrowsAsync<ConflictException>(() => books.Get<StartExecution>().Handle(ann,
            new StartExecutionRequest(runbook.Id, ExecutionMode.Disaster, "The site burns."), Books.NoStop));
        Assert.Equal("approval.needed", asked.Code);
        if (isEdited) await Edit(books, runbook, Books.Step("app"), Books.Step("wipe", "app"));

        var waiting = Assert.Single(await books.Get<ListApprovals>().Handle(bob, new ListApprovalsRequest(), Books.NoStop));
        Task<Approval> Approve() => books.Get<ApproveApproval>().Handle(bob, new ApproveRequest(waiting.CommandHash, null, waiting.Id),
            Books.NoStop);

        if (isEdited) Assert.Equal("approval.outdated", (await Assert.ThrowsAsync<ConflictException>(Approve)).Code);
        else Assert.Equal(ApprovalState.Done, (await Approve()).State);
        var begun = await books.Get<ListExecutions>().Handle(TestNode.Admin, new ListExecutionsRequest(), Books.NoStop);
        Assert.Equal(isEdited ? [] : [1], begun.Select(one => one.Version));
    }

    [Fact]
    public async Task What_began_goes_on_with_its_version_and_the_yes_that_it_was_given()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("app"), Books.Step("go", "app", StepKind.Approval) with
        {
            Approval = new ApprovalSpec { Of = 2 }
        }, Books.Step("web", "go"));
        var first = await books.Get<ListRunbookVersions>().Handle(TestNode.Admin, new ListRunbookVersionsRequest(runbook.Id), Books.NoStop);
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);
        await books.Carry();
        Task<ExecutionView> Yes(Caller caller) => books.Get<ApproveStep>().Handle(caller, new ApproveStepRequest(id, "go", Yes: true),
            Books.NoStop);
        await Yes(await books.Node.Person("ann", new RoleGrant(nameof(Role.DrExecutor))));

        await Edit(books, runbook, Books.Step("app"), Books.Step("go", "app", StepKind.Approval), Books.Step("wipe", "go"));
        Assert.Equal(StepPhase.Running, (await books.State(id, "go")).Phase);   // the new version would have enough with one
        await Yes(await books.Node.Person("bob", new RoleGrant(nameof(Role.DrExecutor))));
        await books.Carry();

        Assert.Equal((ExecutionOutcome.Succeeded, 1), ((await books.Show(id)).State.Outcome, (await books.Show(id)).Summary.Version));
        Assert.Single(books.Target.Of("web"));
        Assert.Empty(books.Target.Of("wipe"));
        var proof = Assert.Single((await books.Get<ListEvidence>().Handle(TestNode.Admin, new ListEvidenceRequest { Kind = "execution" },
            Books.NoStop)).Entries).Body;
        Assert.Equal(("1", first[0].Hash), (proof.RunbookVersion, proof.RunbookHash));
        Assert.Equal((2, RunbookState.NeedsRehearsal), ((await books.Show(runbook.Id)).Version, (await books.Show(runbook.Id)).State));
    }
}
