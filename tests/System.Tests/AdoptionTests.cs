using System.Net.Http.Json;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>A repository of stock restic with fifty snapshots is adopted, restored from, continued, and still used by stock
/// restic.</summary>
public sealed class AdoptionTests
{
    const int Snapshots = 50, NoiseBytes = 24 << 20;
    const string Password = "restic's own password";

    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stock_repository_is_adopted_restored_continued_and_still_used_by_stock_restic()
    {
        await using var service = new Service();
        var restic = new ResticCli(service.At("stock"), Password, service.At("restic-cache"));
        var taken = Fill(service, restic);
        using var api = await Started(service);
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);

        // Wrong password: nothing is attached, and it can be tried again with the right one.
        var before = Listing(service.At("stock"));
        var adopted = await Post<AdoptRepositoryRequest, RepositoryAdopted>(http, "repositories", new AdoptRepositoryRequest
        {
            Name = "Stock",
            Host = host.Id,
            Address = service.At("stock"),
            Password = "mistyped",
        });
        var refused = await Finished(service, api, adopted.Run);
        Assert.Equal((RunState.Failed, "repository.wrong_password"), (refused.State, refused.Result!.Error!.Code));
        Assert.Equal(RepositoryState.Failed, (await Repository(http, adopted.Repository)).State);

        // Looked through: all fifty are there, and not a byte was written.
        var look = await Look(http, service, api, adopted.Repository, Password);
        Assert.Equal((RunState.Complete, Snapshots), (look.State, look.Result!.Adopt!.SnapshotCount));
        Assert.Equal(before, Listing(service.At("stock")));
        var points = await Points(http, adopted.Repository);
        Assert.Equal(taken.AsEnumerable().Reverse(), points.Select(point => point.SnapshotId));
        Assert.All(points, point => Assert.Equal((Environment.MachineName, service.At("laptop"), null),
            (point.Found!.HostName, Assert.Single(point.Found.Paths), point.Proof)));

