using System.Net.Http.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Storage;
using BackupDr.Storage.Azure;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>The published service moves packs into an archive, says what a restore from there takes, and waits for the thaw; and it locks
/// what it puts into a bucket.</summary>
public sealed class TierTests(S3Server s3, AzuriteServer azure)
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task Packs_go_into_the_archive_and_a_restore_thaws_them_waits_and_goes_on()
    {
        var container = await azure.NewContainer("fleet");
        var slow = new SlowThaw();
        await using var way = await FaultProxy.Start(new Uri(azure.Endpoint), _ => ProxyFault.None, slow);
        await using var store = new AzureStore(container, azure.Options());
        await using var service = new Service();
        var item = await Protect(service, new CreateLocationRequest
        {
            Name = "Container",
            Kind = LocationKind.Azure,
            Address = container.ToString(),
            Credentials = new StoreCredentials { ConnectionString = azure.WordsAt(new Uri(way.Url)) },
            Tier = new TierRule("Archive", 0),
        });
        using var http = service.Http();
        RecoveryPoint? point = null;
        await service.Until(async () => (point = await Newest(http, item)) is { Proof: ProofResult.Proven }, "the folder is proven");

        var moved = await Start(http, service, $"repositories/{point!.Repository}/tier", new StartUpkeepRequest(default, JobKind.Tier),
            WireJson.Default.StartUpkeepRequest);
        var packs = await Archived(store);
        Assert.Equal((RunState.Complete, packs), (moved.State, Assert.Single(moved.Result!.Tier!.Places).Moved));
        Assert.True(packs > 0);

        var refused = await Start(http, service, "restores", new RequestRestoreRequest
        {
            Point = point.Id,
            Target = FilePath.FromText(service.At("back")),
        }, WireJson.Default.RequestRestoreRequest);
        var drill = await Start(http, service, $"points/{point.Id}/drill", new RequestDrillRequest(point.Id),
            WireJson.Default.RequestDrillRequest);
        Assert.Equal((RunState.Failed, "repository.archived", packs),
            (refused.State, refused.Result!.Error!.Code, refused.Result.Archived!.Packs));
        Assert.Equal("up to 15 hours", refused.Result.Archived.Time);
        Assert.False(Directory.Exists(service.At("back/srv")));
        Assert.Equal(ProofResult.Skipped, drill.Result!.Drill!.Result);
        Assert.Contains("A drill does not thaw", drill.Result.Drill.Reason, StringComparison.Ordinal);
        Assert.Empty(slow.Asked);

        var restore = await Ask(http, $"runs/{refused.Id}/thaw", new ThawAndRestoreRequest(Days: 2),
            WireJson.Default.ThawAndRestoreRequest);
        await service.Until(async () => (await Show(http, restore)).Looks >= 2, "it was looked at twice");
        var waiting = await Show(http, restore);
        Assert.Equal((RunState.Queued, packs), (waiting.State, waiting.Thawing!.Thawing));
        Assert.Contains("all asked for already", waiting.WaitsFor, StringComparison.Ordinal);
        await slow.Finish();
        await service.Until(async () => (await Show(http, restore)).FinishedAt is not null, "the restore ends");

        Assert.Equal(RunState.Complete, (await Show(http, restore)).State);
        Assert.Equal(slow.Asked.Distinct().Count(), slow.Asked.Count);   // nothing twice
        Assert.Equal(packs, slow.Asked.Count);
        Assert.Equal(File.ReadAllBytes(service.At("data/noise")), File.ReadAllBytes(service.At("back") + service.At("data/noise")));
    }

    [Fact]
    public async Task All_but_repository_locks_is_locked_in_a_bucket()
    {
        var bucket = await s3.NewLockedBucket();
        await using var store = new S3Store(bucket, S3Server.Options());
        await using var service = new Service();
        var item = await Protect(service, new CreateLocationRequest
        {
            Name = "Bucket",
            Kind = LocationKind.S3,
            Address = bucket.ToString(),
            Options = ["s3.region=us-east-1"],
            Credentials = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret },
            Lock = new LocationLock(30),
        });
        using var http = service.Http();

        await service.Until(async () => await Newest(http, item) is { Proof: ProofResult.Proven }, "the folder is proven");

        var objects = await store.List("", _ct).Where(one => !one.Name.Value.Contains("/x-backupdr/", StringComparison.Ordinal)
            && !one.Name.Value.StartsWith("x-backupdr/", StringComparison.Ordinal)).ToListAsync(_ct);
        Assert.Equal(["config", "data", "index", "keys", "snapshots"],
            objects.Select(one => one.Name.Value.Split('/')[1]).Distinct().Order(StringComparer.Ordinal));
        var soon = TimeProvider.System.GetUtcNow().AddDays(29);
        foreach (var one in objects)
            Assert.True(await store.Locks.Of(one.Name, _ct) is { Mode: RetentionMode.Governance } kept && kept.Until > soon,
                one.Name.Value);
    }

    async Task<Item> Protect(Service service, CreateLocationRequest location)
    {
        var noise = new byte[3 << 20];
        new Random(7).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(service.Folder("data"), "noise"), noise);
        await service.StartSmall();
        using var api = service.Api();
        using var http = service.Http();
        var host = Assert.Single(await Get(http, "hosts", WireJson.Default.IReadOnlyListHost));
        var made = await api.CreateLocation(location, _ct);
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Location = made.Id,
            Items = [new NewItem(host.Id, new SourceSpec { Kind = SourceKind.Files,
                Files = new FilesSpec { Paths = [FilePath.FromText(service.At("data"))] } })],
        }, _ct);
        return Assert.Single(policy.Items);
    }

    async Task<int> Archived(AzureStore store)
        => await store.Tiers.List("", _ct).CountAsync(one => one.IsArchived, _ct);

    async Task<RecoveryPoint?> Newest(HttpClient http, Item item)
        => await Get(http, $"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint) is [var newest, ..] ? newest : null;

    Task<Run> Show(HttpClient http, RunId run) => Get(http, $"runs/{run}", WireJson.Default.Run);

    async Task<Run> Start<T>(HttpClient http, Service service, string path, T request, JsonTypeInfo<T> shape)
    {
        var run = await Ask(http, path, request, shape);
        await service.Until(async () => (await Show(http, run)).FinishedAt is not null, $"{path} ends");
        return await Show(http, run);
    }

    async Task<RunId> Ask<T>(HttpClient http, string path, T request, JsonTypeInfo<T> shape)
    {
        using var answer = await http.PostAsJsonAsync(path, request, shape, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        return (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run;
    }

    async Task<T> Get<T>(HttpClient http, string path, JsonTypeInfo<T> shape) => (await http.GetFromJsonAsync(path, shape, _ct))!;
}
