using System.Collections.Concurrent;
using System.Net;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Secrets;
using BackupDr.Scheduler.Tests.Fixtures;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>Buckets and containers as locations: what is taken, what is refused, and that credentials go in and never out.</summary>
public sealed class ObjectStoreLocationTests(SchedulerDatabases databases)
{
    const string Secret = "sEcReT-of-the-bucket", Token = "tOkEn-of-the-session", Bucket = "s3:https://s3.example.org/backups/fleet";

    static readonly StoreCredentials Keys = new() { AccessKey = "AKIAEXAMPLE", SecretKey = Secret, SessionToken = Token };

    static readonly CreateLocationRequest S3 = new()
    {
        Name = "Bucket",
        Kind = LocationKind.S3,
        Address = Bucket + "/",
        Options = ["s3.region=eu-central-1", "s3.storage-class=STANDARD_IA"],
        Credentials = Keys,
    };

    static readonly CreateLocationRequest Azure = new()
    {
        Name = "Container",
        Kind = LocationKind.Azure,
        Address = "azure:backups:/",
        Credentials = new StoreCredentials { Account = "store", AccountKey = Convert.ToBase64String("a key"u8) },
    };

    static Task<Location> Create(TestNode node, CreateLocationRequest request)
        => node.Get<CreateLocation>().Handle(TestNode.Admin, request, default);

    static async Task<RepositoryAccess> Access(TestNode node, LocationId location, HostId host)
    {
        await using var tx = await node.Db.Begin(default);
        Assert.Equal(location, await node.Get<RepositoryTable>().Choose(tx, location, host, default));
        var id = await node.Get<RepositoryTable>().For(tx, location, host, default);
        var access = await node.Get<RepositoryTable>().Access(tx, id, default);
        await tx.Commit(default);
        return access;
    }

