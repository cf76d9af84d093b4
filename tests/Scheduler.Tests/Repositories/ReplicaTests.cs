using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>Further places of a repository: what an agent is told, what its answer makes known, and what cannot be one.</summary>
public sealed class ReplicaTests(SchedulerDatabases databases)
{
    static readonly CreateLocationRequest Far = new()
    {
        Name = "Far",
        Kind = LocationKind.S3,
        Address = "s3:https://far.example.org/backups",
        Credentials = new StoreCredentials { AccessKey = "AKIAEXAMPLE", SecretKey = "far-secret" },
    };

    static Task<Location> Create(Fleet fleet, CreateLocationRequest request)
        => fleet.Get<CreateLocation>().Handle(TestNode.Admin, request, Fleet.NoStop);

    static async Task<RepositorySummary> Repository(Fleet fleet)
        => Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), Fleet.NoStop));

    static Task<RunStarted> Add(Fleet fleet, RepositoryId repository, LocationId location)
        => fleet.Get<AddReplica>().Handle(TestNode.Admin, new AddReplicaRequest(repository, location), Fleet.NoStop);

    static async Task<IReadOnlyList<string>> Places(Fleet fleet)
        => (await fleet.Get<ListRecoveryPoints>().Handle(TestNode.Admin, new ListRecoveryPointsRequest(), Fleet.NoStop))[0].Locations;

    static JobResult Replicated(LeasedRun run, string? problem = null, params string[] snapshots) => new()
    {
        Outcome = problem is null ? JobOutcome.Complete : JobOutcome.Incomplete,
        Replicate = new ReplicateResult
        {
            Places = [new ReplicatedPlaceResult { Location = run.Job.Repository.Location!.Value, Snapshots = snapshots },
                .. run.Job.Repository.Replicas!.Select(place => new ReplicatedPlaceResult
                {
                    Location = place.Location,
                    Problem = problem,
                    WasEmpty = problem is null,
                    Objects = 7,
                    Snapshots = problem is null ? snapshots : null,
                })],
        },
    };

    static async Task<(HostId Host, Policy Policy, RepositorySummary Repository, Location Far)> WithReplica(Fleet fleet)
    {
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var far = await Create(fleet, Far);
        var repository = await Repository(fleet);
        await Add(fleet, repository.Id, far.Id);
        return (host, policy, repository, far);
    }

    [Fact]
    public async Task An_agent_is_told_the_places_and_its_answer_tells_which_points_lie_where()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy, repository, far) = await WithReplica(fleet);
        var before = Assert.Single((await Repository(fleet)).Replicas);

        var run = await fleet.Finish(host, run => Replicated(run, null, new string('a', 64)));

        Assert.Equal(JobKind.Replicate, run.Job.Kind);
        var place = Assert.Single(run.Job.Repository.Replicas!);
        Assert.Equal((far.Id, $"s3:https://far.example.org/backups/{host}", "far-secret"),
            (place.Location, place.Url, place.Variables!["AWS_SECRET_ACCESS_KEY"]));
        Assert.DoesNotContain("far-secret", place.ToString(), StringComparison.Ordinal);
        Assert.Equal((1, null), (before.PointsBehind, before.EqualAt));
        var after = Assert.Single((await Repository(fleet)).Replicas);
        Assert.Equal((0, null, null), (after.PointsBehind, after.Problem, after.BehindSince));
        Assert.NotNull(after.EqualAt);
        Assert.Equal(["Far", repository.LocationName], await Places(fleet));
        Assert.Equal(1, await fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind = 'replica'", [], Fleet.NoStop));

        // The next backup is followed by the next replication, and counts as behind until then.
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b'));
        Assert.Equal(1, Assert.Single((await Repository(fleet)).Replicas).PointsBehind);
        Assert.Equal(JobKind.Replicate, (await fleet.Lease(host))!.Job.Kind);
    }

    [Fact]
    public async Task A_backup_that_went_elsewhere_is_known_to_lie_there_and_nowhere_else()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy, _, far) = await WithReplica(fleet);
        await fleet.Finish(host, run => Replicated(run, null, new string('a', 64)));
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);

        await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b') is var done ? done with
        {
            Backup = done.Backup! with { Location = far.Id },
            Healed = [new HealedCopy("data/ab/abc", "near", "it was missing; it is right again", "far")],
        } : done);

        Assert.Equal(["Far"], await Places(fleet));
        Assert.Equal(1, await fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind = 'heal'", [], Fleet.NoStop));
    }

    [Fact]
    public async Task A_point_that_lies_nowhere_any_more_counts_no_more_and_the_next_backup_does_not_wait()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, _, repository, _) = await WithReplica(fleet);
        await fleet.Finish(host, run => Replicated(run, null, new string('a', 64)));
        Assert.Equal(ItemState.Proven, (await Item(fleet)).State);

        await Replicate(fleet, repository.Id);
        await fleet.Finish(host, run => Replicated(run));

        var item = await Item(fleet);
        Assert.Equal((ItemState.Overdue, "Its newest recovery point is gone from every location.", 0),
            (item.State, item.StateReason, item.RecoveryPoints));
        Assert.NotNull((await Point(fleet)).GoneAt);
        Assert.Equal(1, await fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind = 'lost'", [], Fleet.NoStop));
        var next = await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b'));
        Assert.Equal(JobKind.Backup, next.Job.Kind);

        // A place that had been away may still have it.
        await fleet.Finish(host, run => Replicated(run, null, new string('a', 64), new string('b', 64)));
        Assert.Null((await Point(fleet)).GoneAt);
        Assert.Equal(2, (await Item(fleet)).RecoveryPoints);
    }

    [Fact]
    public async Task A_point_that_is_newer_than_the_replication_is_not_missed_by_it()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy, _, _) = await WithReplica(fleet);
        var replication = (await fleet.Lease(host))!;
        Assert.Equal(JobKind.Replicate, replication.Job.Kind);
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b'));

        await fleet.Complete(host, replication, Replicated(replication, null, new string('a', 64)));

        var newest = await Point(fleet);
        Assert.Equal((new string('b', 64), null), (newest.SnapshotId, newest.GoneAt));
        Assert.NotEmpty(newest.Locations);
    }

    static async Task<Item> Item(Fleet fleet)
        => Assert.Single(await fleet.Get<ListItems>().Handle(TestNode.Admin, new ListItemsRequest(), Fleet.NoStop));

    static async Task<RecoveryPoint> Point(Fleet fleet)
        => (await fleet.Get<ListRecoveryPoints>().Handle(TestNode.Admin, new ListRecoveryPointsRequest(), Fleet.NoStop))[0];

    static Task<RunStarted> Replicate(Fleet fleet, RepositoryId repository)
        => fleet.Get<ReplicateRepository>().Handle(TestNode.Admin, new ReplicateRepositoryRequest(repository), Fleet.NoStop);

    [Fact]
    public async Task A_replication_that_leaves_places_different_is_tried_again_later_or_at_once_on_request()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, _, repository, _) = await WithReplica(fleet);

        await fleet.Finish(host, run => Replicated(run, "the place is gone", new string('a', 64)));
        var replica = Assert.Single((await Repository(fleet)).Replicas);
        Assert.Equal(("the place is gone", 1), (replica.Problem, replica.PointsBehind));
        Assert.Null(await fleet.Lease(host));
        var asked = await fleet.Get<ReplicateRepository>().Handle(TestNode.Admin, new ReplicateRepositoryRequest(repository.Id),
            Fleet.NoStop);
        var again = await fleet.Finish(host, _ => new JobResult
        {
            Outcome = JobOutcome.Failed,
            Error = new JobError("store.unavailable", "Nothing answers.", null, true)
        });

        Assert.Equal(asked.Run, again.RunId);
        Assert.Equal("Nothing answers.", Assert.Single((await Repository(fleet)).Replicas).Problem);
        Assert.Null(await fleet.Lease(host));
        await fleet.Node.PassTime(TimeSpan.FromMinutes(11));
        Assert.Equal(JobKind.Replicate, (await fleet.Lease(host))!.Job.Kind);
    }

    [Fact]
    public async Task A_place_that_was_removed_is_asked_no_more()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, policy, repository, far) = await WithReplica(fleet);
        await fleet.Finish(host, run => Replicated(run, null, new string('a', 64)));

        await fleet.Get<RemoveReplica>().Handle(TestNode.Admin, new RemoveReplicaRequest(repository.Id, far.Id), Fleet.NoStop);
        await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        var run = await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'b'));

        Assert.Null(run.Job.Repository.Replicas);
        Assert.Null(await fleet.Lease(host));
        Assert.Equal([repository.LocationName], await Places(fleet));
        await Assert.ThrowsAsync<ConflictException>(() => fleet.Get<ReplicateRepository>()
            .Handle(TestNode.Admin, new ReplicateRepositoryRequest(repository.Id), Fleet.NoStop));
        await Assert.ThrowsAsync<NotFoundException>(() => fleet.Get<RemoveReplica>()
            .Handle(TestNode.Admin, new RemoveReplicaRequest(repository.Id, far.Id), Fleet.NoStop));
    }

    [Fact]
    public async Task What_cannot_be_a_further_place_is_refused_with_the_reason()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, other) = (await fleet.AddHost(), await fleet.AddHost("web-2"));
        await fleet.Protect(host, "/srv/data");
        var far = await Create(fleet, Far);
        var pending = await Repository(fleet);
        await Assert.ThrowsAsync<ConflictException>(() => Add(fleet, pending.Id, far.Id));
        await fleet.Finish(host, _ => new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        var machine = await Create(fleet, new CreateLocationRequest { Name = "Other", Path = FilePath.FromText("/srv/b"), Host = other });

        var own = await Assert.ThrowsAsync<BadInputException>(() => Add(fleet, pending.Id, pending.Location));
        var elsewhere = await Assert.ThrowsAsync<BadInputException>(() => Add(fleet, pending.Id, machine.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => Add(fleet, pending.Id, LocationId.New(TimeProvider.System)));

        Assert.Contains("already", own.Message, StringComparison.Ordinal);
        Assert.Contains("another machine", elsewhere.Message, StringComparison.Ordinal);
    }
}
