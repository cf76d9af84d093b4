using BackupDr.Contracts;
using BackupDr.Storage.Azure;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Layers;
using BackupDr.Storage.Probing;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Stores;

namespace BackupDr.Storage.Tests;

/// <summary>What a test of a place finds on real servers, and in words when something is wrong with them.</summary>
public sealed class StoreProbeTests(S3Server s3, AzuriteServer azure)
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly RetryOptions Once = new() { Budget = TimeSpan.Zero };
    static readonly ProbeOptions Quick = new() { Retry = Once };

    static async Task<Dictionary<ProbedAbility, ProbeLine>> Probe(IObjectStore store, ProbeOptions? options = null)
    {
        var lines = await StoreProbe.Run(store, options ?? Quick, None);
        Assert.Equal(Enum.GetValues<ProbedAbility>(), lines.Select(line => line.Ability));
        Assert.All(lines, line => Assert.NotEqual("", line.Sentence));
        return lines.ToDictionary(line => line.Ability);
    }

    static S3Store Open(S3Address address, string secret = S3Server.Secret, params IEnumerable<string> pairs) => new(address,
        new StoreOptions(pairs)
        {
            Environment = name => name switch { "AWS_ACCESS_KEY_ID" => S3Server.Access, "AWS_SECRET_ACCESS_KEY" => secret, _ => null },
            Retry = Once,
        }, stallPatience: TimeSpan.FromSeconds(30));

    static IEnumerable<ProbedAbility> With(Dictionary<ProbedAbility, ProbeLine> lines, ProbeResult result)
        => lines.Values.Where(line => line.Result == result).Select(line => line.Ability);

    /// <summary>Writing failed, the reason and a next step are told, and nothing else was tried but the clock.</summary>
    static void IsRefused(Dictionary<ProbedAbility, ProbeLine> lines, string why, string advice)
    {
        var write = lines[ProbedAbility.Write];
        Assert.Equal(ProbeResult.DoesNot, write.Result);
        Assert.True(write.Sentence.Contains(why, StringComparison.Ordinal), write.Sentence);
        Assert.True(write.Advice?.Contains(advice, StringComparison.Ordinal), write.Advice);
        Assert.All(lines.Values.Where(line => line.Ability is not (ProbedAbility.Write or ProbedAbility.Clock or ProbedAbility.CleanUp)),
            line => Assert.Equal((ProbeResult.Untested, "Not tried, because writing failed."), (line.Result, line.Sentence)));
    }

    [Fact]
    public async Task A_folder_does_what_a_folder_can_and_is_empty_afterwards()
    {
        using var scratch = new ScratchFolder();
        await using var store = new FolderStore(FilePath.FromText(scratch.Path), TimeProvider.System);

        var lines = await Probe(store, Quick with { TryLock = true, StorageClass = "Cool" });

        Assert.Equal([ProbedAbility.ObjectLock, ProbedAbility.StorageClasses], With(lines, ProbeResult.DoesNot));
        Assert.Equal([ProbedAbility.Versions, ProbedAbility.Clock], With(lines, ProbeResult.Untested));
        Assert.Contains("MiB/s", lines[ProbedAbility.Speed].Sentence, StringComparison.Ordinal);
        Assert.Empty(await store.List("", None).ToListAsync(None));
    }

    [Fact]
    public async Task A_plain_bucket_has_neither_lock_nor_versions_and_is_empty_afterwards()
    {
        await using var store = Open(await s3.NewBucket("p"));

        var lines = await Probe(store, Quick with { TryLock = true, StorageClass = "STANDARD_IA" });

        Assert.Equal([ProbedAbility.ObjectLock, ProbedAbility.Versions], With(lines, ProbeResult.DoesNot));
        Assert.Empty(With(lines, ProbeResult.Untested));
        Assert.Contains("make a new one", lines[ProbedAbility.ObjectLock].Advice, StringComparison.Ordinal);
        Assert.Contains("STANDARD_IA", lines[ProbedAbility.StorageClasses].Sentence, StringComparison.Ordinal);
        Assert.Equal("Everything that was put is gone.", lines[ProbedAbility.CleanUp].Sentence);
        Assert.Empty(await store.List("", None).ToListAsync(None));
    }

    [Fact]
    public async Task A_bucket_with_object_lock_keeps_a_retention_and_the_test_says_what_stays()
    {
        await using var store = Open(await s3.NewLockedBucket());

        var lines = await Probe(store, Quick with { TryLock = true });

        Assert.Equal([ProbedAbility.StorageClasses], With(lines, ProbeResult.Untested));
        // This server (Ceph 16.2) ignores conditions in a bucket with versions: what the test is for.
        Assert.Equal([ProbedAbility.NoOverwrite, ProbedAbility.OneWinner], With(lines, ProbeResult.DoesNot));
        Assert.Contains("s3.conditional-put=off", lines[ProbedAbility.NoOverwrite].Advice, StringComparison.Ordinal);
        Assert.Contains("because it was locked", lines[ProbedAbility.CleanUp].Sentence, StringComparison.Ordinal);
        var stays = new ObjectName(lines[ProbedAbility.CleanUp].Sentence.Split(' ')[0]);
        Assert.Single(await store.Versions.Of(stays, None), version => !version.IsDeletion);
    }

    [Fact]
    public async Task A_bucket_with_versions_is_left_without_any_of_the_test()
    {
        await using var store = Open(await s3.NewLockedBucket(), pairs: "s3.conditional-put=off");

        var lines = await Probe(store);

        Assert.Equal(ProbeResult.Works, lines[ProbedAbility.NoOverwrite].Result);
        Assert.Equal(ProbeResult.Works, lines[ProbedAbility.Versions].Result);
        Assert.Equal("Everything that was put is gone.", lines[ProbedAbility.CleanUp].Sentence);
        Assert.Equal([ProbedAbility.ObjectLock, ProbedAbility.StorageClasses], With(lines, ProbeResult.Untested));
    }

    [Fact]
    public async Task A_container_does_all_that_we_can_ask_of_Azure()
    {
        await using var store = new AzureStore(await azure.NewContainer("p"), azure.Options());

        var lines = await Probe(store, Quick with { StorageClass = "Cool" });

        Assert.Equal([ProbedAbility.ObjectLock], With(lines, ProbeResult.DoesNot));
        Assert.Equal([ProbedAbility.Versions], With(lines, ProbeResult.Untested));
        Assert.Contains("Cool", lines[ProbedAbility.StorageClasses].Sentence, StringComparison.Ordinal);
        Assert.Empty(await store.List("", None).ToListAsync(None));
    }

    [Fact]
    public async Task A_class_that_the_server_does_not_know_is_told()
    {
        await using var store = Open(await s3.NewBucket());

        var lines = await Probe(store, Quick with { StorageClass = "NO_SUCH" });

        Assert.Equal(ProbeResult.DoesNot, lines[ProbedAbility.StorageClasses].Result);
        Assert.Equal("Choose a class that the server has.", lines[ProbedAbility.StorageClasses].Advice);
        Assert.Equal(ProbeResult.Works, lines[ProbedAbility.Speed].Result);
    }

    [Fact]
    public async Task A_wrong_secret_is_told_with_what_to_check()
    {
        await using var store = Open(await s3.NewBucket(), secret: "another");

        var lines = await Probe(store);

        IsRefused(lines, "AccessDenied", "AWS_SECRET_ACCESS_KEY");
        Assert.Equal("Nothing was put.", lines[ProbedAbility.CleanUp].Sentence);
    }

    [Fact]
    public async Task A_wrong_key_of_Azure_is_told_with_what_to_check()
    {
        var address = await azure.NewContainer();
        await using var store = new AzureStore(address,
            AzuriteServer.OptionsWith(azure.WordsWithKey(Convert.ToBase64String(new byte[64]))) with { Retry = Once });

        IsRefused(await Probe(store), "AuthorizationFailure", "AZURE_ACCOUNT_KEY");
    }

    [Fact]
    public async Task A_bucket_that_is_missing_is_told_and_not_made()
    {
        await s3.Start();
        await using var store = Open(S3Address.Parse($"s3:{s3.Endpoint}/no-such-bucket"));

        IsRefused(await Probe(store), "NoSuchBucket", "Check the bucket's name");
        IsRefused(await Probe(store), "NoSuchBucket", "Check the bucket's name");   // not made by the first
    }

    [Fact]
    public async Task A_container_that_is_missing_is_told_and_not_made()
    {
        await azure.Start();
        await using var store = new AzureStore(AzureAddress.Parse("azure:no-such-container:/"), azure.Options());

        IsRefused(await Probe(store), "ContainerNotFound", "Check the container's name");
        IsRefused(await Probe(store), "ContainerNotFound", "Check the container's name");
    }

    [Fact]
    public async Task An_endpoint_that_is_down_is_told()
    {
        await using var store = Open(S3Address.Parse($"s3:http://127.0.0.1:{FreePorts.Find()}/bucket"));

        var lines = await Probe(store);

        IsRefused(lines, "Connection refused", "Check that the server runs there");
        Assert.Equal(ProbeResult.Untested, lines[ProbedAbility.Clock].Result);
        Assert.Equal("Nothing was put.", lines[ProbedAbility.CleanUp].Sentence);
    }

    [Fact]
    public async Task Another_region_is_told_with_the_option_to_set()
    {
        const string body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting 'eu-central-1'</Message></Error>";
        await using var server = new ScriptedServer(
            $"HTTP/1.1 400 Bad Request\nContent-Type: application/xml\nContent-Length: {body.Length}\nConnection: close\n\n{body}");
        await using var store = Open(S3Address.Parse($"s3:{server.Endpoint}/bucket"));

        IsRefused(await Probe(store), "expecting 'eu-central-1'", "s3.region");
    }

    [Fact]
    public async Task A_silent_server_ends_the_test_when_its_time_is_over()
    {
        await using var server = new ScriptedServer("");
        await using var store = Open(S3Address.Parse($"s3:{server.Endpoint}/bucket"));

        var lines = await Probe(store, Quick with { Patience = TimeSpan.FromSeconds(1) });

        Assert.Contains("1 seconds were over", lines[ProbedAbility.Write].Sentence, StringComparison.Ordinal);
        Assert.Equal(ProbeResult.Untested, lines[ProbedAbility.Read].Result);
    }

    [Fact]
    public async Task A_clock_that_differs_is_told()
    {
        await using var store = new S3Store(await s3.NewBucket(), S3Server.Options() with { Clock = new Ahead(TimeSpan.FromMinutes(10)) });

        var clock = (await Probe(store))[ProbedAbility.Clock];

        Assert.Equal(ProbeResult.DoesNot, clock.Result);
        Assert.Matches("Its clock is (599|60[01]) s behind", clock.Sentence);
    }

    [Fact]
    public async Task Damaged_bytes_are_told_and_the_rest_is_looked_at()
    {
        var address = await s3.NewBucket();
        await using var proxy = await FaultProxy.Start(new Uri(s3.Endpoint), request
            => request.Method == "GET" && request.Target.Contains(".first", StringComparison.Ordinal) ? ProxyFault.WrongByte
                : ProxyFault.None);
        await using var store = Open(S3Address.Parse($"s3:{proxy.Url}/{address.Bucket}"));

        var lines = await Probe(store);

        Assert.Contains("damages them", lines[ProbedAbility.Read].Sentence, StringComparison.Ordinal);
        Assert.Equal(ProbeResult.Works, lines[ProbedAbility.List].Result);
        Assert.Equal(ProbeResult.Works, lines[ProbedAbility.CleanUp].Result);
    }

    [Fact]
    public async Task A_server_that_goes_away_leaves_the_rest_untested()
    {
        await using var store = new FaultyStore(new MemoryStore())
        {
            Before = (verb, name, _) => verb == StoreVerb.Put && name.Contains(".race", StringComparison.Ordinal)
                ? new StoreException(StoreFault.Unavailable, "put: the connection was reset.") : null,
        };

        var lines = await Probe(store);

        Assert.Equal((ProbeResult.DoesNot, "Put: the connection was reset."),
            (lines[ProbedAbility.OneWinner].Result, lines[ProbedAbility.OneWinner].Sentence));
        Assert.Contains("Test again", lines[ProbedAbility.OneWinner].Advice, StringComparison.Ordinal);
        Assert.Equal("Not tried, because a race of two writers failed.", lines[ProbedAbility.Delete].Sentence);
    }

    [Fact]
    public async Task A_place_that_deletes_nothing_is_told_with_what_stays()
    {
        var memory = new MemoryStore();
        await using var store = new FaultyStore(memory)
        {
            Before = (verb, _, _) => verb == StoreVerb.Delete ? new StoreException(StoreFault.Denied, "delete: not allowed.") : null,
        };

        var lines = await Probe(store);

        Assert.Contains("locks/", lines[ProbedAbility.Delete].Advice, StringComparison.Ordinal);
        Assert.Equal(ProbeResult.DoesNot, lines[ProbedAbility.CleanUp].Result);
        Assert.StartsWith($"{memory.Objects.Count} of {memory.Objects.Count} objects below x-backupdr/probe stay",
            lines[ProbedAbility.CleanUp].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_place_that_overwrites_is_told_for_both_kinds_of_writers()
    {
        await using var store = new Careless();

        var lines = await Probe(store);

        Assert.Contains("replaced the object", lines[ProbedAbility.NoOverwrite].Sentence, StringComparison.Ordinal);
        Assert.Contains("both told that they won", lines[ProbedAbility.OneWinner].Sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_without_conditions_is_not_trusted_with_a_race()
    {
        await using var store = Open(await s3.NewBucket(), pairs: "s3.conditional-put=off");

        var lines = await Probe(store);

        Assert.Equal(ProbeResult.Works, lines[ProbedAbility.NoOverwrite].Result);
        Assert.Equal(ProbeResult.DoesNot, lines[ProbedAbility.OneWinner].Result);
    }

    [Fact]
    public async Task Who_goes_away_ends_the_test_and_its_objects_are_removed()
    {
        var memory = new MemoryStore();
        using var gone = new CancellationTokenSource();
        await using var store = new FaultyStore(memory)
        {
            After = (verb, _, _) => { if (verb == StoreVerb.Read) gone.Cancel(); return null; },
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => StoreProbe.Run(store, Quick, gone.Token));

        Assert.Empty(memory.Objects);
    }

    sealed class Ahead(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    /// <summary>Lets everybody replace everything, as a server does that ignores conditions.</summary>
    sealed class Careless : IObjectStore
    {
        readonly MemoryStore _inner = new();

        public string Url => "careless:";
        public StoreAbilities Abilities => StoreAbilities.ConditionalPut;

        public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
        {
            _inner.Objects[name.Value] = content.ToArray();
            return Task.CompletedTask;
        }

        public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct) => _inner.Read(name, offset, target, ct);
        public Task<StoredObject?> Head(ObjectName name, CancellationToken ct) => _inner.Head(name, ct);
        public IAsyncEnumerable<StoredObject> List(string folder, CancellationToken ct) => _inner.List(folder, ct);
        public Task<bool> Delete(ObjectName name, CancellationToken ct) => _inner.Delete(name, ct);
        public ValueTask DisposeAsync() => _inner.DisposeAsync();
    }
}