    [Fact]
    public async Task An_agent_gets_the_address_below_the_location_with_its_options_and_credentials()
    {
        await using var node = await TestNode.Start(databases);
        var (one, other) = (await node.Join("web-1"), await node.Join("web-2"));
        var (bucket, container) = (await Create(node, S3), await Create(node, Azure));

        var inBucket = await Access(node, bucket.Id, one.Id);
        var inContainer = await Access(node, container.Id, other.Id);

        Assert.Equal((Bucket, (FilePath?)null), (bucket.Address, bucket.Path));
        Assert.NotNull(bucket.CredentialsSetAt);
        Assert.Equal(($"{Bucket}/{one.Id}", false), (inBucket.Url, inBucket.IsGateway));
        Assert.Equal(S3.Options, inBucket.Options);
        Assert.Equal([new("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), new("AWS_SECRET_ACCESS_KEY", Secret), new("AWS_SESSION_TOKEN", Token)],
            inBucket.Variables!);
        Assert.Equal($"azure:backups:/{other.Id}", inContainer.Url);
        Assert.Equal(["AZURE_ACCOUNT_NAME", "AZURE_ACCOUNT_KEY"], inContainer.Variables!.Keys);
    }

    [Fact]
    public async Task Without_credentials_the_agents_own_count()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var location = await Create(node, Azure with { Credentials = null });

        Assert.Null(location.CredentialsSetAt);
        Assert.Null((await Access(node, location.Id, host.Id)).Variables);
    }

    [Fact]
    public async Task Asking_again_gives_the_one_that_is_there_and_another_one_of_the_name_or_place_is_refused()
    {
        await using var node = await TestNode.Start(databases);
        var first = await Create(node, S3);

        var again = await Create(node, S3 with { Name = "bucket", Address = Bucket });
        CreateLocationRequest[] others =
        [
            S3 with { Address = Bucket + "/b" }, S3 with { Options = [] }, S3 with { Credentials = null },
            S3 with { Credentials = Keys with { SecretKey = "another" } },
        ];

        Assert.Equal(first.Id, again.Id);
        foreach (var other in others)
            Assert.Equal("location.exists", (await Assert.ThrowsAsync<ConflictException>(() => Create(node, other))).Code);
        var e = await Assert.ThrowsAsync<ConflictException>(() => Create(node, S3 with { Name = "Same place" }));
        Assert.Equal("location.same_place", e.Code);
        Assert.Contains("'Bucket'", e.Message, StringComparison.Ordinal);
        // The address of a container does not tell the account: two of them may be two places.
        await Create(node, Azure);
        await Create(node, Azure with { Name = "Another account", Credentials = Azure.Credentials! with { Account = "other" } });
    }

    public static TheoryData<string, CreateLocationRequest> Refused => new()
    {
        { "address", S3 with { Address = null } },
        { "address", S3 with { Address = "azure:backups:/" } },
        { "address", S3 with { Address = "s3:https://s3.example.org" } },
        { "address", S3 with { Address = "s3:https://key:secret@s3.example.org/backups" } },
        { "address", Azure with { Address = "azure:No_Container:/" } },
        { "address", new CreateLocationRequest { Name = "x", Path = FilePath.FromText("/srv"), Address = Bucket } },
        { "path", new CreateLocationRequest { Name = "x" } },
        { "path", S3 with { Path = FilePath.FromText("/srv") } },
        { "host", S3 with { Host = HostId.New(TimeProvider.System) } },
        { "quotaBytes", S3 with { QuotaBytes = 1 << 30 } },
        { "options", S3 with { Options = ["s3.regoin=x"] } },
        { "options", S3 with { Options = ["s3.retention-days=0"] } },
        { "options", S3 with { Options = ["azure.access-tier=Cool"] } },
        { "options", Azure with { Options = ["azure.access-tier=Lukewarm"] } },
        { "options", Azure with { Options = ["azure.access-tier=Lukewarm"], Credentials = null } },
        { "secretKey", S3 with { Credentials = new StoreCredentials { AccessKey = "AKIA" } } },
        { "accessKey", S3 with { Credentials = new StoreCredentials { SecretKey = Secret } } },
        { "accessKey", S3 with { Credentials = new StoreCredentials() } },
        { "secretKey", S3 with { Credentials = Keys with { SecretKey = "two\nlines" } } },
        { "account", S3 with { Credentials = Keys with { Account = "store" } } },
        { "account", Azure with { Credentials = new StoreCredentials { AccountKey = "AAAA" } } },
        { "accountKey", Azure with { Credentials = new StoreCredentials { Account = "store" } } },
        { "accountKey", Azure with { Credentials = new StoreCredentials { Account = "store", AccountKey = "not base64!" } } },
        { "account", Azure with { Credentials = new StoreCredentials { Account = "store.evil.org/", AccountKey = "AAAA" } } },
        { "signature", Azure with { Credentials = Azure.Credentials! with { Signature = "sv=1" } } },
        { "connectionString", Azure with { Credentials = Azure.Credentials! with { ConnectionString = "AccountName=store" } } },
        { "connectionString", Azure with { Credentials = new StoreCredentials { ConnectionString = $"AccountKey={Secret}" } } },
        { "endpointSuffix", Azure with { Credentials = Azure.Credentials! with { EndpointSuffix = "a/b" } } },
    };

    [Theory, MemberData(nameof(Refused))]
    public async Task What_cannot_be_used_is_refused_with_the_field_and_without_the_secret(string field, CreateLocationRequest request)
    {
        await using var node = await TestNode.Start(databases);

        var e = await Assert.ThrowsAsync<BadInputException>(() => Create(node, request));

        Assert.Equal(field, e.Field);
        Assert.NotNull(e.Hint);
        Assert.DoesNotContain(Secret, e.Message + e.Hint, StringComparison.Ordinal);
        Assert.Equal(0, await node.Db.Scalar<long>("select count(*) from location", [], default));
    }

    [Fact]
    public async Task Credentials_are_in_no_answer_no_audit_entry_no_log_line_and_sealed_in_the_table()
    {
        var lines = new ConcurrentQueue<string>();
        await using var node = await TestNode.Start(databases,
            settings => settings with { Log = new LogOptions { Level = LogLevel.Trace } },
            add: builder => builder.Logging.AddProvider(new Collector(lines)).AddFilter<Collector>("", LogLevel.Trace));
        using var client = node.AdminClient();

        var answers = new List<string>();
        using (var made = await client.PostAsync("/api/v1/locations", TestNode.Json(S3, WireJson.Default.CreateLocationRequest)))
        {
            answers.Add(await made.Content.ReadAsStringAsync());
            Assert.Equal(HttpStatusCode.OK, made.StatusCode);
        }
        var location = Assert.Single(await node.Get<ListLocations>().Handle(TestNode.Admin, new ListLocationsRequest(), default));
        var replaced = Keys with { SessionToken = Token + "-2" };
        using (var put = await client.PutAsync($"/api/v1/locations/{location.Id}/credentials", TestNode.Json(
            new ReplaceLocationCredentialsRequest { Credentials = replaced, SkipTest = true },
            WireJson.Default.ReplaceLocationCredentialsRequest)))
        {
            answers.Add(await put.Content.ReadAsStringAsync());
            Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        }
        foreach (var path in (string[])["locations", "repositories", "audit", "safety", "policies", "openapi.json"])
            answers.Add(await client.GetStringAsync($"/api/v1/{path}"));
        var row = await node.Db.Scalar<string>("select location::text from location", [], default);
        var stored = await node.Db.Scalar<byte[]>("select credentials_sealed from location", [], default);

        Assert.Contains("credentialsSetAt", answers[0], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.Contains("/api/v1/locations", StringComparison.Ordinal));   // the log was listened to
        foreach (var secret in (string[])["AKIAEXAMPLE", Secret, Token])
        {
            Assert.DoesNotContain(answers.Append(row!).Concat(lines), text => text.Contains(secret, StringComparison.Ordinal));
            Assert.Equal(-1, stored.AsSpan().IndexOf(Encoding.UTF8.GetBytes(secret)));
        }
        Assert.Contains(Secret, Encoding.UTF8.GetString(node.Get<SealedSecrets>()
            .Open("location", location.Id.ToString(), "credentials", stored)), StringComparison.Ordinal);
        var audit = await node.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), default);
        Assert.Equal(["location.credentials", "location.create"], audit.Entries.Take(2).Select(entry => entry.Action));
        Assert.Equal("Bucket: replaced, without a test", audit.Entries[0].Detail);
    }

    [Fact]
    public async Task Replaced_credentials_go_to_the_next_job_and_removed_ones_to_none()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var location = await Create(node, S3);
        var replace = node.Get<ReplaceLocationCredentials>();

        await replace.Handle(TestNode.Admin, new ReplaceLocationCredentialsRequest
        {
            Id = location.Id,
            Credentials = new StoreCredentials { AccessKey = "new", SecretKey = "newer" },
            SkipTest = true,
        }, default);
        var next = await Access(node, location.Id, host.Id);
        var removed = await replace.Handle(TestNode.Admin, new ReplaceLocationCredentialsRequest { Id = location.Id }, default);

        Assert.Equal([new("AWS_ACCESS_KEY_ID", "new"), new("AWS_SECRET_ACCESS_KEY", "newer")], next.Variables!);
        Assert.Null(removed.CredentialsSetAt);
        Assert.Null((await Access(node, location.Id, host.Id)).Variables);
    }

    [Fact]
    public async Task A_folder_has_no_credentials_and_half_of_them_replace_nothing()
    {
        await using var node = await TestNode.Start(databases);
        var host = await node.Join();
        var folder = await Create(node, new CreateLocationRequest { Name = "NAS", Path = FilePath.FromText("/srv/nas") });
        var bucket = await Create(node, S3);
        var replace = node.Get<ReplaceLocationCredentials>();

        var of = await Assert.ThrowsAsync<BadInputException>(() => replace.Handle(TestNode.Admin,
            new ReplaceLocationCredentialsRequest { Id = folder.Id, Credentials = Keys }, default));
        var half = await Assert.ThrowsAsync<BadInputException>(() => replace.Handle(TestNode.Admin,
            new ReplaceLocationCredentialsRequest { Id = bucket.Id, Credentials = new StoreCredentials { AccessKey = "a" } }, default));
        await Assert.ThrowsAsync<NotFoundException>(() => replace.Handle(TestNode.Admin,
            new ReplaceLocationCredentialsRequest { Id = LocationId.New(TimeProvider.System) }, default));

        Assert.Equal(("credentials", "secretKey"), (of.Field, half.Field));
        Assert.Equal(3, (await Access(node, bucket.Id, host.Id)).Variables!.Count);
    }

    sealed class Collector(ConcurrentQueue<string> lines) : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;
        public bool IsEnabled(LogLevel logLevel) => true;
        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) => lines.Enqueue($"{formatter(state, exception)} {exception}");
        public void Dispose() { }
    }
}
