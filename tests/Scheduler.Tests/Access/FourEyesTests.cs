using System.Net;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Access;

/// <summary>What needs a second person waits for one, and is then done as it was asked for, or not at all.</summary>
public sealed class FourEyesTests(SchedulerDatabases databases)
{
    static readonly CancellationToken None = CancellationToken.None;

    sealed record Scene(Fleet Fleet, Caller Ann, Caller Bob, Policy Policy) : IAsyncDisposable
    {
        public T Get<T>() where T : notnull => Fleet.Get<T>();
        public Task<IReadOnlyList<Approval>> List(bool over = false) => Get<ListApprovals>().Handle(Bob, new ListApprovalsRequest(over),
            None);
        public async Task<Approval> Waiting() => Assert.Single(await List());
        public async Task<Approval> Approve(Caller who) => await Waiting() is { } one
            ? await Get<ApproveApproval>().Handle(who, new ApproveRequest(one.CommandHash, null, one.Id), None) : null!;
        public ValueTask DisposeAsync() => Fleet.DisposeAsync();
    }

    async Task<Scene> Start()
    {
        var fleet = await Fleet.Start(databases);
        var ann = await fleet.Node.Person("ann", new RoleGrant("Admin"));
        var bob = await fleet.Node.Person("bob", new RoleGrant("Admin"));
        await fleet.Get<SetFourEyes>().Handle(ann, new SetFourEyesRequest(true), None);
        return new Scene(fleet, ann, bob, await fleet.ProtectReady(await fleet.AddHost(), "/srv/web"));
    }

    static async Task<ConflictException> Needed(Func<Task> work)
    {
        var e = await Assert.ThrowsAsync<ConflictException>(work);
        Assert.Equal("approval.needed", e.Code);
        return e;
    }

    [Fact]
    public async Task A_removal_waits_for_another_person_and_is_done_as_who_asked()
    {
        await using var scene = await Start();
        Task Remove() => scene.Get<RemovePolicy>().Handle(scene.Ann, new RemovePolicyRequest(scene.Policy.Id), None);

        await Needed(Remove);
        await Needed(Remove);   // asking twice makes one request
        var waiting = await scene.Waiting();
        var alert = Assert.Single(await scene.Get<ListAlerts>().Handle(scene.Bob, new ListAlertsRequest(), None));
        var own = await Assert.ThrowsAsync<DeniedException>(() => scene.Approve(scene.Ann));
        Assert.Single(await scene.Get<ListPolicies>().Handle(scene.Ann, new ListPoliciesRequest(), None));
        var done = await scene.Approve(scene.Bob);

        Assert.Equal(("policy.remove", "ann", AlertKind.ApprovalWaiting), (waiting.Action, waiting.RequestedBy, alert.Kind));
        Assert.Contains("Whoever asks", own.Message, StringComparison.Ordinal);
        Assert.Equal((ApprovalState.Done, "bob"), (done.State, done.DecidedBy));
        Assert.Empty(await scene.Get<ListPolicies>().Handle(scene.Ann, new ListPoliciesRequest(), None));
        Assert.Empty(await scene.Get<ListAlerts>().Handle(scene.Bob, new ListAlertsRequest(), None));
        var audit = (await scene.Get<ListAudit>().Handle(scene.Bob, new ListAuditRequest(), None)).Entries;
        Assert.Equal("ann", audit.Single(entry => entry.Action == "policy.remove").Actor);
        Assert.Equal("bob", audit.Single(entry => entry.Action == "approval.approve").Actor);
    }

    [Fact]
    public async Task What_was_changed_meanwhile_is_not_done()
    {
        await using var scene = await Start();
        await Needed(() => scene.Get<RemovePolicy>().Handle(scene.Ann, new RemovePolicyRequest(scene.Policy.Id), None));
        await scene.Get<EditPolicy>().Handle(scene.Bob, new EditPolicyRequest(scene.Policy.Id, "Renamed", scene.Policy.Spec), None);

        var e = await Assert.ThrowsAsync<ConflictException>(() => scene.Approve(scene.Bob));

        Assert.Equal("approval.outdated", e.Code);
        Assert.Equal(ApprovalState.Outdated, Assert.Single(await scene.List(over: true)).State);
        Assert.Single(await scene.Get<ListPolicies>().Handle(scene.Ann, new ListPoliciesRequest(), None));
    }

