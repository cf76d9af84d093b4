using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Restores;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>What can be changed about a location, and when it can go.</summary>
public sealed class LocationEditTests(SchedulerDatabases databases, S3Server s3)
{
    static readonly CancellationToken None = CancellationToken.None;

    static readonly CreateLocationRequest Bucket = new()
    {
        Name = "Bucket",
        Kind = LocationKind.S3,
        Address = "s3:https://s3.example.org/backups/fleet",
        Options = ["s3.region=eu-central-1"],
        Credentials = new StoreCredentials { AccessKey = "AKIAEXAMPLE", SecretKey = "secret" },
    };

    static Task<Location> Create(Fleet fleet, CreateLocationRequest request)
        => fleet.Get<CreateLocation>().Handle(TestNode.Admin, request, None);

    static Task<Location> Edit(Fleet fleet, Location location, Func<EditLocationRequest, EditLocationRequest> change)
        => fleet.Get<EditLocation>().Handle(TestNode.Admin, change(new EditLocationRequest
        {
            Id = location.Id,
            Name = location.Name,
            Options = location.Options,
            QuotaBytes = location.QuotaBytes,
        }), None);

    static Task Remove(Fleet fleet, Location location)
        => fleet.Get<RemoveLocation>().Handle(TestNode.Admin, new RemoveLocationRequest(location.Id), None);

    static Task<Location> Replace(Fleet fleet, Location location, StoreCredentials credentials, bool skipTest = false)
        => fleet.Get<ReplaceLocationCredentials>().Handle(TestNode.Admin,
            new ReplaceLocationCredentialsRequest { Id = location.Id, Credentials = credentials, SkipTest = skipTest }, None);