        await AnOldOneIsRestoredAndProven(service, api, http, points);
        Assert.Equal(before, Listing(service.At("stock")));
        var item = await APolicyContinues(service, api, http, host.Id, adopted.Repository, taken);
        await StockResticGoesOn(service, api, http, item, restic, taken);
    }

    async Task AnOldOneIsRestoredAndProven(Service service, ApiClient api, HttpClient http, IReadOnlyList<RecoveryPoint> points)
    {
        var old = points[^8];   // the eighth that was taken
        var listing = await Post<FolderPath, BrowseAnswer>(http, $"points/{old.Id}/browse", new FolderPath(FilePath.FromText(
            service.At("laptop"))));
        Assert.Equal(["noise", "note"], listing.Listing.Entries.Select(entry => entry.Name.ToString()));
        var restored = await Finished(service, api, (await Post<RequestRestoreRequest, RunStarted>(http, "restores",
            new RequestRestoreRequest { Point = old.Id, Target = FilePath.FromText(service.At("back")) })).Run);
        Assert.True(restored.State == RunState.Complete, restored.Result?.Error?.Message);
        Assert.Equal("written 7 times\n", await File.ReadAllTextAsync(service.At("back") + service.At("laptop/note"), _ct));
        Assert.Equal(Hash(service.At("laptop/noise")), Hash(service.At("back") + service.At("laptop/noise")));
        var drill = await Finished(service, api, (await api.Drill(old.Id, _ct)).Run);
        Assert.Equal(ProofResult.Proven, drill.Result!.Drill!.Result);
        Assert.Equal(ProofResult.Proven, (await api.Point(old.Id, _ct)).Proof);
    }

    async Task<Item> APolicyContinues(Service service, ApiClient api, HttpClient http, HostId host, RepositoryId repository,
        List<string> taken)
    {
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Repository = repository,
            Items = [new NewItem(host, new SourceSpec { Kind = SourceKind.Files,
                Files = new FilesSpec { Paths = [FilePath.FromText(service.At("laptop"))] } })],
        }, _ct);
        var item = Assert.Single(policy.Items);
        await service.Until(async () => (await Items(http, item)).Count == 1, "the first continued backup is there");
        var first = (await Items(http, item))[0].Backup;
        Assert.Equal(taken[^1], first.ParentId);
        Assert.True(first.BytesAdded < 64 << 10, $"unchanged data added {first.BytesAdded} bytes");

        // Read anew, the file is cut as restic cut it, and all of it is there already.
        File.SetLastWriteTimeUtc(service.At("laptop/noise"), File.GetLastWriteTimeUtc(service.At("laptop/noise")).AddSeconds(1));
        var again = await Finished(service, api, Assert.Single((await api.RunPolicy(policy.Id, _ct)).Runs));
        Assert.Equal((RunState.Complete, 1), (again.State, again.Result!.Backup!.FilesChanged));
        Assert.True(again.Result.Backup.BytesNew < 64 << 10, $"data read anew added {again.Result.Backup.BytesNew} bytes");
        return item;
    }

    async Task StockResticGoesOn(Service service, ApiClient api, HttpClient http, Item item, ResticCli restic, List<string> taken)
    {
        var repository = item.Repository;
        await service.Until(async () => (await api.Runs(item.Id, _ct)).Runs.All(run => run.FinishedAt is not null), "nothing is at work");
        restic.Check();
        await File.WriteAllTextAsync(service.At("laptop/note"), "written by restic after ours\n", _ct);
        var theirs = restic.Backup(service.At("laptop"));
        Assert.Equal(Snapshots + 3, restic.Snapshots().Count);
        restic.Succeed("forget", taken[0]);

        var look = await Look(http, service, api, repository, null);

        Assert.True(look.State == RunState.Complete, look.Result?.Error?.Message);
        var points = await Points(http, repository);
        Assert.StartsWith(theirs, points[0].SnapshotId, StringComparison.Ordinal);   // restic 0.14 tells the short form
        Assert.Equal(taken[0], Assert.Single(points, point => point.GoneAt is not null).SnapshotId);
        Assert.Equal(2, points.Count(point => point.Item is not null));
        var now = await Repository(http, repository);
        Assert.Equal((Snapshots + 2, 1, 1), (now.RecoveryPoints, now.Adoption!.Gone, now.Adoption.Items));
        restic.Check();
    }

    /// <summary>Fifty backups of a large file that stays and a small one that changes; their ids, oldest first.</summary>
    static List<string> Fill(Service service, ResticCli restic)
    {
        service.Folder("laptop");
        File.WriteAllBytes(service.At("laptop/noise"), RandomNumberGenerator.GetBytes(NoiseBytes));
        restic.Succeed("init");
        for (var i = 0; i < Snapshots; i++)
        {
            File.WriteAllText(service.At("laptop/note"), $"written {i} times\n");
            restic.Backup(service.At("laptop"));
        }
        return [.. restic.Snapshots().Select(snapshot => snapshot.GetProperty("id").GetString()!)];
    }

    static string Hash(string path) => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)));

    static List<string> Listing(string folder) => [.. Directory.EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
        .Append(folder).Order(StringComparer.Ordinal).Select(path => $"{path} {File.GetLastWriteTimeUtc(path):O} "
            + (File.Exists(path) ? Hash(path) : "folder"))];

    static async Task<ApiClient> Started(Service service)
    {
        await service.StartSmall();
        return service.Api();
    }

    async Task<TAnswer> Post<TRequest, TAnswer>(HttpClient http, string path, TRequest body)
    {
        using var answer = await http.PostAsJsonAsync(path, body, WireJson.Default.Options, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        return (await answer.Content.ReadFromJsonAsync<TAnswer>(WireJson.Default.Options, _ct))!;
    }

    async Task<Run> Finished(Service service, ApiClient api, RunId run)
    {
        await service.Until(async () => (await api.Run(run, _ct)).FinishedAt is not null, "the run ends");
        return await api.Run(run, _ct);
    }

    async Task<Run> Look(HttpClient http, Service service, ApiClient api, RepositoryId repository, string? password)
        => await Finished(service, api, (await Post<LookAgainRequest, RunStarted>(http, $"repositories/{repository}/look",
            new LookAgainRequest(repository, password))).Run);

    async Task<RepositorySummary> Repository(HttpClient http, RepositoryId repository)
        => (await http.GetFromJsonAsync("repositories", WireJson.Default.IReadOnlyListRepositorySummary, _ct))!
            .Single(one => one.Id == repository);

    async Task<IReadOnlyList<RecoveryPoint>> Points(HttpClient http, RepositoryId repository)
        => (await http.GetFromJsonAsync($"points?repository={repository}", WireJson.Default.IReadOnlyListRecoveryPoint, _ct))!;

    async Task<IReadOnlyList<RecoveryPoint>> Items(HttpClient http, Item item)
        => (await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint, _ct))!;
}
