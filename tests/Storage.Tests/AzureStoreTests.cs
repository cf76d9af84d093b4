using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Sas;
using BackupDr.Contracts;
using BackupDr.Storage.Azure;
using BackupDr.Storage.Layers;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Stores;

[assembly: AssemblyFixture(typeof(AzuriteServer))]

namespace BackupDr.Storage.Tests;

public sealed class AzureStoreContractTests(AzuriteServer server) : ObjectStoreContract
{
    AzureAddress _address = null!;

    // The emulator takes some 200 puts a second; with short pages a thousand objects are as many pages as ten thousand were.
    protected override int ManyObjects => 1_000;

    protected override async ValueTask Prepare() => _address = await server.NewContainer("some/prefix");

    protected override IObjectStore Make() => new AzureStore(_address, server.Options(), pageNames: 90);
}

public sealed class AzureStoreTests(AzuriteServer server)
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Config = new("config"), Pack = new("data/ab/pack");
    static readonly RetryOptions Once = new() { Budget = TimeSpan.Zero };

    AzureStore Open(AzureAddress address, params string[] options) => new(address, server.Options(options));

    static AzureStore With(AzureAddress address, string words) => new(address, AzuriteServer.OptionsWith(words) with { Retry = Once });

    static DateTimeOffset Later(double hours) => TimeProvider.System.GetUtcNow() + TimeSpan.FromHours(hours);

    static async Task<StoreException> Refused(IObjectStore store)
    {
        await using (store) return await Assert.ThrowsAsync<StoreException>(() => store.List("", None).ToListAsync(None).AsTask());
    }

    static async Task<byte[]> Read(IObjectStore store, ObjectName name, int length)
    {
        var back = new byte[length];
        await store.Read(name, 0, back, None);
        return back;
    }

    [Fact]
    public async Task The_first_put_makes_the_container_and_until_then_a_listing_says_that_there_is_none()
    {
        await server.Start();
        var address = AzureAddress.Parse("azure:made-by-put:/p");
        var e = await Refused(Open(address));
        Assert.Equal(StoreFault.Unusable, e.Fault);
        Assert.Contains("ContainerNotFound", e.Message, StringComparison.Ordinal);
        Assert.Contains("init", e.Hint, StringComparison.Ordinal);

        await using var store = Open(address);
        Assert.Null(await store.Head(Config, None));
        Assert.False(await store.Delete(Config, None));
        await store.Put(Config, new byte[100_000], None);

        Assert.Equal(100_000, (await store.Head(Config, None))!.Value.SizeBytes);
    }

    [Fact]
    public async Task A_wrong_key_is_denied_and_says_what_to_check()
    {
        var address = await server.NewContainer();

        var e = await Refused(With(address, server.WordsWithKey(Convert.ToBase64String(new byte[64]))));

        Assert.Equal(StoreFault.Denied, e.Fault);
        Assert.Contains("AZURE_ACCOUNT_KEY", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_ended_signature_is_denied_and_says_since_when()
    {
        var address = await server.NewContainer();
        var ended = Later(-1);

        var e = await Refused(With(address, server.WordsWithSignature(address.Container, BlobContainerSasPermissions.All, ended)));

        Assert.Equal(StoreFault.Denied, e.Fault);
        Assert.Contains($"ended at {ended:yyyy-MM-dd HH:mm:ss}Z", e.Hint, StringComparison.Ordinal);
        Assert.Contains("AZURE_ACCOUNT_SAS", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_unavailable_and_says_where_it_was_looked_for()
    {
        var words = $"AccountName=a;AccountKey={Convert.ToBase64String(new byte[64])};BlobEndpoint=http://127.0.0.1:1/a;";

        var e = await Refused(With(AzureAddress.Parse("azure:container:/"), words));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains("http://127.0.0.1:1", e.Message, StringComparison.Ordinal);
        Assert.Contains("server runs", e.Hint, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signature_that_may_only_create_and_look_can_back_up_and_change_nothing()
    {
        var address = await server.NewContainer("host");
        await using var store = With(address, server.WordsWithSignature(address.Container,
            BlobContainerSasPermissions.Create | BlobContainerSasPermissions.Read | BlobContainerSasPermissions.List, Later(1)));
        await store.Put(Pack, new byte[] { 1, 2, 3 }, None);

        var again = await Assert.ThrowsAsync<StoreException>(() => store.Put(Pack, new byte[] { 4 }, None));
        var delete = await Assert.ThrowsAsync<StoreException>(() => store.Delete(Pack, None));
        var move = await Assert.ThrowsAsync<StoreException>(() => store.Tiers.Move(Pack, "Archive", None));

        Assert.Equal((StoreFault.Exists, StoreFault.Denied, StoreFault.Denied), (again.Fault, delete.Fault, move.Fault));
        Assert.Contains("permission", delete.Hint, StringComparison.Ordinal);
        Assert.Equal([1, 2, 3], await Read(store, Pack, 3));
        Assert.Single(await store.List("data", None).ToListAsync(None));
    }

    [Fact]
    public async Task A_signature_that_may_only_create_puts_without_looking()
    {
        var address = await server.NewContainer();
        await using var store = With(address,
            server.WordsWithSignature(address.Container, BlobContainerSasPermissions.Create, Later(1)));

        await store.Put(Pack, new byte[10], None);

        Assert.Equal(StoreFault.Denied, (await Assert.ThrowsAsync<StoreException>(() => store.Head(Pack, None))).Fault);
        await using var owner = Open(address);
        Assert.Equal(10, (await owner.Head(Pack, None))!.Value.SizeBytes);
    }

    [Fact]
    public async Task A_large_object_goes_up_in_blocks_and_one_of_several_writers_wins()
    {
        var address = await server.NewContainer();
        await using var store = new AzureStore(address, server.Options(), blocksFrom: 5 << 20);
        var contents = Enumerable.Range(0, 4).Select(writer =>
        {
            var content = new byte[(33 << 20) + 3];
            new Random(writer).NextBytes(content);
            return content;
        }).ToList();

        var outcomes = await Task.WhenAll(contents.Select(async (content, writer) =>
        {
            // A writer whose blocks went with another's commit is told to try again, and learns then that there is one.
            await using var retrying = new RetryingStore(new AzureStore(address, server.Options(), blocksFrom: 5 << 20),
                new RetryOptions(), TimeProvider.System);
            try { await retrying.Put(Pack, content, None); return writer; }
            catch (StoreException e) when (e.Fault == StoreFault.Exists) { return -1; }
        }));

        var winner = Assert.Single(outcomes, outcome => outcome >= 0);
        var back = await Read(store, Pack, contents[winner].Length);
        Assert.True(contents[winner].AsSpan().SequenceEqual(back));
        Assert.Equal(StoreFault.Exists, (await Assert.ThrowsAsync<StoreException>(() => store.Put(Pack, contents[0], None))).Fault);
    }

    [Fact]
    public async Task What_is_archived_is_not_read_before_it_is_thawed()
    {
        await using var store = Open(await server.NewContainer());
        await store.Put(Pack, new byte[] { 1, 2, 3 }, None);
        await store.Tiers.Move(Pack, "Archive", None);

        var e = await Assert.ThrowsAsync<StoreException>(() => Read(store, Pack, 3));
        Assert.Equal(StoreFault.Archived, e.Fault);
        Assert.Contains("Thaw", e.Hint, StringComparison.Ordinal);
        Assert.Equal(new ObjectTier("Archive", ThawState.Archived), await store.Tiers.Of(Pack, None));
        Assert.Equal(3, (await store.Head(Pack, None))!.Value.SizeBytes);

        await store.Tiers.Thaw(Pack, 1, None);
        await store.Tiers.Thaw(Pack, 1, None);

        Assert.Equal(new ObjectTier("Hot", ThawState.Readable), await store.Tiers.Of(Pack, None));
        Assert.Equal([1, 2, 3], await Read(store, Pack, 3));
    }

    [Fact]
    public async Task Packs_get_the_tier_and_what_must_stay_near_does_not()
    {
        var address = await server.NewContainer();
        await using var store = Open(address, "azure.access-tier=Cool");
        await store.Put(Pack, new byte[10], None);
        await store.Put(Config, new byte[10], None);

        Assert.Equal(new ObjectTier("Cool", ThawState.Readable), await store.Tiers.Of(Pack, None));
        Assert.Equal(new ObjectTier("Hot", ThawState.Readable), await store.Tiers.Of(Config, None));

        await store.Tiers.Move(Pack, "Cold", None);

        Assert.Equal("Cold", (await store.Tiers.Of(Pack, None)).Class);
        var e = await Assert.ThrowsAsync<StoreException>(() => store.Tiers.Move(Pack, "GLACIER", None));
        Assert.Equal(StoreFault.Unusable, e.Fault);
        Assert.Contains("Archive", e.Hint, StringComparison.Ordinal);
        Assert.Equal(StoreFault.Missing,
            (await Assert.ThrowsAsync<StoreException>(() => store.Tiers.Of(new ObjectName("data/none"), None))).Fault);
        Assert.Throws<BadInputException>(() => Open(address, "azure.access-tier=GLACIER"));
    }

    [Fact]
    public async Task Folders_of_an_account_that_has_them_are_no_objects()
    {
        var address = await server.NewContainer("p");
        var container = new BlobContainerClient(server.Words, address.Container);
        await container.GetBlobClient("p/data").UploadAsync(BinaryData.FromBytes(Array.Empty<byte>()),
            new BlobUploadOptions { Metadata = new Dictionary<string, string> { ["hdi_isfolder"] = "true" } }, None);
        await using var store = Open(address);
        await store.Put(Pack, new byte[3], None);

        Assert.Equal([new StoredObject(Pack, 3)], await store.List("", None).ToListAsync(None));
    }
}