    [Fact]
    public async Task Only_a_change_that_protects_less_waits()
    {
        await using var scene = await Start();
        var spec = scene.Policy.Spec;
        Task<Policy> Save(Contracts.Specs.PolicySpec wanted) => scene.Get<EditPolicy>().Handle(scene.Ann,
            new EditPolicyRequest(scene.Policy.Id, "Web", wanted, "Web"), None);

        await Save(spec with { Retention = spec.Retention with { KeepDaily = spec.Retention.KeepDaily + 1 } });
        await Needed(() => Save(spec with { Retention = spec.Retention with { KeepDaily = 1 } }));
        Assert.Contains("daily points", (await scene.Waiting()).Effect, StringComparison.Ordinal);
        await Needed(() => Save(spec with { Proof = spec.Proof with { DrillAfterFirst = false } }));
        Assert.Equal(2, (await scene.List()).Count);
    }

    [Fact]
    public async Task A_secret_is_shown_to_who_asked_once_and_never_to_who_approved()
    {
        await using var scene = await Start();
        var repository = Assert.Single(await scene.Get<ListRepositories>().Handle(scene.Ann, new ListRepositoriesRequest(), None));
        Task<RepositoryEscape> Reveal() => scene.Get<RevealRepositoryPassword>().Handle(scene.Ann,
            new RevealRepositoryPasswordRequest(repository.Id), None);

        await Needed(Reveal);
        Assert.Equal(ApprovalState.Approved, (await scene.Approve(scene.Bob)).State);
        Assert.NotEmpty((await Reveal()).Password);
        await Needed(Reveal);   // an approval counts once

        await Needed(() => scene.Get<WriteRecoveryKit>().Handle(scene.Ann, new WriteRecoveryKitRequest(), None));
    }

    [Fact]
    public async Task Nobody_decides_after_the_deadline_and_two_do_not_both_decide()
    {
        await using var scene = await Start();
        await Needed(() => scene.Get<RemovePolicy>().Handle(scene.Ann, new RemovePolicyRequest(scene.Policy.Id), None));
        var waiting = await scene.Waiting();
        await scene.Fleet.Node.PassTime(TimeSpan.FromHours(24));

        var late = await Assert.ThrowsAsync<ConflictException>(() => scene.Get<ApproveApproval>().Handle(scene.Bob,
            new ApproveRequest(waiting.CommandHash, null, waiting.Id), None));
        Assert.Equal("approval.over", late.Code);
        Assert.Equal(ApprovalState.Expired, Assert.Single(await scene.List(over: true)).State);

        await Needed(() => scene.Get<RemovePolicy>().Handle(scene.Ann, new RemovePolicyRequest(scene.Policy.Id), None));
        var again = await scene.Waiting();
        var cara = await scene.Fleet.Node.Person("cara", new RoleGrant("Approver"));
        var ends = await Task.WhenAll(new[] { scene.Bob, cara }.Select(who => Record.ExceptionAsync(() => scene.Get<ApproveApproval>()
            .Handle(who, new ApproveRequest(again.CommandHash, null, again.Id), None)).AsTask()));
        Assert.Equal("approval.over", Assert.IsType<ConflictException>(Assert.Single(ends.OfType<Exception>())).Code);
    }

    [Fact]
    public async Task Another_command_than_was_looked_at_is_not_approved_and_a_refused_one_is_over()
    {
        await using var scene = await Start();
        await Needed(() => scene.Get<RemovePolicy>().Handle(scene.Ann, new RemovePolicyRequest(scene.Policy.Id), None));
        var waiting = await scene.Waiting();

        var other = await Assert.ThrowsAsync<ConflictException>(() => scene.Get<ApproveApproval>().Handle(scene.Bob,
            new ApproveRequest(new string('0', 64), null, waiting.Id), None));
        var refused = await scene.Get<RefuseApproval>().Handle(scene.Bob, new RefuseRequest("Not now.", waiting.Id), None);

        Assert.Equal("approval.other", other.Code);
        Assert.Equal((ApprovalState.Refused, "Not now."), (refused.State, refused.Note));
        Assert.Equal("approval.over", (await Assert.ThrowsAsync<ConflictException>(() => scene.Get<ApproveApproval>().Handle(scene.Bob,
            new ApproveRequest(waiting.CommandHash, null, waiting.Id), None))).Code);
    }

    [Fact]
    public async Task A_key_asks_and_neither_it_nor_who_made_it_approves()
    {
        await using var scene = await Start();
        var key = await scene.Get<CreateApiKey>().Handle(scene.Bob, new CreateApiKeyRequest("ci", [new RoleGrant("Admin")]), None);
        var caller = await scene.Get<Sessions>().OfKey(key.Key, "", None);
        await Needed(() => scene.Get<RemovePolicy>().Handle(caller!, new RemovePolicyRequest(scene.Policy.Id), None));

        await Assert.ThrowsAsync<DeniedException>(() => scene.Approve(caller!));
        await Assert.ThrowsAsync<DeniedException>(() => scene.Approve(scene.Bob));
        Assert.Equal(ApprovalState.Done, (await scene.Approve(scene.Ann)).State);
    }