    static async Task<IReadOnlyList<Location>> All(Fleet fleet)
        => await fleet.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), None);

    static async Task<AuditEntry> LastAudit(Fleet fleet)
        => (await fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), None)).Entries[0];

    static Task<Policy> Protect(Fleet fleet, HostId host, Location location) => fleet.Get<CreatePolicy>().Handle(TestNode.Admin,
        new CreatePolicyRequest
        {
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } })],
            Location = location.Id,
        }, None);

    static async Task Init(Fleet fleet, HostId host) => await fleet.Finish(host,
        _ => new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });

    [Fact]
    public async Task Name_and_options_are_changed_and_the_audit_tells_what()
    {
        await using var fleet = await Fleet.Start(databases);
        var location = await Create(fleet, Bucket);

        var same = await Edit(fleet, location, edit => edit);
        var changed = await Edit(fleet, location, edit => edit with { Name = "Far bucket ", Options = [" s3.region=x"], SkipTest = true });

        Assert.Equal(location.Name, same.Name);
        Assert.Equal(("Far bucket", location.Address), (changed.Name, changed.Address));
        Assert.Equal(["s3.region=x"], changed.Options);
        Assert.Equal(location.CredentialsSetAt, changed.CredentialsSetAt);
        var audit = await LastAudit(fleet);
        Assert.Equal(("location.edit", "Bucket: now named Far bucket; options s3.region=x"), (audit.Action, audit.Detail));
    }

    [Fact]
    public async Task What_cannot_be_is_refused_with_its_field()
    {
        await using var fleet = await Fleet.Start(databases);
        var bucket = await Create(fleet, Bucket);
        var other = await Create(fleet, Bucket with { Name = "Other", Address = "s3:https://s3.example.org/other" });
        var folder = await Create(fleet, new CreateLocationRequest { Name = "NAS", Path = FilePath.FromText("/srv/nas") });

        var name = await Assert.ThrowsAsync<ConflictException>(() => Edit(fleet, bucket, edit => edit with { Name = "OTHER" }));
        var place = await Assert.ThrowsAsync<ConflictException>(() => Edit(fleet, bucket,
            edit => edit with { Address = other.Address, SkipTest = true }));
        var option = await Assert.ThrowsAsync<BadInputException>(() => Edit(fleet, bucket, edit => edit with { Options = ["s3.x=y"] }));
        var kind = await Assert.ThrowsAsync<BadInputException>(() => Edit(fleet, bucket, edit => edit with { Address = "/srv" }));
        var quota = await Assert.ThrowsAsync<BadInputException>(() => Edit(fleet, bucket, edit => edit with { QuotaBytes = 1 << 30 }));
        var moved = await Assert.ThrowsAsync<BadInputException>(() => Edit(fleet, folder, edit => edit with { Address = "/srv/other" }));

        Assert.Equal(("location.exists", "location.same_place"), (name.Code, place.Code));
        Assert.Equal(("options", "address", "quotaBytes", "address"), (option.Field, kind.Field, quota.Field, moved.Field));
        await Assert.ThrowsAsync<NotFoundException>(() => Edit(fleet, bucket with { Id = LocationId.New(TimeProvider.System) },
            edit => edit));
    }

    [Fact]
    public async Task Repositories_move_along_with_the_address_while_no_run_goes_there()
    {
        const string to = "s3:https://s3-2.example.org/backups";
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var location = await Create(fleet, Bucket);
        await Protect(fleet, host, location);
        var init = await fleet.Lease(host);
        Assert.Equal($"{location.Address}/{host}", init!.Job.Repository.Url);

        var busy = await Assert.ThrowsAsync<ConflictException>(() => Edit(fleet, location,
            edit => edit with { Address = to, SkipTest = true }));
        await fleet.Complete(host, init, new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        await Edit(fleet, location, edit => edit with { Address = to + "/", SkipTest = true });

        Assert.Equal("location.busy", busy.Code);
        Assert.Contains((await fleet.Show(init.RunId)).Title, busy.Message, StringComparison.Ordinal);
        Assert.Equal($"{to}/{host}", (await fleet.Lease(host))!.Job.Repository.Url);
    }

    [Fact]
    public async Task Agents_are_told_the_bandwidth_but_for_a_restore_and_for_what_somebody_waits_for()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var location = await Create(fleet, Bucket with { Bandwidth = " 08:00-18:00 20MiB/s " });
        await Protect(fleet, host, location);
        await Init(fleet, host);
        var backup = await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        var point = (await fleet.Get<ListRecoveryPoints>().Handle(TestNode.Admin, new ListRecoveryPointsRequest(), None))[0].Id;
        await fleet.Get<RequestRestore>().Handle(TestNode.Admin, new RequestRestoreRequest { Point = point }, None);

        var restore = (await fleet.Lease(host))!;
        var none = await Edit(fleet, location, edit => edit with { Bandwidth = "unlimited" });
        var folder = await Assert.ThrowsAsync<BadInputException>(() => Create(fleet,
            new CreateLocationRequest { Name = "NAS", Path = FilePath.FromText("/srv/nas"), Bandwidth = "1 MiB/s" }));

        const string words = "08:00-18:00 20 MiB/s, else unlimited";
        Assert.Equal((words, words), (location.Bandwidth, backup.Job.Repository.Bandwidth));
        Assert.Equal((JobKind.Restore, null), (restore.Job.Kind, restore.Job.Repository.Bandwidth));
        Assert.Equal((null, "bandwidth"), (none.Bandwidth, folder.Field));
        Assert.Equal("Bucket: no limit of bandwidth", (await LastAudit(fleet)).Detail);
    }

    [Fact]
    public async Task Wrong_credentials_replace_nothing_and_right_ones_are_tested_before_they_count()
    {
        await using var fleet = await Fleet.Start(databases);
        var keys = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret };
        var location = await Create(fleet, Bucket with { Address = (await s3.NewBucket("fleet")).ToString(), Credentials = keys });
        var host = await fleet.AddHost();
        await Protect(fleet, host, location);

        var e = await Assert.ThrowsAsync<ConflictException>(() => Replace(fleet, location, keys with { SecretKey = "mistyped" }));
        await Init(fleet, host);
        var before = (await fleet.Lease(host))!.Job.Repository.Variables!;
        s3.Admin("key", "create", "--uid", "backupdr", "--key-type", "s3", "--access-key", "rotated", "--secret-key", "rotated-secret");
        var replaced = await Replace(fleet, location, new StoreCredentials { AccessKey = "rotated", SecretKey = "rotated-secret" });

        Assert.Equal("location.not_usable", e.Code);
        Assert.Contains("The test with the new credentials failed.", e.Message, StringComparison.Ordinal);
        Assert.Contains("AWS_SECRET_ACCESS_KEY", e.Hint, StringComparison.Ordinal);
        Assert.DoesNotContain("mistyped", e.Message + e.Hint, StringComparison.Ordinal);
        Assert.Equal(S3Server.Access, before["AWS_ACCESS_KEY_ID"]);
        Assert.Equal(ProbeResult.Works, replaced.LastTest!.Lines[0].Result);
        Assert.Equal("Bucket: replaced", (await LastAudit(fleet)).Detail);
        var elsewhere = await Assert.ThrowsAsync<ConflictException>(() => Edit(fleet, replaced,
            edit => edit with { Address = replaced.Address.Replace("bucket-", "no-bucket-", StringComparison.Ordinal) }));
        Assert.Equal("location.not_usable", elsewhere.Code);
    }

    [Fact]
    public async Task A_run_that_is_refused_with_the_former_credentials_is_run_again_with_the_new_ones()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var location = await Create(fleet, Bucket);
        await Protect(fleet, host, location);
        await Init(fleet, host);
        var refused = new JobResult { Outcome = JobOutcome.Failed, Error = new JobError("store.denied", "No such key.", null, false) };

        var first = (await fleet.Lease(host))!;
        await Replace(fleet, location, new StoreCredentials { AccessKey = "new", SecretKey = "newer" }, skipTest: true);
        await fleet.Complete(host, first, refused);
        var again = (await fleet.Lease(host))!;
        await fleet.Complete(host, again, refused);

        Assert.Equal((JobKind.Backup, "AKIAEXAMPLE"), (first.Job.Kind, first.Job.Repository.Variables!["AWS_ACCESS_KEY_ID"]));
        Assert.Equal((JobKind.Backup, "new"), (again.Job.Kind, again.Job.Repository.Variables!["AWS_ACCESS_KEY_ID"]));
        Assert.NotEqual(first.RunId, again.RunId);
        Assert.Contains(await fleet.Log(first.RunId), line => line.Text.Contains(again.RunId.ToString(), StringComparison.Ordinal));
        Assert.Equal(RunState.Failed, (await fleet.Show(again.RunId)).State);
        Assert.Null(await fleet.Lease(host));   // the new ones are refused as well: a person has to look
    }

    [Fact]
    public async Task A_location_in_use_says_by_whom_and_where_to_go_and_an_unused_one_goes()
    {
        await using var fleet = await Fleet.Start(databases);
        var location = await Create(fleet, Bucket);
        var far = await Create(fleet, Bucket with { Name = "Far", Address = "s3:https://far.example.org/b" });
        var host = await fleet.AddHost("web-1");
        await Protect(fleet, host, location);
        await Init(fleet, host);
        var repository = Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), None));
        await fleet.Get<AddReplica>().Handle(TestNode.Admin, new AddReplicaRequest(repository.Id, far.Id), None);

        var own = await Assert.ThrowsAsync<ConflictException>(() => Remove(fleet, location));
        var copy = await Assert.ThrowsAsync<ConflictException>(() => Remove(fleet, far));
        await fleet.Get<RemoveReplica>().Handle(TestNode.Admin, new RemoveReplicaRequest(repository.Id, far.Id), None);
        await Remove(fleet, far);

        Assert.Equal(("location.in_use", "'Bucket' keeps the repository of web-1."), (own.Code, own.Message));
        Assert.Equal("'Far' keeps a replica of web-1.", copy.Message);
        Assert.Equal($"Stop keeping the replica first: /storage/{repository.Id}.", copy.Hint);
        Assert.Equal("Bucket", Assert.Single(await All(fleet)).Name);
        Assert.Equal("location.remove", (await LastAudit(fleet)).Action);
        await Assert.ThrowsAsync<NotFoundException>(() => Remove(fleet, far));
    }

    [Fact]
    public async Task The_folder_of_a_gateway_that_was_removed_can_be_anothers()
    {
        using var disk = new ScratchFolder();
        await using var fleet = await Fleet.Start(databases);
        var nas = new CreateLocationRequest { Name = "NAS", Kind = LocationKind.Gateway, Path = FilePath.FromText(disk.At("nas")) };
        var first = await Create(fleet, nas);
        await Assert.ThrowsAsync<ConflictException>(() => Create(fleet, nas with { Name = "Second" }));

        await Remove(fleet, first);
        var second = await Create(fleet, nas with { Name = "Second" });
        Directory.Delete(disk.At("nas"), recursive: true);
        await Remove(fleet, second);

        Assert.Empty(await All(fleet));
        Assert.NotEqual(first.Id, second.Id);
    }
}
