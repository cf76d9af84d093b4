using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>Repositories that stock restic made: how they are attached, what a look makes known, and what their owner
/// has to allow.</summary>
public sealed class AdoptionTests(SchedulerDatabases databases)
{
    static readonly DateTimeOffset Noon = new(2026, 1, 2, 12, 0, 0, TimeSpan.Zero);
    static readonly string Config = new('c', 64);

    static AdoptRepositoryRequest Folder(HostId host, string name = "Laptops") => new()
    {
        Name = name,
        Host = host,
        Address = "/srv/restic",
        Password = "restic's own",
    };

    static Task<RepositoryAdopted> Adopt(Fleet fleet, AdoptRepositoryRequest request)
        => fleet.Get<AdoptRepository>().Handle(TestNode.Admin, request, Fleet.NoStop);

    static async Task<RepositorySummary> Repository(Fleet fleet, RepositoryId id)
        => (await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), Fleet.NoStop))
            .Single(one => one.Id == id);

    static Task<IReadOnlyList<RecoveryPoint>> Points(Fleet fleet, RepositoryId? repository = null, RecoveryPointId? before = null,
        int limit = 200) => fleet.Get<ListRecoveryPoints>().Handle(TestNode.Admin,
            new ListRecoveryPointsRequest(null, limit, repository, before), Fleet.NoStop);

    static Task<RunStarted> Look(Fleet fleet, RepositoryId repository, string? password = null)
        => fleet.Get<LookAgain>().Handle(TestNode.Admin, new LookAgainRequest(repository, password), Fleet.NoStop);

    static Task Allow(Fleet fleet, RepositoryId repository, bool allowed)
        => fleet.Get<AllowUpkeep>().Handle(TestNode.Admin, new AllowUpkeepRequest(repository, allowed), Fleet.NoStop);

    static Task Remove(Fleet fleet, RepositoryId repository)
        => fleet.Get<RemoveRepository>().Handle(TestNode.Admin, new RemoveRepositoryRequest(repository), Fleet.NoStop);

    static FoundSnapshot Snapshot(char id, int day = 0, string path = "/srv/data") => new()
    {
        SnapshotId = new string(id, 64),
        TakenAt = Noon.AddDays(day),
        HostName = "laptop",
        UserName = "anna",
        Paths = [path],
        Tags = ["weekly"],
        ProgramVersion = "restic 0.17.3",
        Files = 7,
        Bytes = 4096,
    };

    static JobResult Looked(params FoundSnapshot[] found) => new()
    {
        Outcome = JobOutcome.Complete,
        ConfigId = Config,
        Adopt = new AdoptResult { Snapshots = [.. found.OrderByDescending(one => one.TakenAt)], SnapshotCount = found.Length },
    };

    static JobResult Failed(string code, string message)
        => new() { Outcome = JobOutcome.Failed, Error = new JobError(code, message, "Do this.", false) };

    static async Task<(HostId Host, RepositoryId Repository)> Adopted(Fleet fleet, params FoundSnapshot[] found)
    {
        var host = await fleet.AddHost();
        var made = await Adopt(fleet, Folder(host));
        await fleet.Finish(host, _ => Looked(found));
        return (host, made.Repository);
    }

    static Task<Policy> Continue(Fleet fleet, HostId host, RepositoryId repository, bool runNow = true)
        => fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
        {
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } })],
            Repository = repository,
            RunNow = runNow,
        }, Fleet.NoStop);

    static Task<Location> Far(Fleet fleet) => fleet.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
    {
        Name = "Far",
        Kind = LocationKind.S3,
        Address = "s3:https://far.example.org/backups",
    }, Fleet.NoStop);

    [Fact]
    public async Task What_an_agent_finds_becomes_recovery_points_with_what_restic_recorded()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var made = await Adopt(fleet, Folder(host));
        var before = await Repository(fleet, made.Repository);

        var run = await fleet.Finish(host, _ => Looked(Snapshot('a'), Snapshot('b', 1, "/srv/anna")));

        Assert.Equal((JobKind.Adopt, made.Run), (run.Job.Kind, run.RunId));
        Assert.Equal(("/srv/restic", "restic's own", null), (run.Job.Repository.Url, run.Job.Repository.Password,
            run.Job.Repository.ConfigId));
        Assert.Equal((RepositoryState.Pending, true), (before.State, before.Adoption!.IsLooking));
        var after = await Repository(fleet, made.Repository);
        Assert.Equal((RepositoryState.Ready, Config, 2), (after.State, after.ConfigId, after.RecoveryPoints));
        Assert.Equal(("Laptops", null, false, false), (after.Adoption!.Name, after.Adoption.Problem, after.Adoption.IsLooking,
            after.Adoption.UpkeepAllowed));
        var points = await Points(fleet, made.Repository);
        Assert.Equal(["/srv/anna on laptop", "/srv/data on laptop"], points.Select(point => point.ItemName));
        Assert.All(points, point => Assert.Equal((null, null, host, true, "Laptops"),
            (point.Item, point.Proof, point.Host, point.IsComplete, Assert.Single(point.Locations))));
        Assert.Equal(("anna", 4096L, 7L), (points[0].Found!.UserName, points[0].Backup.Bytes, points[0].Backup.Files));
        // Ten thousand of them are not carried along in every list of runs.
        var kept = (await fleet.Show(made.Run)).Result!.Adopt!;
        Assert.Equal((2, 0), (kept.SnapshotCount, kept.Snapshots.Count));
        Assert.Equal(1, await fleet.Node.Db.Scalar<long>("select count(*) from audit where action = 'repository.adopt'", [], Fleet.NoStop));
    }

    [Fact]
    public async Task A_password_is_sealed_and_shown_in_no_text()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var request = Folder(host);
        var made = await Adopt(fleet, request);

        var row = await fleet.Node.Db.Scalar<byte[]>("select password_sealed from repository where id = $1", [made.Repository],
            Fleet.NoStop);

        Assert.DoesNotContain("restic's own", System.Text.Encoding.Latin1.GetString(row!), StringComparison.Ordinal);
        Assert.DoesNotContain("restic's own", request.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("other", new LookAgainRequest(made.Repository, "other").ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("repository.wrong_password", "Wrong password: none of the 1 key file(s) opens with it.")]
    [InlineData("repository.missing", "There is no repository at /srv/restic.")]
    [InlineData("repository.damaged", "index aaaa: its bytes do not match its name.")]
    public async Task A_look_that_fails_attaches_nothing_and_can_be_tried_again(string code, string message)
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var made = await Adopt(fleet, Folder(host));
        await fleet.Finish(host, _ => Failed(code, message));

        var failed = await Repository(fleet, made.Repository);
        var refused = await Assert.ThrowsAsync<ConflictException>(() => Continue(fleet, host, made.Repository));
        await Look(fleet, made.Repository, "the right one");
        var again = await fleet.Finish(host, _ => Looked(Snapshot('a')));

        Assert.Equal((RepositoryState.Failed, message, 0), (failed.State, failed.Adoption!.Problem, failed.RecoveryPoints));
        Assert.Equal("repository.not_ready", refused.Code);
        Assert.Equal("the right one", again.Job.Repository.Password);
        Assert.Equal((RepositoryState.Ready, 1), ((await Repository(fleet, made.Repository)) is var now ? (now.State, now.RecoveryPoints)
            : default));
    }

    [Fact]
    public async Task A_failed_adoption_is_removed_and_leaves_nothing()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var made = await Adopt(fleet, Folder(host));
        var busy = await Assert.ThrowsAsync<ConflictException>(() => Remove(fleet, made.Repository));
        await fleet.Finish(host, _ => Failed("repository.missing", "There is no repository."));

        await Remove(fleet, made.Repository);

        Assert.Equal("repository.busy", busy.Code);
        Assert.Empty(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), Fleet.NoStop));
        Assert.Empty(await fleet.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), Fleet.NoStop));
        Assert.Empty(await fleet.Runs());
        // The same again, under the same name.
        var again = await Adopt(fleet, Folder(host));
        await fleet.Finish(host, _ => Looked(Snapshot('a')));
        await Remove(fleet, again.Repository);
        Assert.Empty(await Points(fleet));
    }

    [Fact]
    public async Task A_request_that_is_repeated_attaches_nothing_twice()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var request = Folder(host) with { Id = RepositoryId.New(TimeProvider.System) };

        var first = await Adopt(fleet, request);
        var second = await Adopt(fleet, request);

        Assert.Equal(first, second);
        Assert.Single(await fleet.Runs(JobKind.Adopt));
    }

    [Fact]
    public async Task Looking_again_finds_what_is_new_and_marks_what_is_gone()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'), Snapshot('b', 1));
        await Look(fleet, repository);

        var run = await fleet.Finish(host, _ => Looked(Snapshot('b', 1), Snapshot('d', 2)));

        Assert.Equal(Config, run.Job.Repository.ConfigId);
        var points = await Points(fleet, repository);
        Assert.Equal("dba", string.Concat(points.Select(point => point.SnapshotId[0])));
        Assert.Equal([false, false, true], points.Select(point => point.GoneAt is not null));
        var now = await Repository(fleet, repository);
        Assert.Equal((2, 1), (now.RecoveryPoints, now.Adoption!.Gone));
        Assert.Empty(points[2].Locations);
        var gone = points[2].Id;
        Assert.Equal("point.gone", (await Assert.ThrowsAsync<ConflictException>(() => fleet.Get<RequestRestore>().Handle(TestNode.Admin,
            new RequestRestoreRequest { Point = gone }, Fleet.NoStop))).Code);
        Assert.Equal("point.gone", (await Assert.ThrowsAsync<ConflictException>(() => fleet.Get<RequestDrill>().Handle(TestNode.Admin,
            new RequestDrillRequest(gone), Fleet.NoStop))).Code);
        Assert.Equal("point.gone", (await Assert.ThrowsAsync<ConflictException>(() => fleet.Get<BrowseRecoveryPoint>()
            .Handle(TestNode.Admin, new BrowseRecoveryPointRequest(gone, FilePath.FromText("/")), Fleet.NoStop))).Code);

        // It came back, from a copy of the repository.
        await Look(fleet, repository);
        await fleet.Finish(host, _ => Looked(Snapshot('a'), Snapshot('b', 1), Snapshot('d', 2)));
        Assert.Equal((3, 0), (await Repository(fleet, repository)) is var back ? (back.RecoveryPoints, back.Adoption!.Gone) : default);
    }

    [Fact]
    public async Task What_a_look_could_not_read_or_had_no_room_for_is_not_gone()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'), Snapshot('b', 1), Snapshot('d', 2));
        await Look(fleet, repository);

        await fleet.Finish(host, _ => Looked(Snapshot('d', 2)) is var looked ? looked with
        {
            Outcome = JobOutcome.Incomplete,
            Adopt = looked.Adopt! with
            {
                SnapshotCount = 2,
                NotListed = 1,
                Problems = [new SnapshotProblem(new string('b', 64), "tree 1234: its bytes are not what they should be.")],
                ProblemCount = 1,
            },
        } : looked);

        var now = await Repository(fleet, repository);
        Assert.Equal((RepositoryState.Ready, 3, 0), (now.State, now.RecoveryPoints, now.Adoption!.Gone));
        Assert.Contains("tree 1234", now.Adoption.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_later_look_that_fails_takes_nothing_away()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        await Look(fleet, repository);

        await fleet.Finish(host, _ => Failed("store.unavailable", "The disk is not mounted."));

        var now = await Repository(fleet, repository);
        Assert.Equal((RepositoryState.Ready, 1, "The disk is not mounted."), (now.State, now.RecoveryPoints, now.Adoption!.Problem));
    }

    [Fact]
    public async Task A_recovery_point_is_restored_beside_its_recorded_path_and_drilled_without_an_item()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        var point = Assert.Single(await Points(fleet, repository));

        var plan = await fleet.Get<PlanRestore>().Handle(TestNode.Admin, new PlanRestoreRequest(Point: point.Id), Fleet.NoStop);
        await fleet.Get<RequestRestore>().Handle(TestNode.Admin, new RequestRestoreRequest { Point = point.Id }, Fleet.NoStop);
        var restore = await fleet.Finish(host, run => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Restore = new RestoreResult { Target = run.Job.Restore!.Target },
        });
        await fleet.Get<RequestDrill>().Handle(TestNode.Admin, new RequestDrillRequest(point.Id), Fleet.NoStop);
        var drill = await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));

        Assert.Null(plan.Item);
        Assert.Equal(point.Id, plan.Point!.Id);
        Assert.StartsWith("/srv/data.restored-", plan.Target.ToString(), StringComparison.Ordinal);
        Assert.StartsWith("/srv/data.restored-", restore.Job.Restore!.Target.ToString(), StringComparison.Ordinal);
        Assert.Equal((point.SnapshotId, null), (drill.Job.Drill!.SnapshotId, drill.Job.Drill.LiveSource));
        Assert.Equal(ProofResult.Proven, Assert.Single(await Points(fleet, repository)).Proof);
        Assert.Equal(2, await fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind in ('restore', 'drill')", [],
            Fleet.NoStop));
    }

    [Fact]
    public async Task A_policy_of_its_host_continues_it_and_of_no_other()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        var other = await fleet.AddHost("web-2");

        var elsewhere = await Assert.ThrowsAsync<BadInputException>(() => Continue(fleet, other, repository));
        var policy = await Continue(fleet, host, repository);
        var backup = await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'e'));

        Assert.Equal("repository", elsewhere.Field);
        Assert.Equal((JobKind.Backup, repository, "/srv/restic"), (backup.Job.Kind, backup.Job.Repository.Id, backup.Job.Repository.Url));
        Assert.Equal(Config, backup.Job.Repository.ConfigId);
        var item = await fleet.OnlyItem();
        Assert.Equal((1, repository), (item.RecoveryPoints, item.Repository));
        Assert.Equal(2, (await Repository(fleet, repository)).RecoveryPoints);
        Assert.Equal("repository.in_use", (await Assert.ThrowsAsync<ConflictException>(async () =>
        {
            await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
            await Remove(fleet, repository);
        })).Code);
        Assert.Equal(policy.Id, item.Policy);
    }

    [Fact]
    public async Task A_snapshot_that_a_look_and_a_backup_both_tell_of_is_one_point_of_the_item()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        await Continue(fleet, host, repository);
        var backup = (await fleet.Lease(host))!;
        await Look(fleet, repository);
        await fleet.Finish(host, _ => Looked(Snapshot('a'), Snapshot('e', 3)));

        await fleet.Complete(host, backup, Fleet.Backup(snapshot: 'e'));

        var points = await Points(fleet, repository);
        Assert.Equal(2, points.Count);
        var ours = Assert.Single(points, point => point.Item is not null);
        Assert.Equal((backup.RunId, null), (ours.Run, ours.Found));
        Assert.Equal(ours.Id, (await fleet.Show(backup.RunId)).RecoveryPoint);
    }

    [Fact]
    public async Task A_point_of_ours_that_somebody_forgot_counts_for_no_objective()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        await Continue(fleet, host, repository);
        await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'e'));
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        await fleet.Node.PassTime(TimeSpan.FromSeconds(5));
        var before = await fleet.OnlyItem();
        await Look(fleet, repository);

        await fleet.Finish(host, _ => Looked(Snapshot('a')));

        var after = await fleet.OnlyItem();
        Assert.NotNull(before.LastProvenPoint);
        Assert.Equal((0, null, null), (after.RecoveryPoints, after.LastPoint, after.LastProvenPoint));
    }

    [Fact]
    public async Task A_point_that_lies_in_a_further_place_comes_back_from_there_and_is_not_gone()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        var far = await Far(fleet);
        await Allow(fleet, repository, true);
        await fleet.Get<AddReplica>().Handle(TestNode.Admin, new AddReplicaRequest(repository, far.Id), Fleet.NoStop);
        await fleet.Finish(host, run => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Replicate = new ReplicateResult
            {
                Places = [.. new[] { run.Job.Repository.Location!.Value, far.Id }.Select(place => new ReplicatedPlaceResult
                {
                    Location = place,
                    Snapshots = [new string('a', 64)],
                })],
            },
        });
        await Look(fleet, repository);

        await fleet.Finish(host, _ => Looked());

        Assert.Equal((1, 0), (await Repository(fleet, repository)) is var now ? (now.RecoveryPoints, now.Adoption!.Gone) : default);
    }

    [Fact]
    public async Task Without_the_owners_word_nothing_that_removes_or_rewrites_is_started_or_handed_out()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        var far = await Far(fleet);
        Task<RunStarted> Add() => fleet.Get<AddReplica>().Handle(TestNode.Admin, new AddReplicaRequest(repository, far.Id), Fleet.NoStop);

        var refused = await Assert.ThrowsAsync<ConflictException>(Add);
        await Allow(fleet, repository, true);
        var started = await Add();
        await Allow(fleet, repository, false);

        Assert.Equal("repository.upkeep", refused.Code);
        Assert.Null(await fleet.Lease(host));   // it waits, and says for what
        Assert.Contains("owner", (await fleet.Show(started.Run)).WaitsFor, StringComparison.Ordinal);
        Assert.Equal("repository.upkeep", (await Assert.ThrowsAsync<ConflictException>(() => fleet.Get<ReplicateRepository>()
            .Handle(TestNode.Admin, new ReplicateRepositoryRequest(repository), Fleet.NoStop))).Code);
        Assert.Equal("repository.upkeep", (await Assert.ThrowsAsync<ConflictException>(async () =>
        {
            await fleet.Get<CancelRun>().Handle(TestNode.Admin, new CancelRunRequest(started.Run), Fleet.NoStop);
            await fleet.Get<RetryRun>().Handle(TestNode.Admin, new RetryRunRequest(started.Run), Fleet.NoStop);
        })).Code);

        // A read that heals is upkeep as well: the further place is not named to the agent. A backup only adds, and goes on.
        await Continue(fleet, host, repository);
        var backup = await fleet.Finish(host, _ => Fleet.Backup(snapshot: 'e'));
        Assert.Equal((JobKind.Backup, null), (backup.Job.Kind, backup.Job.Repository.Replicas));
        await Allow(fleet, repository, true);
        var adoption = (await Repository(fleet, repository)).Adoption!;
        Assert.Contains(TestNode.Admin.Name, adoption.UpkeepReason, StringComparison.Ordinal);
        Assert.Equal(3, await fleet.Node.Db.Scalar<long>("select count(*) from audit where action = 'repository.upkeep'", [],
            Fleet.NoStop));
    }

    [Fact]
    public async Task Only_adopted_repositories_ask_for_the_owners_word()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        var ours = Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), Fleet.NoStop));

        Assert.Null(ours.Adoption);
        await Assert.ThrowsAsync<NotFoundException>(() => Allow(fleet, ours.Id, false));
        await Assert.ThrowsAsync<NotFoundException>(() => Look(fleet, ours.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => Remove(fleet, ours.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => Continue(fleet, host, ours.Id));
    }

    [Fact]
    public async Task The_place_of_an_adopted_repository_is_used_for_nothing_else()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, repository) = await Adopted(fleet, Snapshot('a'));
        var place = Assert.Single(await fleet.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), Fleet.NoStop));

        var policy = await fleet.Protect(host, "/srv/other");
        var wanted = await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<CreatePolicy>().Handle(TestNode.Admin,
            new CreatePolicyRequest { Items = [new NewItem(host, policy.Items[0].Source)], Location = place.Id }, Fleet.NoStop));
        var bucket = await Adopt(fleet, Folder(host, "Bucket") with { Address = "s3:https://s3.example.org/restic" });
        var closed = (await fleet.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), Fleet.NoStop))
            .Single(location => location.Name == "Bucket");

        Assert.True(place.IsClosed);
        Assert.NotEqual(repository, policy.Items[0].Repository);
        Assert.NotEqual(place.Id, (await Repository(fleet, policy.Items[0].Repository)).Location);
        Assert.Equal("location", wanted.Field);
        Assert.Equal("location.closed", (await Assert.ThrowsAsync<ConflictException>(() => fleet.Get<TestLocation>().Handle(TestNode.Admin,
            new TestLocationRequest { Id = closed.Id }, Fleet.NoStop))).Code);
        Assert.Equal("location", (await Assert.ThrowsAsync<BadInputException>(async () =>
        {
            await Allow(fleet, repository, true);
            await fleet.Get<AddReplica>().Handle(TestNode.Admin, new AddReplicaRequest(repository, closed.Id), Fleet.NoStop);
        })).Field);
        Assert.NotEqual(repository, bucket.Repository);
    }

    [Fact]
    public async Task In_a_location_that_is_here_already_a_path_says_where()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var bucket = await fleet.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
        {
            Name = "Bucket",
            Kind = LocationKind.S3,
            Address = "s3:https://s3.example.org/old",
            Credentials = new StoreCredentials { AccessKey = "AKIAEXAMPLE", SecretKey = "a-secret" },
        }, Fleet.NoStop);
        var request = Folder(host, "Anna") with { Address = null, Location = bucket.Id, Path = "/laptops//anna/" };

        await Adopt(fleet, request);
        var run = await fleet.Finish(host, _ => Looked(Snapshot('a')));
        var again = await Assert.ThrowsAsync<ConflictException>(() => Adopt(fleet, request with { Path = "laptops/anna" }));

        Assert.Equal("s3:https://s3.example.org/old/laptops/anna", run.Job.Repository.Url);
        Assert.Equal("a-secret", run.Job.Repository.Variables!["AWS_SECRET_ACCESS_KEY"]);
        Assert.Equal("repository.attached", again.Code);
    }

    [Fact]
    public async Task A_REST_server_holds_adopted_repositories_only()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var request = Folder(host) with { Address = "rest:https://rest.example.org:8000/anna" };

        var inAddress = await Assert.ThrowsAsync<BadInputException>(() => Adopt(fleet, request with
        {
            Address = "rest:https://anna:secret@rest.example.org/",
        }));
        var half = await Assert.ThrowsAsync<BadInputException>(() => Adopt(fleet, request with
        {
            Credentials = new StoreCredentials { UserPassword = "secret" },
        }));
        await Adopt(fleet, request with { Credentials = new StoreCredentials { User = "anna", UserPassword = "secret" } });
        var run = await fleet.Finish(host, _ => Looked(Snapshot('a')));
        var ours = await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<CreateLocation>().Handle(TestNode.Admin,
            new CreateLocationRequest { Name = "Ours", Kind = LocationKind.Rest, Address = "rest:https://other.example.org/" },
            Fleet.NoStop));

        Assert.Equal(("address", "user", "kind"), (inAddress.Field, half.Field, ours.Field));
        Assert.DoesNotContain("secret", inAddress.Message + inAddress.Hint, StringComparison.Ordinal);
        Assert.Equal("rest:https://rest.example.org:8000/anna/", run.Job.Repository.Url);
        Assert.Equal(("anna", "secret"), (run.Job.Repository.Variables!["RESTIC_REST_USERNAME"],
            run.Job.Repository.Variables["RESTIC_REST_PASSWORD"]));
    }

    [Theory]
    [InlineData("address", "no-address", null)]
    [InlineData("address", "sftp:host:/srv", null)]
    [InlineData("address", "s3:https://host-without-bucket", null)]
    [InlineData("address", "", null)]
    [InlineData("path", "/srv/restic", "sub")]
    [InlineData("path", "/srv/../etc", null)]
    public async Task An_address_that_is_none_is_refused_by_its_field(string field, string address, string? path)
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();

        var refused = await Assert.ThrowsAsync<BadInputException>(() => Adopt(fleet, Folder(host) with { Address = address, Path = path }));

        Assert.Equal(field, refused.Field);
        Assert.NotNull(refused.Hint);
        Assert.Empty(await fleet.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), Fleet.NoStop));
    }

    [Fact]
    public async Task What_cannot_be_attached_is_refused_with_the_reason()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, other) = (await fleet.AddHost(), await fleet.AddHost("web-2"));
        var machine = await fleet.Get<CreateLocation>().Handle(TestNode.Admin,
            new CreateLocationRequest { Name = "Other", Path = FilePath.FromText("/srv/b"), Host = other }, Fleet.NoStop);
        async Task<string> Field(AdoptRepositoryRequest request)
            => (await Assert.ThrowsAsync<BadInputException>(() => Adopt(fleet, request))).Field;

        Assert.Equal("name", await Field(Folder(host, " ")));
        Assert.Equal("password", await Field(Folder(host) with { Password = "" }));
        Assert.Equal("host", await Field(Folder(HostId.New(TimeProvider.System))));
        Assert.Equal("credentials", await Field(Folder(host) with { Options = ["s3.region=eu"] }));
        Assert.Equal("host", await Field(Folder(host) with { Address = null, Location = machine.Id }));
        Assert.Equal("address", await Field(Folder(host) with { Location = machine.Id }));
        Assert.Equal("path", await Field(Folder(other) with { Address = null, Location = machine.Id, Path = "../etc" }));
        await Adopt(fleet, Folder(host));
        Assert.Equal("location.same_place", (await Assert.ThrowsAsync<ConflictException>(() => Adopt(fleet, Folder(host, "Twice")))).Code);
        Assert.Equal("location.exists", (await Assert.ThrowsAsync<ConflictException>(() => Adopt(fleet, Folder(host) with
        {
            Address = "/srv/third",
        }))).Code);
        // On another machine the same folder is another one.
        Assert.NotEqual(default, await Adopt(fleet, Folder(other, "Of the other")));
    }

    [Fact]
    public async Task Ten_thousand_snapshots_are_kept_and_listed_page_by_page()
    {
        const int Count = 10_000;
        await using var fleet = await Fleet.Start(databases);
        var found = Enumerable.Range(0, Count).Select(number => Snapshot('0') with
        {
            SnapshotId = number.ToString("x64", System.Globalization.CultureInfo.InvariantCulture),
            TakenAt = Noon.AddMinutes(number / 3),   // some share their moment
        }).ToArray();
        var (_, repository) = await Adopted(fleet, found);

        var seen = new HashSet<string>();
        RecoveryPointId? last = null;
        while (await Points(fleet, repository, last, 1000) is { Count: > 0 } page)
        {
            Assert.All(page, point => Assert.True(seen.Add(point.SnapshotId)));
            last = page[^1].Id;
        }

        Assert.Equal(Count, seen.Count);
        Assert.Equal(Count, (await Repository(fleet, repository)).RecoveryPoints);
    }
}
