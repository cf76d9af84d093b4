using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Crypto;
using BackupDr.Sources.Files;
using BackupDr.Storage.Layers;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Stores;

namespace BackupDr.Storage.Tests;

/// <summary>What every store promises holds for S3 over a bad network, too.</summary>
public sealed class S3BehindFaultsTests(S3Server server) : ObjectStoreContract
{
    FaultProxy _proxy = null!;
    S3Address _address = null!;

    protected override int ManyObjects => 300;

    protected override async ValueTask Prepare()
    {
        var direct = await server.NewBucket("some/prefix");
        _proxy = await FaultProxy.Start(new Uri(server.Endpoint), FaultPlan.EachInTurn());
        _address = direct with { Endpoint = new Uri(_proxy.Url) };
    }

    protected override IObjectStore Make() => S3OverProxy.Open(_address);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        if (_proxy is not null) await _proxy.DisposeAsync();
    }
}

/// <summary>Backups over a bad network.</summary>
public sealed class S3FaultTests(S3Server server) : IDisposable
{
    const string Password = "a password";
    static readonly CancellationToken None = CancellationToken.None;

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_store_that_always_fails_ends_a_backup_with_what_failed_and_leaves_nothing()
    {
        await server.Start();
        var isDown = false;
        await using var proxy = await FaultProxy.Start(new Uri(server.Endpoint), _ => isDown ? ProxyFault.ServerError : ProxyFault.None);
        var address = (await server.NewBucket()) with { Endpoint = new Uri(proxy.Url) };
        using var repository = await Init(S3OverProxy.Open(address, TimeSpan.FromMilliseconds(300)));
        isDown = true;

        var e = await Assert.ThrowsAsync<StoreException>(() => Backup(repository, "down"));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains(address.Bucket, e.Message, StringComparison.Ordinal);
        isDown = false;
        Assert.Empty(await repository.Store.List("snapshots", None).ToListAsync(None));
    }

    static async Task<Repository> Init(IObjectStore store)
    {
        using var password = Secret.FromText(Password);
        var options = new RepositoryOptions { Kdf = new KdfCost(1024, 8, 1), Clock = new ShortWaits() };
        return await Repository.Init(store, password, options, None);
    }

    async Task<BackupSummary> Backup(Repository repository, string folder)
    {
        _scratch.File($"{folder}/always", "here");
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(_scratch.At(folder))] });
        return await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, None);
    }
}

/// <summary>The store as it is used, with less patience than anybody has who does not wait for tests.</summary>
static class S3OverProxy
{
    static readonly TimeSpan Stalled = TimeSpan.FromSeconds(3);

    public static IObjectStore Open(S3Address address, TimeSpan? budget = null)
    {
        var retry = new RetryOptions { FirstPause = TimeSpan.FromMilliseconds(2), Budget = budget ?? TimeSpan.FromSeconds(60) };
        var store = new S3Store(address, S3Server.Options() with { Retry = retry }, stallPatience: Stalled);
        return new RetryingStore(store, retry, TimeProvider.System);
    }
}
