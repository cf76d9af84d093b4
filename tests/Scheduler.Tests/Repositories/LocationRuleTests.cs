using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit.Servers;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>Object lock and classes of a location: what is taken, what agents are told of it, and what is due.</summary>
public sealed class LocationRuleTests(SchedulerDatabases databases, S3Server s3)
{
    static readonly CreateLocationRequest Bucket = new()
    {
        Name = "Bucket",
        Kind = LocationKind.S3,
        Address = "s3:https://s3.example.org/backups",
        Credentials = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret },
    };

    static readonly CreateLocationRequest Container = new() { Name = "Container", Kind = LocationKind.Azure, Address = "azure:backups:/" };

    static Task<Location> Create(Fleet fleet, CreateLocationRequest request)
        => fleet.Get<CreateLocation>().Handle(TestNode.Admin, request, default);

    static async Task<RepositorySummary> Repository(Fleet fleet)
        => Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), default));

    [Fact]
    public async Task A_lock_is_tried_before_it_is_kept_and_handed_to_agents_as_options()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var plain = Bucket with { Address = (await s3.NewBucket("plain")).ToString(), Lock = new LocationLock(30) };
        var locked = Bucket with { Address = (await s3.NewLockedBucket()).ToString(), Lock = new LocationLock(30, LockMode.Compliance) };

        var refused = await Assert.ThrowsAsync<BadInputException>(() => Create(fleet, plain));
        var denied = await Assert.ThrowsAsync<BadInputException>(() => Create(fleet, locked with
        {
            Credentials = Bucket.Credentials! with { SecretKey = "mistyped" },
        }));
        var made = await Create(fleet, locked);
        await fleet.Protect(host, "/srv/data");
        var access = (await fleet.Lease(host))!.Job.Repository;

        Assert.Equal(("lock", "lock"), (refused.Field, denied.Field));
        Assert.Contains("make a new one with it", refused.Hint, StringComparison.Ordinal);
        Assert.Equal(locked.Lock, made.Lock);
        Assert.Equal(["s3.retention-days=30", "s3.retention-mode=compliance"], access.Options!);
        Assert.Equal(locked.Lock, (await Repository(fleet)).Lock);
    }

    [Fact]
    public async Task A_lock_is_changed_and_lifted_and_no_class_goes_with_it()
    {
        await using var fleet = await Fleet.Start(databases);
        var made = await Create(fleet, Bucket with { Address = (await s3.NewLockedBucket()).ToString() });
        Task<Location> Lock(LocationLock? rule) => fleet.Get<SetLocationLock>().Handle(TestNode.Admin,
            new SetLocationLockRequest(made.Id, rule), default);
        Task<Location> Tier(TierRule? rule) => fleet.Get<SetLocationTier>().Handle(TestNode.Admin,
            new SetLocationTierRequest(made.Id, rule), default);

        Assert.Equal(7, (await Lock(new LocationLock(7))).Lock!.Days);
        var both = await Assert.ThrowsAsync<BadInputException>(() => Tier(new TierRule("GLACIER_IR", 30)));
        Assert.Null((await Lock(null)).Lock);
        Assert.Equal("GLACIER_IR", (await Tier(new TierRule("GLACIER_IR", 30))).Tier!.Class);
        var also = await Assert.ThrowsAsync<BadInputException>(() => Lock(new LocationLock(7)));
        Assert.Null((await Tier(null)).Tier);

        Assert.Equal(("tier", "tier"), (both.Field, also.Field));
        Assert.Contains("lifecycle", both.Hint, StringComparison.Ordinal);
        var audit = (await fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), default)).Entries;
        Assert.Equal(["Bucket: none", "Bucket: GLACIER_IR after 30 days", "Bucket: none", "Bucket: 7 days, Governance"],
            audit.Where(entry => entry.Action is "location.lock" or "location.tier").Select(entry => entry.Detail));
    }

    public static TheoryData<string, CreateLocationRequest> Refused => new()
    {
        { "lock", Bucket with { Lock = new LocationLock(0) } },
        { "lock", Bucket with { Lock = new LocationLock(40_000) } },
        { "lock", Container with { Lock = new LocationLock(30) } },
        { "lock", new CreateLocationRequest { Name = "x", Path = FilePath.FromText("/srv"), Lock = new LocationLock(30) } },
        { "tier", new CreateLocationRequest { Name = "x", Path = FilePath.FromText("/srv"), Tier = new TierRule("Cool", 30) } },
        { "tier", Bucket with { Tier = new TierRule("STANDARD_IA", -1) } },
        { "tier", Bucket with { Tier = new TierRule("two words", 1) } },
        { "tier", Bucket with { Tier = new TierRule("STANDARD_IA", 1), Lock = new LocationLock(30) } },
        { "tier", Container with { Tier = new TierRule("GLACIER", 30) } },
        { "options", Bucket with { Options = ["s3.retention-days=30"] } },
    };

    [Theory, MemberData(nameof(Refused))]
    public async Task What_cannot_be_is_refused_with_the_field(string field, CreateLocationRequest request)
    {
        await using var fleet = await Fleet.Start(databases);

        var e = await Assert.ThrowsAsync<BadInputException>(() => Create(fleet, request));

        Assert.Equal(field, e.Field);
        Assert.NotNull(e.Hint);
    }

    [Fact]
    public async Task Once_a_day_a_run_moves_what_is_due_and_the_repository_tells_of_it()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var location = await Create(fleet, Container with { Tier = new TierRule("Archive", 30) });
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var due = fleet.Get<UpkeepDue>();

        Assert.Equal(0, await due.Run(JobKind.Tier, default));
        await fleet.Node.PassTime(TimeSpan.FromHours(25));
        Assert.Equal(1, await due.Run(JobKind.Tier, default));
        Assert.Equal(0, await due.Run(JobKind.Tier, default));
        var waiting = (await Repository(fleet)).Tiering!;
        var run = await fleet.Finish(host, _ => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Tier = new TierResult
            {
                Places = [new TieredPlaceResult { Location = location.Id, Class = "Archive", Moved = 3, MovedBytes = 50 }],
            },
        });
        var after = (await Repository(fleet)).Tiering!;

        Assert.Equal((JobKind.Tier, new TierRule("Archive", 30)), (run.Job.Kind, run.Job.Repository.Tier));
        Assert.Equal((run.RunId, RunState.Queued, null), (waiting.LastRun, waiting.LastState, waiting.DueAt));
        Assert.Equal(new TieredLocation(location.Id, "Container", new TierRule("Archive", 30)), Assert.Single(after.Rules));
        Assert.Equal((RunState.Complete, 3), (after.LastState, Assert.Single(after.LastResult!.Places).Moved));
        Assert.Equal(after.LastAt!.Value.UtcDateTime.AddDays(1), after.DueAt!.Value.UtcDateTime, TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task What_a_restore_thaws_is_not_moved_back_before_it_is_read()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await Create(fleet, Container with { Tier = new TierRule("Archive", 0) });
        await fleet.ProtectReady(host, "/srv/data");
        var backup = await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        await fleet.Get<RequestRestore>().Handle(TestNode.Admin, new RequestRestoreRequest
        {
            Point = (await fleet.Show(backup.RunId)).RecoveryPoint!.Value,
            Thaw = new ThawConsent(),
        }, default);
        await fleet.Finish(host, _ => new JobResult
        {
            Outcome = JobOutcome.Waiting,
            Archived = new ArchivedPacks { Packs = 1, Words = "1 pack in Archive" },
        });
        await fleet.Node.PassTime(TimeSpan.FromHours(25));

        Assert.Equal(0, await fleet.Get<UpkeepDue>().Run(JobKind.Tier, default));
        await fleet.Finish(host, run => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Restore = new RestoreResult { Target = run.Job.Restore!.Target },
        });
        Assert.Equal(1, await fleet.Get<UpkeepDue>().Run(JobKind.Tier, default));
    }

    [Fact]
    public async Task The_place_of_an_adopted_repository_is_not_written_to_by_a_trial()
    {
        await using var fleet = await Fleet.Start(databases);
        var location = await Create(fleet, Bucket);   // where nobody answers
        await fleet.Node.Db.Execute("update location set is_closed = true where id = $1", [location.Id], default);

        var locked = await fleet.Get<SetLocationLock>().Handle(TestNode.Admin,
            new SetLocationLockRequest(location.Id, new LocationLock(30)), default);

        Assert.Equal(new LocationLock(30), locked.Lock);
    }

    [Fact]
    public async Task Somebody_moves_now_and_one_run_is_enough()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var location = await Create(fleet, Container);
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var repository = (await Repository(fleet)).Id;
        Task<RunStarted> Move() => fleet.Get<StartUpkeep>().Handle(TestNode.Admin,
            new StartUpkeepRequest(repository, JobKind.Tier), default);

        Assert.Equal("repository.no_tier", (await Assert.ThrowsAsync<ConflictException>(Move)).Code);
        await fleet.Get<SetLocationTier>().Handle(TestNode.Admin, new SetLocationTierRequest(location.Id, new TierRule("Cold", 1)),
            default);
        var (first, second) = (await Move(), await Move());
        var run = await fleet.Lease(host);

        Assert.Equal(first, second);
        Assert.Equal((first.Run, new TierRule("Cold", 1)), (run!.RunId, run.Job.Repository.Tier));
    }
}
