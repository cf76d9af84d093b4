using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Health;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Access;

/// <summary>A role for a part of the fleet gives that part and nothing else.</summary>
public sealed class ScopeTests(SchedulerDatabases databases)
{
    static readonly CancellationToken None = CancellationToken.None;

    /// <summary>Two hosts, each with a policy, a run and a recovery point.</summary>
    static async Task<(HostId Own, HostId Other, Policy OwnPolicy, Policy OtherPolicy, RunId OwnRun, RunId OtherRun)> Two(Fleet fleet)
    {
        var (own, other) = (await fleet.AddHost("web-1"), await fleet.AddHost("db-1"));
        var (mine, theirs) = (await fleet.ProtectReady(own, "/srv/web"), await fleet.ProtectReady(other, "/srv/db"));
        var first = await fleet.Finish(own, _ => Fleet.Backup());
        var second = await fleet.Finish(other, _ => Fleet.Backup(snapshot: 'b'));
        return (own, other, mine, theirs, first.RunId, second.RunId);
    }

    [Theory]
    [InlineData("host=web-*")]
    [InlineData("host=web-1")]
    [InlineData("policy={0}")]
    public async Task Lists_leave_out_what_is_outside_and_one_thing_of_it_is_refused(string scope)
    {
        await using var fleet = await Fleet.Start(databases);
        var (own, other, mine, theirs, ownRun, otherRun) = await Two(fleet);
        var text = string.Format(System.Globalization.CultureInfo.InvariantCulture, scope, mine.Name);
        var caller = await fleet.Node.OfKey("scoped", new RoleGrant("Operator", text));

        Assert.Equal([mine.Id], (await fleet.Get<ListPolicies>().Handle(caller, new ListPoliciesRequest(), None)).Select(one => one.Id));
        Assert.Equal([mine.Items[0].Id], (await fleet.Get<ListItems>().Handle(caller, new ListItemsRequest(), None)).Select(one => one.Id));
        var points = await fleet.Get<ListRecoveryPoints>().Handle(caller, new ListRecoveryPointsRequest(), None);
        Assert.Equal([mine.Items[0].Id], points.Select(one => one.Item!.Value));
        var runs = await fleet.Get<ListRuns>().Handle(caller, new ListRunsRequest(), None);
        Assert.Contains(ownRun, runs.Runs.Select(run => run.Id));
        Assert.DoesNotContain(runs.Runs, run => run.Host == other);
        Assert.Equal(1, (await fleet.Get<ShowSafety>().Handle(caller, new ShowSafetyRequest(), None)).Items);

        await fleet.Get<ShowRun>().Handle(caller, new ShowRunRequest(ownRun), None);
        await fleet.Get<RunPolicy>().Handle(caller, new RunPolicyRequest(mine.Id), None);
        var e = await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<ShowRun>().Handle(caller, new ShowRunRequest(otherRun), None));
        Assert.Contains("only for", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<RunPolicy>().Handle(caller, new RunPolicyRequest(theirs.Id), None));
        await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<ShowPolicy>().Handle(caller, new ShowPolicyRequest(theirs.Id), None));
        await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<ShowItem>().Handle(caller, new ShowItemRequest(theirs.Items[0].Id),
            None));
        Assert.NotEqual(own, other);
    }

    [Fact]
    public async Task Whoever_has_a_part_of_the_fleet_has_an_own_account_all_the_same()
    {
        await using var node = await TestNode.Start(databases);
        await node.Get<CreateUser>().Handle(TestNode.Admin, new CreateUserRequest("carol", "one-time-password",
            [new RoleGrant("Operator", "host=web-*")]), default);
        var carol = (await node.Get<Sessions>().OfSession((await node.Get<SignIn>().Handle(Caller.Anonymous(),
            new SignInRequest("carol", "one-time-password"), default)).Token, "", default))!;

        await node.Get<ChangePassword>().Handle(carol, new ChangePasswordRequest("one-time-password", People.Password), default);

        Assert.Equal("carol", (await node.SignedIn("carol")).Name);
        Assert.Single(await node.Get<ListOwnSessions>().Handle(await node.SignedIn("carol"), new ListOwnSessionsRequest(), default),
            session => session.IsThis);
    }

    [Fact]
    public async Task A_restore_needs_the_right_for_where_it_comes_from_and_for_where_it_goes()
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, other, mine, _, _, _) = await Two(fleet);
        var caller = await fleet.Node.OfKey("scoped", new RoleGrant("Restorer", "host=web-*"));
        var point = Assert.Single(await fleet.Get<ListRecoveryPoints>().Handle(caller, new ListRecoveryPointsRequest(), None));

        var e = await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<RequestRestore>().Handle(caller,
            new RequestRestoreRequest { Point = point.Id, Host = other }, None));
        Assert.Contains(other.ToString(), e.Message, StringComparison.Ordinal);
        await fleet.Get<RequestRestore>().Handle(caller, new RequestRestoreRequest { Point = point.Id }, None);
        Assert.Equal(mine.Items[0].Id, point.Item);
    }

    [Fact]
    public async Task Whoever_writes_policies_for_some_hosts_protects_no_others_and_changes_no_shared_one()
    {
        await using var fleet = await Fleet.Start(databases);
        var (own, other, mine, _, _, _) = await Two(fleet);
        var caller = await fleet.Node.OfKey("scoped", new RoleGrant("PolicyAdmin", "host=web-*"));
        NewItem Item(HostId host) => new(host, mine.Items[0].Source);

        await fleet.Get<CreatePolicy>().Handle(caller, new CreatePolicyRequest { Items = [Item(own)], Name = "One" }, None);
        await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<CreatePolicy>().Handle(caller,
            new CreatePolicyRequest { Items = [Item(own), Item(other)], Name = "Two" }, None));
        var shared = await fleet.Get<CreatePolicy>().Handle(TestNode.Admin,
            new CreatePolicyRequest { Items = [Item(own), Item(other)], Name = "Shared" }, None);
        Assert.Equal("Shared", (await fleet.Get<ShowPolicy>().Handle(caller, new ShowPolicyRequest(shared.Id), None)).Name);
        await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<RemovePolicy>().Handle(caller, new RemovePolicyRequest(shared.Id), None));
    }

    [Fact]
    public async Task What_belongs_to_no_part_needs_the_right_for_everything()
    {
        await using var fleet = await Fleet.Start(databases);
        var caller = await fleet.Node.OfKey("scoped", new RoleGrant("AgentAdmin", "host=*"), new RoleGrant("StorageAdmin", "host=*"));

        var e = await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<CreateJoinToken>().Handle(caller, new CreateJoinTokenRequest(),
            None));
        Assert.Contains("this is about everything", e.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<DeniedException>(() => fleet.Get<CreateLocation>().Handle(caller, new CreateLocationRequest
        {
            Name = "NAS",
            Path = FilePath.FromText("/srv/nas"),
        }, None));
    }

    [Theory]
    [InlineData("Operator", "host")]
    [InlineData("Operator", "shoe=size")]
    [InlineData("Operator", "policy=nothing")]
    [InlineData("Operator", "location=nowhere")]
    [InlineData("Admin", "host=*")]
    [InlineData("Auditor", "host=*")]
    [InlineData("System", null)]
    [InlineData("Agent", null)]
    [InlineData("1", null)]
    [InlineData("", null)]
    public async Task A_role_or_scope_that_is_none_is_refused_by_its_field(string role, string? scope)
    {
        await using var node = await TestNode.Start(databases);

        var e = await Assert.ThrowsAsync<BadInputException>(() => node.Key("x1", new RoleGrant(role, scope)));

        Assert.Contains(e.Field, new[] { "roles", "scope" });
        Assert.NotEmpty(e.Hint!);
    }
}
