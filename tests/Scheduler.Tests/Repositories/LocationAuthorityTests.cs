using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit.Servers;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>A location whose server's certificate a private authority signed.</summary>
public sealed class LocationAuthorityTests(SchedulerDatabases databases, S3Server s3) : IDisposable
{
    static readonly CancellationToken None = CancellationToken.None;

    readonly TestAuthority _acme = new("Acme Root"), _other = new("Other Root");

    public void Dispose()
    {
        _acme.Dispose();
        _other.Dispose();
    }

    static Task<Location> Test(Fleet fleet, Location location)
        => fleet.Get<TestLocation>().Handle(TestNode.Admin, new TestLocationRequest { Id = location.Id }, None);

    static Task<Location> Trust(Fleet fleet, Location location, string? pem)
        => fleet.Get<EditLocation>().Handle(TestNode.Admin,
            new EditLocationRequest { Id = location.Id, Name = location.Name, AuthorityPem = pem, SkipTest = pem is null }, None);

    [Fact]
    public async Task It_is_told_by_a_test_given_later_and_handed_to_agents_and_into_the_kit()
    {
        var bucket = await s3.NewBucket("fleet");
        using var certificate = _acme.Sign("127.0.0.1");
        await using var front = await FaultProxy.Start(new Uri(s3.Endpoint), _ => ProxyFault.None, certificate: certificate);
        await using var fleet = await Fleet.Start(databases);
        var location = await fleet.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
        {
            Name = "Bucket",
            Kind = LocationKind.S3,
            Address = (bucket with { Endpoint = new Uri(front.Url) }).ToString(),
            Credentials = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret },
        }, None);

        var write = (await Test(fleet, location)).LastTest!.Lines[0];
        var wrong = await Assert.ThrowsAsync<ConflictException>(() => Trust(fleet, location, _other.Pem));
        var right = await Trust(fleet, location, $"{_acme.Pem}\r\n");

        Assert.Contains("signed by 'Acme Root'", write.Sentence, StringComparison.Ordinal);
        Assert.Contains("paste it into the location", write.Advice, StringComparison.Ordinal);
        Assert.Contains("not by the authority that was given", wrong.Message, StringComparison.Ordinal);
        Assert.Equal(ProbeResult.Works, right.LastTest!.Lines[0].Result);
        Assert.Equal(_acme.Pem + "\n", right.AuthorityPem);
        var host = await fleet.AddHost();
        await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
        {
            Items = [new NewItem(host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } })],
            Location = location.Id,
        }, None);
        var run = await fleet.Finish(host, _ => new JobResult { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        Assert.Equal(right.AuthorityPem, run.Job.Repository.AuthorityPem);
        var kit = (await fleet.Get<WriteRecoveryKit>().Handle(TestNode.Admin, new WriteRecoveryKitRequest(), None)).Text;
        Assert.Contains("restic snapshots --cacert authority.pem", kit, StringComparison.Ordinal);
        Assert.Contains(_acme.Pem.Split('\n')[1], kit, StringComparison.Ordinal);
        Assert.Null((await Trust(fleet, right with { Name = "Public" }, null)).AuthorityPem);
    }

    [Fact]
    public async Task Where_nobody_could_show_a_certificate_none_is_taken()
    {
        await using var fleet = await Fleet.Start(databases);
        CreateLocationRequest[] places =
        [
            new() { Name = "Plain", Kind = LocationKind.S3, Address = "s3:http://s3.example.org/b", AuthorityPem = _acme.Pem },
            new() { Name = "Folder", Path = FilePath.FromText("/srv"), AuthorityPem = _acme.Pem },
            new() { Name = "No root", Kind = LocationKind.S3, Address = "s3:https://s3.example.org/b", AuthorityPem = "no" },
        ];

        foreach (var place in places)
        {
            var e = await Assert.ThrowsAsync<BadInputException>(() => fleet.Get<CreateLocation>().Handle(TestNode.Admin, place, None));
            Assert.Equal("authority", e.Field);
        }
        Assert.DoesNotContain("location.create", (await fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), None))
            .Entries.Select(entry => entry.Action));
    }
}
