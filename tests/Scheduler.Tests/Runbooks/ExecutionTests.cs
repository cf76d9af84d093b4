using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Access;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>What people do to executions, and what keeps two of them apart.</summary>
public sealed class ExecutionTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task A_runbook_is_executed_once_at_a_time_but_what_is_in_earnest_does_not_wait_for_a_rehearsal()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("app"));
        var rehearsal = await books.Execute(runbook.Id, ExecutionMode.Rehearsal);

        var again = await Assert.ThrowsAsync<ConflictException>(() => books.Execute(runbook.Id, ExecutionMode.Rehearsal));
        var real = await books.Execute(runbook.Id, ExecutionMode.Disaster);
        var second = await Assert.ThrowsAsync<ConflictException>(() => books.Execute(runbook.Id));

        Assert.Equal(("execution.busy", "execution.busy"), (again.Code, second.Code));
        Assert.Contains($"{rehearsal}", again.Message, StringComparison.Ordinal);
        Assert.Contains($"{real}, Disaster", second.Message, StringComparison.Ordinal);
        await books.Carry();
        Assert.Equal(ExecutionPhase.Ended, (await books.Show(real)).State.Phase);
        await books.Execute(runbook.Id);
    }

    [Fact]
    public async Task An_item_is_part_of_one_execution()
    {
        await using var fleet = await Fleet.Start(databases);
        await using var books = await Books.Start(databases, shared: fleet.Node);
        await fleet.ProtectReady(await fleet.AddHost(), "/srv/data");
        var item = (await fleet.OnlyItem()).Id;
        var step = Books.Step("files", kind: StepKind.RestoreFiles) with { Restore = new RestoreStep { Item = item } };
        var one = await books.Make("one", step);
        var two = await books.Make("two", step);
        var id = await books.Execute(one.Id);

        var busy = await Assert.ThrowsAsync<ConflictException>(() => books.Execute(two.Id));

        Assert.Equal("execution.busy", busy.Code);
        Assert.Contains($"{id} of 'one'", busy.Message, StringComparison.Ordinal);
        await books.Act(TestNode.Admin, id, ExecutionAction.Stop, text: "Not now.");
        await books.Carry();
        Assert.Equal(ExecutionOutcome.Stopped, (await books.Show(id)).State.Outcome);
        await books.Execute(two.Id);
    }

    [Fact]
    public async Task Persons_with_the_right_approve_and_nobody_twice()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("go", kind: StepKind.Approval) with { Approval = new ApprovalSpec { Of = 2 } },
            Books.Step("app", "go"));
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);
        var ann = await books.Node.Person("ann", new RoleGrant(nameof(Role.DrExecutor)));
        var bob = await books.Node.Person("bob", new RoleGrant(nameof(Role.Approver)));
        var eve = await books.Node.Person("eve", new RoleGrant(nameof(Role.DrEditor)));
        Task<ExecutionView> Yes(Caller caller) => books.Get<ApproveStep>().Handle(caller, new ApproveStepRequest(id, "go", Yes: true),
            Books.NoStop);

        var asked = Assert.Single(await books.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), Books.NoStop));
        Assert.Equal((AlertKind.ExecutionWaits, "The disaster failover of 'shop' asks: approve 'go'."), (asked.Kind, asked.Title));
        await Assert.ThrowsAsync<DeniedException>(() => Yes(eve));
        await Assert.ThrowsAsync<DeniedException>(() => Yes(TestNode.Admin));   // a key is no person
        await Yes(ann);
        Assert.Equal("execution.not_now", (await Assert.ThrowsAsync<ConflictException>(() => Yes(ann))).Code);
        await Yes(bob);
        Assert.Empty(await books.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), Books.NoStop));
        await books.Carry();

        var view = await books.Show(id);
        Assert.Equal((ExecutionOutcome.Succeeded, "ann, bob said yes."), (view.State.Outcome, view.State.Steps[0].Reason));
        var trail = await books.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(Action: "execution.approve"), Books.NoStop);
        Assert.Equal(["bob", "ann"], trail.Entries.Select(entry => entry.Actor));
        var proof = Assert.Single((await books.Get<ListEvidence>().Handle(TestNode.Admin, new ListEvidenceRequest { Kind = "execution" },
            Books.NoStop)).Entries);
        Assert.Equal(($"{runbook.Id}", "Succeeded", "ann, bob"), (proof.Subject, proof.Body.Outcome,
            string.Join(", ", proof.Body.Approvals![0].By)));
    }

    [Fact]
    public async Task A_critical_step_is_left_out_by_two_persons_only()
    {
        await using var books = await Books.Start(databases);
        books.Target.Answer = (_, _) => Task.FromResult(StepResult.Failed("It is gone."));
        var runbook = await books.Make("shop", Books.Step("db"), Books.Step("wait", "db", StepKind.Wait));
        var id = await books.Execute(runbook.Id);
        await books.Carry();
        var ann = await books.Node.Person("ann", new RoleGrant(nameof(Role.DrExecutor)));
        var bob = await books.Node.Person("bob", new RoleGrant(nameof(Role.DrExecutor)));
        var waits = Assert.Single(await books.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), Books.NoStop));
        Assert.Equal((AlertKind.ExecutionWaits, $"/executions/{id}"), (waits.Kind, waits.ActionUrl));

        var proposed = await books.Act(ann, id, ExecutionAction.Skip, "db", "The replica has it.");
        Assert.Equal(("ann", "db", ExecutionPhase.Paused), (proposed.Proposal?.By, proposed.Proposal?.Step, proposed.State.Phase));
        Assert.Equal(ExecutionPhase.Paused, (await books.Act(ann, id, ExecutionAction.Skip, "db", "Twice.")).State.Phase);
        var agreed = await books.Act(bob, id, ExecutionAction.Skip, "db");

        Assert.Equal((ExecutionPhase.Running, null), (agreed.State.Phase, agreed.Proposal));
        Assert.Equal("Left out by ann with bob: Twice.", agreed.State.Steps[0].Reason);
        Assert.Empty(await books.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), Books.NoStop));
        await books.Pass(TimeSpan.FromMinutes(1));
        Assert.Equal(ExecutionOutcome.Succeeded, (await books.Show(id)).State.Outcome);
    }

    [Fact]
    public async Task Who_may_rehearse_only_does_not_touch_what_is_in_earnest()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("app"));
        var eve = await books.Node.Person("eve", new RoleGrant(nameof(Role.DrEditor)));
        await Assert.ThrowsAsync<DeniedException>(() => books.Get<StartExecution>().Handle(eve,
            new StartExecutionRequest(runbook.Id, ExecutionMode.Planned, "Why not."), Books.NoStop));
        var real = await books.Execute(runbook.Id);
        var rehearsal = await Assert.ThrowsAsync<ConflictException>(() => books.Execute(runbook.Id, ExecutionMode.Rehearsal));
        Assert.Equal("execution.busy", rehearsal.Code);

        await Assert.ThrowsAsync<DeniedException>(() => books.Act(eve, real, ExecutionAction.Stop));
        Assert.Equal("execution.not_now", (await Assert.ThrowsAsync<ConflictException>(() => books.Act(TestNode.Admin, real,
            ExecutionAction.Commit))).Code);
        await books.Act(TestNode.Admin, real, ExecutionAction.RollBack, text: "Never mind.");
        await books.Carry();

        Assert.Equal((ExecutionOutcome.RolledBack, AfterwardsState.Done), ((await books.Show(real)).State.Outcome,
            (await books.State(real, "app")).Undone));
        Assert.Single(books.Target.Of("app", StepActivity.Compensate));
    }

    [Fact]
    public async Task What_a_rehearsal_cannot_clean_up_is_told()
    {
        await using var books = await Books.Start(databases);
        books.Target.Answer = (work, _) => Task.FromResult(work.Activity == StepActivity.CleanUp ? StepResult.Failed("It is stuck.")
            : StepResult.Done("So."));
        var runbook = await books.Make("shop", Books.Step("app"));
        var id = await books.Execute(runbook.Id, ExecutionMode.Rehearsal);

        await books.Carry();
        for (var again = 0; again < 2; again++)
        {
            await books.Pass(TimeSpan.FromMinutes(1));
            await books.Carry();
        }

        Assert.Equal((ExecutionPhase.Ended, true), ((await books.Show(id)).State.Phase, (await books.Show(id)).State.HasLeftovers));
        var alert = Assert.Single(await books.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), Books.NoStop));
        Assert.Equal(AlertKind.ExecutionLeftovers, alert.Kind);
    }

    [Fact]
    public async Task A_wait_and_an_approval_end_by_the_databases_clock()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("shop", Books.Step("wait", kind: StepKind.Wait), Books.Step("go", "wait", StepKind.Approval));
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);

        await books.Pass(TimeSpan.FromSeconds(59));
        Assert.Equal(StepPhase.Running, (await books.State(id, "wait")).Phase);
        await books.Pass(TimeSpan.FromSeconds(1));
        Assert.Equal((StepPhase.Done, StepPhase.Running), ((await books.State(id, "wait")).Phase, (await books.State(id, "go")).Phase));
        await books.Pass(TimeSpan.FromMinutes(5));

        Assert.Equal(ExecutionPhase.Paused, (await books.Show(id)).State.Phase);
        Assert.Contains("Not enough people", (await books.State(id, "go")).Reason, StringComparison.Ordinal);
    }
}
