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
using BackupDr.TestKit.Trees;

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

    // Side by side, for stalls are waited out; each host into a repository of its own.
    const int Hosts = 10, Days = 10;

    static readonly DateTimeOffset FirstDay = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly TimeSpan Brief = TimeSpan.FromSeconds(1);

    static readonly (ProxyFault, double)[] BadDay =
        [(ProxyFault.ServerError, 0.10), (ProxyFault.Stall, 0.02), (ProxyFault.ResetAfter, 0.01), (ProxyFault.Duplicate, 0.005)];

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_hundred_backups_on_a_bad_day_are_right_and_cost_at_most_a_third_more_requests()
    {
        Tool.Need("restic", "restic");
        var clean = await Backups("clean", _ => ProxyFault.None);

        var bad = await Backups("bad", FaultPlan.Shares(7, BadDay));

        var figures = $"{bad.Requests} requests, {bad.Faults} of them spoilt, instead of {clean.Requests}";
        TestContext.Current.TestOutputHelper!.WriteLine(figures);
        Assert.True(bad.Faults > clean.Requests / 10, figures);
        Assert.True(bad.Requests <= clean.Requests * 1.3, figures);
        await Task.WhenAll(bad.Places.Select((place, host) => Task.Run(() => MustBeRight(place, $"bad-{host}"))));
    }

    [Fact]
    public async Task A_store_that_always_fails_ends_a_backup_with_what_failed_and_leaves_nothing()
    {
        await server.Start();
        var isDown = false;
        await using var proxy = await FaultProxy.Start(new Uri(server.Endpoint), _ => isDown ? ProxyFault.ServerError : ProxyFault.None);
        var address = (await server.NewBucket()) with { Endpoint = new Uri(proxy.Url) };
        using var repository = await Init(S3OverProxy.Open(address, TimeSpan.FromMilliseconds(300)));
        isDown = true;

        var e = await Assert.ThrowsAsync<StoreException>(() => Backup(repository, "down", FirstDay));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains(address.Bucket, e.Message, StringComparison.Ordinal);
        isDown = false;
        Assert.Empty(await repository.Store.List("snapshots", None).ToListAsync(None));
    }

    // Only the backups count: repositories are made and checked on a good day.
    async Task<(int Requests, int Faults, S3Address[] Places)> Backups(string name, Func<ProxiedRequest, ProxyFault> decide)
    {
        await server.Start();
        await using var proxy = await FaultProxy.Start(new Uri(server.Endpoint), decide);
        var places = new S3Address[Hosts];
        for (var host = 0; host < Hosts; host++)
        {
            places[host] = await server.NewBucket();
            using (await Init(S3OverProxy.Open(places[host]))) { }
        }
        await Task.WhenAll(places.Select((place, host)
            => BackUpDaily(place with { Endpoint = new Uri(proxy.Url) }, $"{name}-{host}")));
        return (proxy.Requests, proxy.Faults, places);
    }

    async Task BackUpDaily(S3Address place, string folder)
    {
        for (var day = 0; day < Days; day++)
        {
            _scratch.File($"{folder}/note-{day % 4}", $"day {day}");
            using var repository = await Open(S3OverProxy.Open(place, patience: Brief), _scratch.Folder($"{folder}-cache"));
            Assert.True((await Backup(repository, folder, FirstDay.AddDays(day))).IsComplete);
        }
    }

    async Task MustBeRight(S3Address place, string folder)
    {
        await using (var store = S3OverProxy.Open(place))
            Assert.Equal(Days, await store.List("snapshots", None).CountAsync(None));
        var restic = new ResticCli(place.ToString(), Password, _scratch.At($"{folder}-restic"));
        var check = restic.Run(S3Server.Keys, "check", "--read-data");
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        var back = _scratch.At($"{folder}-back");
        Assert.Equal(0, restic.Run(S3Server.Keys, "restore", "latest", "--target", back).ExitCode);
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At(folder)), FilePath.FromText(back + _scratch.At(folder))));
    }

    static async Task<Repository> Init(IObjectStore store)
    {
        using var password = Secret.FromText(Password);
        return await Repository.Init(store, password, Options(), None);
    }

    static async Task<Repository> Open(IObjectStore store, string cacheFolder)
    {
        using var password = Secret.FromText(Password);
        return await Repository.Open(store, password, Options() with { CacheFolder = FilePath.FromText(cacheFolder) }, None);
    }

    static RepositoryOptions Options() => new() { Kdf = new KdfCost(1024, 8, 1), Clock = new ShortWaits() };

    async Task<BackupSummary> Backup(Repository repository, string folder, DateTimeOffset time)
    {
        _scratch.File($"{folder}/always", "here");
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(_scratch.At(folder))] });
        return await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here", Time = time }, null, None);
    }
}

/// <summary>The store as it is used, with less patience than anybody has who does not wait for tests.</summary>
static class S3OverProxy
{
    static readonly TimeSpan Stalled = TimeSpan.FromSeconds(3);

    public static IObjectStore Open(S3Address address, TimeSpan? budget = null, TimeSpan? patience = null)
    {
        var retry = new RetryOptions { FirstPause = TimeSpan.FromMilliseconds(2), Budget = budget ?? TimeSpan.FromSeconds(60) };
        var store = new S3Store(address, S3Server.Options() with { Retry = retry }, stallPatience: patience ?? Stalled);
        return new RetryingStore(store, retry, TimeProvider.System);
    }
}