    [Fact]
    public async Task Rights_lost_meanwhile_are_lost_for_what_was_asked_before()
    {
        await using var scene = await Start();
        var tom = await scene.Fleet.Node.Person("tom", new RoleGrant("PolicyAdmin"));
        await Needed(() => scene.Get<RemovePolicy>().Handle(tom, new RemovePolicyRequest(scene.Policy.Id), None));
        await scene.Get<SetUserRoles>().Handle(scene.Ann, new SetUserRolesRequest([new RoleGrant("Viewer")], tom.Person!.Value), None);

        await Assert.ThrowsAsync<DeniedException>(() => scene.Approve(scene.Bob));

        Assert.Equal(ApprovalState.Failed, Assert.Single(await scene.List(over: true)).State);
    }

    [Fact]
    public async Task It_takes_two_to_switch_it_on_and_two_to_switch_it_off()
    {
        await using var node = await TestNode.Start(databases);
        var ann = await node.Person("ann", new RoleGrant("Admin"));
        Task<FourEyesSetting> Set(bool on) => node.Get<SetFourEyes>().Handle(ann, new SetFourEyesRequest(on), None);

        Assert.Equal("approval.too_few", (await Assert.ThrowsAsync<ConflictException>(() => Set(true))).Code);
        var bob = await node.Person("bob", new RoleGrant("Approver"));
        Assert.True((await Set(true)).IsOn);
        await Needed(() => Set(false));
        var waiting = Assert.Single(await node.Get<ListApprovals>().Handle(bob, new ListApprovalsRequest(), None));
        Assert.True(waiting.IsMine);
        await node.Get<ApproveApproval>().Handle(bob, new ApproveRequest(waiting.CommandHash, null, waiting.Id), None);
        Assert.False((await node.Get<ShowFourEyes>().Handle(bob, new ShowFourEyesRequest(), None)).IsOn);
        // Whoever could make an approver alone would be two persons.
        await Set(true);
        await Needed(() => node.Get<CreateUser>().Handle(ann, new CreateUserRequest("shadow", null, [new RoleGrant("Approver")]), None));
        await Needed(() => node.Get<ResetPassword>().Handle(ann, new ResetPasswordRequest(bob.Person!.Value), None));
    }

    [Fact]
    public async Task Over_the_API_the_answer_names_the_request()
    {
        await using var scene = await Start();
        var client = scene.Fleet.Node.AdminClient();

        var response = await client.DeleteAsync($"/api/v1/policies/{scene.Policy.Id}");
        var problem = await response.Problem();

        Assert.Equal((HttpStatusCode.Conflict, "approval.needed"), (response.StatusCode, problem.Code));
        Assert.Contains((await scene.Waiting()).Id.ToString(), problem.Hint, StringComparison.Ordinal);
        Assert.Equal("approval.needed", (await (await client.PostAsync($"/api/v1/hosts/{scene.Policy.Items[0].Host}/retire",
            null)).Problem())
            .Code);
    }

    [Fact]
    public async Task Every_other_action_of_the_list_waits_too()
    {
        await using var scene = await Start();
        var item = scene.Policy.Items[0];
        await scene.Fleet.Finish(item.Host, _ => Fleet.Backup());
        var point = Assert.Single(await scene.Get<ListRecoveryPoints>().Handle(scene.Ann, new ListRecoveryPointsRequest(item.Id), None));
        await scene.Get<HoldPoint>().Handle(scene.Ann, new HoldPointRequest(point.Id, "case 1"), None);
        await scene.Get<HoldItem>().Handle(scene.Ann, new HoldItemRequest(item.Id, "broken into?"), None);
        var spare = await scene.Get<CreateLocation>().Handle(scene.Ann, new CreateLocationRequest
        {
            Name = "NAS",
            Path = FilePath.FromText("/srv/nas"),
        }, None);

        await Needed(() => scene.Get<LiftPointHold>().Handle(scene.Ann, new LiftPointHoldRequest(point.Id, "over"), None));
        await Needed(() => scene.Get<LiftItemHold>().Handle(scene.Ann, new LiftItemHoldRequest(item.Id, "over"), None));
        await Needed(() => scene.Get<RemoveLocation>().Handle(scene.Ann, new RemoveLocationRequest(spare.Id), None));
        await Needed(() => scene.Get<RetireHost>().Handle(scene.Ann, new RetireHostRequest(item.Host), None));

        var waiting = await scene.List();
        Assert.Equal(["host.retire", "item.lift", "location.remove", "point.lift"], waiting.Select(one => one.Action).Order());
        foreach (var one in waiting)
            Assert.Equal(ApprovalState.Done, (await scene.Get<ApproveApproval>().Handle(scene.Bob,
                new ApproveRequest(one.CommandHash, null, one.Id), None)).State);
    }
}
