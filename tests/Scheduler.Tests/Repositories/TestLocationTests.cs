using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

[assembly: AssemblyFixture(typeof(S3Server))]
[assembly: AssemblyFixture(typeof(AzuriteServer))]

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>A node tests a location and keeps what it found.</summary>
public sealed class TestLocationTests(SchedulerDatabases databases, S3Server s3, AzuriteServer azure)
{
    static Task<Location> Create(TestNode node, CreateLocationRequest request)
        => node.Get<CreateLocation>().Handle(TestNode.Admin, request, default);

    static Task<Location> Test(TestNode node, LocationId id)
        => node.Get<TestLocation>().Handle(TestNode.Admin, new TestLocationRequest { Id = id }, default);

    static ProbeLine Write(Location location) => location.LastTest!.Lines.First(line => line.Ability == ProbedAbility.Write);

    static void Works(Location location, params IEnumerable<ProbedAbility> but) => Assert.Equal(but,
        location.LastTest!.Lines.Where(line => line.Result != ProbeResult.Works).Select(line => line.Ability));

    [Fact]
    public async Task What_was_found_is_kept_with_the_location_and_noted_in_the_audit()
    {
        await using var node = await TestNode.Start(databases);
        var made = await Create(node, new CreateLocationRequest
        {
            Name = "Bucket",
            Kind = LocationKind.S3,
            Address = (await s3.NewBucket("fleet")).ToString(),
            Credentials = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret },
        });
        Assert.Null(made.LastTest);
        using var client = node.AdminClient();

        using var answer = await client.PostAsync($"/api/v1/locations/{made.Id}/test", null);

        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        var tested = (await answer.Content.ReadFromJsonAsync(WireJson.Default.Location))!;
        Works(tested, ProbedAbility.ObjectLock, ProbedAbility.Versions);
        var listed = Assert.Single(await node.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), default));
        Assert.Equal((tested.LastTest!.At, Environment.MachineName), (listed.LastTest!.At, listed.LastTest.Node));
        Assert.Equal(tested.LastTest.Lines, listed.LastTest.Lines);
        var audit = (await node.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), default)).Entries[0];
        Assert.Equal(("location.test", "Bucket: 10 work, 1 do not, 1 untested"), (audit.Action, audit.Detail));
    }

    [Fact]
    public async Task A_wrong_key_is_a_line_and_no_error()
    {
        await using var node = await TestNode.Start(databases);
        var made = await Create(node, new CreateLocationRequest
        {
            Name = "Bucket",
            Kind = LocationKind.S3,
            Address = (await s3.NewBucket()).ToString(),
            Credentials = new StoreCredentials { AccessKey = "nobody", SecretKey = "the-secret-of-nobody" },
        });

        var write = Write(await Test(node, made.Id));

        Assert.Equal(ProbeResult.DoesNot, write.Result);
        Assert.Contains("AccessDenied", write.Sentence, StringComparison.Ordinal);
        Assert.Contains("AWS_ACCESS_KEY_ID", write.Advice, StringComparison.Ordinal);
        Assert.DoesNotContain("the-secret-of-nobody", write.Sentence + write.Advice, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_container_works_and_without_an_account_says_what_is_missing()
    {
        await using var node = await TestNode.Start(databases);
        var made = await Create(node, new CreateLocationRequest
        {
            Name = "Container",
            Kind = LocationKind.Azure,
            Address = (await azure.NewContainer("fleet")).ToString(),
            Credentials = new StoreCredentials { ConnectionString = azure.Words },
        });

        Works(await Test(node, made.Id), ProbedAbility.ObjectLock, ProbedAbility.Versions);
        await node.Get<ReplaceLocationCredentials>().Handle(TestNode.Admin, new ReplaceLocationCredentialsRequest { Id = made.Id },
            default);
        var write = Write(await Test(node, made.Id));

        Assert.Equal((ProbeResult.DoesNot, "No Azure storage account was given."), (write.Result, write.Sentence));
    }

    [Fact]
    public async Task A_gateway_is_tested_in_its_folder_and_an_absent_disk_is_told()
    {
        using var disk = new ScratchFolder();
        await using var node = await TestNode.Start(databases);
        var made = await Create(node, new CreateLocationRequest
        {
            Name = "NAS",
            Kind = LocationKind.Gateway,
            Path = FilePath.FromText(disk.At("nas")),
        });

        Works(await Test(node, made.Id), ProbedAbility.ObjectLock, ProbedAbility.Versions, ProbedAbility.StorageClasses,
            ProbedAbility.Clock);
        Directory.Move(disk.At("nas"), disk.At("elsewhere"));
        var write = Write(await Test(node, made.Id));

        Assert.Equal(ProbeResult.DoesNot, write.Result);
        Assert.Contains("is not the folder of the location", write.Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_folder_of_a_host_is_refused_with_the_reason()
    {
        await using var node = await TestNode.Start(databases);
        var made = await Create(node, new CreateLocationRequest { Name = "Own", Path = FilePath.FromText("/srv/own") });

        var e = await Assert.ThrowsAsync<ConflictException>(() => Test(node, made.Id));
        await Assert.ThrowsAsync<NotFoundException>(() => Test(node, LocationId.New(TimeProvider.System)));

        Assert.Equal("location.on_host", e.Code);
        Assert.Contains("only that machine's agent", e.Message, StringComparison.Ordinal);
    }
}
