using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Drills;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Drills;

/// <summary>The test restores that policies want, started by the loop of a node.</summary>
public sealed class DrillDueTests(SchedulerDatabases databases)
{
    static Task<int> Look(Fleet fleet) => fleet.Get<DrillDue>().Run(Fleet.NoStop);

    /// <summary>An item that was proven just now.</summary>
    static async Task<(HostId Host, Policy Policy)> Proven(Fleet fleet)
    {
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        return (host, policy);
    }

    static async Task PassAndBeSeen(Fleet fleet, TimeSpan time)
    {
        await fleet.Node.PassTime(time);
        await fleet.Node.Db.Execute("update host set last_seen_at = clock()", [], Fleet.NoStop);
    }

    [Fact]
    public async Task The_newest_point_is_restored_again_when_that_is_due_and_once_only()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy) = await Proven(fleet);
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b'));
        await PassAndBeSeen(fleet, TimeSpan.FromDays(29));
        Assert.Equal(0, await Look(fleet));
        await PassAndBeSeen(fleet, TimeSpan.FromDays(1));

        Assert.Equal(1, await Look(fleet));
        Assert.Equal(0, await Look(fleet));

        var drill = await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        Assert.Equal((JobKind.Drill, new string('b', 64)), (drill.Job.Kind, drill.Job.Drill!.SnapshotId));
        Assert.Equal(0, await Look(fleet));
        Assert.Equal("schedule", (await fleet.Show(drill.RunId)).RequestedBy);
    }

    [Fact]
    public async Task One_that_could_not_be_made_is_tried_again_the_next_day()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, _) = await Proven(fleet);
        await PassAndBeSeen(fleet, TimeSpan.FromDays(31));
        Assert.Equal(1, await Look(fleet));
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Skipped));

        await PassAndBeSeen(fleet, TimeSpan.FromHours(23));
        Assert.Equal(0, await Look(fleet));
        await PassAndBeSeen(fleet, TimeSpan.FromHours(2));
        Assert.Equal(1, await Look(fleet));
    }

    public static TheoryData<string> Reasons => ["paused", "silent", "never"];

    [Theory]
    [MemberData(nameof(Reasons))]
    public async Task None_is_started(string reason)
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, policy) = await Proven(fleet);
        await PassAndBeSeen(fleet, TimeSpan.FromDays(40));
        if (reason == "paused")
            await fleet.Get<PausePolicy>().Handle(TestNode.Admin, new PausePolicyRequest(policy.Id, "Holidays."), Fleet.NoStop);
        if (reason == "silent") await fleet.Node.PassTime(TimeSpan.FromMinutes(10));
        if (reason == "never")
            await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy.Id, policy.Name,
                policy.Spec with { Proof = new ProofSpec { DrillEvery = TimeSpan.Zero } }), Fleet.NoStop);

        Assert.Equal(0, await Look(fleet));
    }

    [Fact]
    public async Task An_overdue_one_makes_the_item_unproven_and_the_item_says_since_when()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy) = await Proven(fleet);
        var due = (await fleet.OnlyItem()).DrillDueAt!.Value;
        await PassAndBeSeen(fleet, TimeSpan.FromDays(36));
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        var next = await fleet.Lease(host);
        await fleet.Complete(host, next!, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Backup = new BackupResult
            {
                SnapshotId = new string('b', 64),
                TakenAt = await fleet.Node.Db.Scalar<DateTimeOffset>("select clock()", [], Fleet.NoStop),
            },
        });

        var item = await fleet.OnlyItem();

        Assert.Equal(ItemState.Unproven, item.State);
        Assert.StartsWith("The last test restore is 36 d old, and one counts for 35 d. ", item.StateReason, StringComparison.Ordinal);
        Assert.Equal(due, item.DrillDueAt);
    }

    [Fact]
    public async Task Two_nodes_that_look_at_once_start_one()
    {
        await using var fleet = await Fleet.Start(databases);
        await Proven(fleet);
        await PassAndBeSeen(fleet, TimeSpan.FromDays(31));

        var started = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Look(fleet)));

        Assert.Equal(1, started.Sum());
        Assert.Equal(2, (await fleet.Runs(JobKind.Drill)).Count);
    }

    [Fact]
    public async Task Another_host_restores_where_the_policy_names_one_and_can_reach_the_repository()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy) = await Proven(fleet);
        var other = await fleet.AddHost("drill-1");
        await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy.Id, policy.Name,
            policy.Spec with { Proof = new ProofSpec { DrillHosts = [other] } }), Fleet.NoStop);
        await PassAndBeSeen(fleet, TimeSpan.FromDays(31));
        await fleet.Node.Db.Execute("update location set kind = 'Gateway', host_id = null", [], Fleet.NoStop);

        Assert.Equal(1, await Look(fleet));

        Assert.Null(await fleet.Lease(host));
        var drill = (await fleet.Lease(other))!;
        Assert.True(drill.Job.Drill is { IsElsewhere: true, LiveSource.Kind: SourceKind.Files });
    }

    [Fact]
    public async Task Where_one_host_has_no_room_another_restores_at_once_and_the_item_says_why_until_one_did()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy) = await Proven(fleet);
        HostId[] hosts = [await fleet.AddHost("drill-1"), await fleet.AddHost("drill-2")];
        await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy.Id, policy.Name,
            policy.Spec with { Proof = new ProofSpec { DrillHosts = hosts, DrillLimit = TimeSpan.FromHours(2) } }), Fleet.NoStop);
        await fleet.Node.Db.Execute("update location set kind = 'Gateway', host_id = null", [], Fleet.NoStop);
        await PassAndBeSeen(fleet, TimeSpan.FromDays(31));
        await fleet.Node.Db.Execute("update recovery_point set taken_at = clock()", [], Fleet.NoStop);

        Assert.Equal(1, await Look(fleet));
        var first = await Refuse();
        Assert.Equal(1, await Look(fleet));
        var second = await Refuse();
        Assert.Equal(hosts.ToHashSet(), [first, second]);
        Assert.Equal(0, await Look(fleet));   // both are full: the next day
        Assert.EndsWith("The newest try could not be made: /var/tmp has 1 MiB free.", (await fleet.OnlyItem()).StateReason,
            StringComparison.Ordinal);

        await PassAndBeSeen(fleet, TimeSpan.FromHours(25));
        Assert.Equal(1, await Look(fleet));
        var (on, drill) = await Leased();
        Assert.Equal(TimeSpan.FromHours(2), drill.Job.Drill!.Limit);
        await fleet.Complete(on, drill, Fleet.Drill(ProofResult.Proven));
        Assert.DoesNotContain("could not be made", (await fleet.OnlyItem()).StateReason, StringComparison.Ordinal);

        async Task<(HostId, LeasedRun)> Leased()
            => await fleet.Lease(hosts[0]) is { } there ? (hosts[0], there) : (hosts[1], (await fleet.Lease(hosts[1]))!);

        async Task<HostId> Refuse()
        {
            var (full, run) = await Leased();
            await fleet.Complete(full, run, new JobResult
            {
                Outcome = JobOutcome.Complete,
                Drill = new DrillResult { Result = ProofResult.Skipped, Reason = "/var/tmp has 1 MiB free.", HadNoRoom = true },
            });
            return full;
        }
    }

    [Fact]
    public async Task The_first_one_too_is_made_by_a_host_that_the_policy_names()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, other) = (await fleet.AddHost(), await fleet.AddHost("drill-1"));
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Get<EditPolicy>().Handle(TestNode.Admin, new EditPolicyRequest(policy.Id, policy.Name,
            policy.Spec with { Proof = new ProofSpec { DrillHosts = [other] } }), Fleet.NoStop);
        await fleet.Node.Db.Execute("update location set kind = 'Gateway', host_id = null", [], Fleet.NoStop);
        await fleet.Finish(host, _ => Fleet.Backup());

        Assert.Empty(await fleet.Runs(JobKind.Drill));
        Assert.Equal(1, await Look(fleet));

        Assert.NotNull((await fleet.Lease(other))!.Job.Drill);
    }

    [Fact]
    public async Task A_host_that_is_not_there_cannot_be_named()
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, policy) = await Proven(fleet);

        var refused = await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<EditPolicy>().Handle(TestNode.Admin,
            new EditPolicyRequest(policy.Id, policy.Name, policy.Spec with
            {
                Proof = new ProofSpec { DrillHosts = [HostId.New(TimeProvider.System)] },
            }), Fleet.NoStop));

        Assert.Equal("drillHost", refused.Field);
    }
}
