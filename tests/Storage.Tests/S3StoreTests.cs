using BackupDr.Storage.Layers;
using BackupDr.Storage.S3;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Stores;

[assembly: AssemblyFixture(typeof(S3Server))]

namespace BackupDr.Storage.Tests;

public sealed class S3StoreContractTests(S3Server server) : ObjectStoreContract
{
    S3Address _address = null!;

    protected override async ValueTask Prepare() => _address = await server.NewBucket("some/prefix");

    protected override IObjectStore Make() => new S3Store(_address, S3Server.Options());
}

public sealed class S3StoreTests(S3Server server)
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Config = new("config");

    static S3Store Open(S3Address address, params string[] options) => new(address, S3Server.Options(options));

    static StoreOptions Keys(string? id, string? secret) => new()
    {
        Environment = name => name switch { "AWS_ACCESS_KEY_ID" => id, "AWS_SECRET_ACCESS_KEY" => secret, _ => null },
        Retry = new RetryOptions { Budget = TimeSpan.Zero },
    };

    static async Task<StoreException> Refused(IObjectStore store)
    {
        await using (store) return await Assert.ThrowsAsync<StoreException>(() => store.List("", None).ToListAsync(None).AsTask());
    }

    [Fact]
    public async Task The_first_put_makes_the_bucket_and_until_then_a_listing_says_that_there_is_none()
    {
        await server.Start();
        var address = S3Address.Parse($"s3:{server.Endpoint}/made-by-put/p");
        var e = await Refused(Open(address));
        Assert.Equal(StoreFault.Unusable, e.Fault);
        Assert.Contains("NoSuchBucket", e.Message, StringComparison.Ordinal);

        await using var store = Open(address);
        await store.Put(Config, new byte[100_000], None);

        Assert.Equal(100_000, (await store.Head(Config, None))!.Value.SizeBytes);
    }

    [Fact]
    public async Task A_wrong_key_and_a_wrong_secret_are_denied_and_say_what_to_check()
    {
        var address = await server.NewBucket();

        var key = await Refused(new S3Store(address, Keys("nobody", "testsecret")));
        var secret = await Refused(new S3Store(address, Keys("test", "wrong")));

        Assert.Equal((StoreFault.Denied, StoreFault.Denied), (key.Fault, secret.Fault));
        Assert.Contains("AWS_ACCESS_KEY_ID", key.Hint, StringComparison.Ordinal);
        Assert.Contains("AWS_SECRET_ACCESS_KEY", secret.Hint, StringComparison.Ordinal);
    }

    // A HEAD is the first request of all, and its answer has no body; the words come with a second one. Ceph has one code for all of
    // these, AWS has these.
    [Theory]
    [InlineData(403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID")]
    [InlineData(403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY")]
    [InlineData(403, "RequestTimeTooSkewed", "The clock of this machine is wrong")]
    [InlineData(400, "AuthorizationHeaderMalformed", "set the option s3.region")]
    [InlineData(400, "ExpiredToken", "fetch new ones")]
    public async Task Who_looks_at_an_object_is_told_why_it_is_refused(int status, string code, string hint)
    {
        var body = $"<Error><Code>{code}</Code><Message>for a reason</Message></Error>";
        await using var scripted = new ScriptedServer(
            $"HTTP/1.1 {status} No\nContent-Type: application/xml\nContent-Length: {body.Length}\nConnection: close\n\n{body}");
        await using var store = new S3Store(S3Address.Parse($"s3:{scripted.Endpoint}/bucket"), Keys("test", "testsecret"));

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Head(Config, None));

        Assert.Contains(code, e.Message, StringComparison.Ordinal);
        Assert.Contains(hint, e.Hint, StringComparison.Ordinal);
    }

    // What a server says in TLS to one who does not speak it: an alert. Some just hang up.
    [Fact]
    public async Task A_server_that_wants_TLS_is_told()
    {
        await using var scripted = new ScriptedServer("\u0015\u0003\u0003\u0000\u0002\u0002\u0046\n");
        var e = await Refused(new S3Store(S3Address.Parse($"s3:{scripted.Endpoint}/bucket"), Keys("test", "testsecret")));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains("write https:// instead of http://", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_unavailable_and_says_where_to_look()
    {
        var e = await Refused(new S3Store(S3Address.Parse("s3:http://127.0.0.1:1/bucket"), Keys("test", "testsecret")));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains("server runs", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public void Half_a_key_is_bad_input()
        => Assert.Throws<Contracts.BadInputException>(() => new S3Store(S3Address.Parse("s3:http://127.0.0.1:1/b"), Keys("test", null)));

    [Fact]
    public async Task A_large_pack_goes_up_in_parts_and_only_what_is_no_pack_stays_conditional()
    {
        var address = await server.NewBucket();
        await using var store = new S3Store(address, S3Server.Options(), partsFrom: 5 << 20);
        var content = new byte[(11 << 20) + 3];
        new Random(4).NextBytes(content);

        await store.Put(new ObjectName("data/ab/pack"), content, None);
        await store.Put(new ObjectName("index/large"), content, None);
        var again = await Assert.ThrowsAsync<StoreException>(() => store.Put(new ObjectName("data/ab/pack"), content, None));

        var back = new byte[content.Length];
        await store.Read(new ObjectName("data/ab/pack"), 0, back, None);
        Assert.True(content.AsSpan().SequenceEqual(back));
        Assert.Equal(StoreFault.Exists, again.Fault);
        Assert.Equal(StoreFault.Exists,
            (await Assert.ThrowsAsync<StoreException>(() => store.Put(new ObjectName("index/large"), content, None))).Fault);
    }

    [Fact]
    public async Task Checksums_of_the_SDK_work_where_the_body_is_signed_whole()
    {
        await using var store = Open(await server.NewBucket(), "s3.checksums=when-supported");

        await store.Put(Config, new byte[] { 1, 2, 3 }, None);
        var back = new byte[3];
        await store.Read(Config, 0, back, None);

        Assert.Equal([1, 2, 3], back);
    }

    [Fact]
    public async Task Packs_get_the_storage_class_and_what_must_stay_near_does_not()
    {
        await using var store = Open(await server.NewBucket(), "s3.storage-class=STANDARD_IA");
        var pack = new ObjectName("data/ab/p");
        await store.Put(pack, new byte[10], None);
        await store.Put(Config, new byte[10], None);

        Assert.Equal(new ObjectTier("STANDARD_IA", ThawState.Readable), await store.Tiers.Of(pack, None));
        Assert.Equal(new ObjectTier("STANDARD", ThawState.Readable), await store.Tiers.Of(Config, None));

        await store.Tiers.Move(pack, "COLD", None);

        Assert.Equal("COLD", (await store.Tiers.Of(pack, None)).Class);
        Assert.Equal(StoreFault.Unusable,
            (await Assert.ThrowsAsync<StoreException>(() => store.Tiers.Move(pack, "NO_SUCH", None))).Fault);
    }

    [Fact]
    public async Task Without_conditions_a_put_looks_first()
    {
        await using var store = Open(await server.NewBucket(), "s3.conditional-put=off");
        Assert.False(store.Abilities.HasFlag(StoreAbilities.ConditionalPut));
        await store.Put(Config, new byte[1], None);

        Assert.Equal(StoreFault.Exists, (await Assert.ThrowsAsync<StoreException>(() => store.Put(Config, new byte[2], None))).Fault);
    }

    [Fact]
    public async Task A_lock_on_a_bucket_that_has_none_is_refused()
    {
        await using var store = Open(await server.NewBucket());
        await store.Put(Config, new byte[1], None);
        var retention = new Retention(RetentionMode.Governance, TimeProvider.System.GetUtcNow() + TimeSpan.FromDays(1));

        Assert.Equal(StoreFault.Unusable,
            (await Assert.ThrowsAsync<StoreException>(() => store.Locks.Retain(Config, retention, None))).Fault);
        Assert.Null(await store.Locks.Of(Config, None));
    }
}
