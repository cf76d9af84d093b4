using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Sources.Files;
using BackupDr.Storage;
using BackupDr.Storage.Azure;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Trees;

namespace BackupDr.SystemTests;

/// <summary>A repository in two buckets, or in a container and a bucket: its first place goes away in the middle of a restore and of a
/// backup, is damaged, and comes back as it was, empty, and as it was some time ago.</summary>
public sealed class TwoRegionTests(S3Server s3, AzuriteServer azure)
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    /// <param name="Location">As the service is told.</param>
    /// <param name="Open">The place itself, beside any proxy: all of it, or a folder in it.</param>
    sealed record Region(CreateLocationRequest Location, Func<string, IObjectStore> Open);

    const int ManyPacks = 60, DamagedAtLeast = 50;

    static Region InS3(string name, S3Address bucket, Uri? way) => new(new CreateLocationRequest
    {
        Name = name,
        Kind = LocationKind.S3,
        Address = (way is null ? bucket : bucket with { Endpoint = way }).ToString(),
        Options = ["s3.region=us-east-1"],
        Credentials = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret },
    }, folder => new S3Store(bucket with { Prefix = bucket.Key(folder).TrimEnd('/') }, S3Server.Options()));

    Region InAzure(string name, AzureAddress container, Uri? way) => new(new CreateLocationRequest
    {
        Name = name,
        Kind = LocationKind.Azure,
        Address = container.ToString(),
        Credentials = new StoreCredentials { ConnectionString = way is null ? azure.Words : azure.WordsAt(way) },
    }, folder => new AzureStore(container with { Prefix = container.Key(folder).TrimEnd('/') }, azure.Options()));

    /// <summary>Lets a place go away with the next request that puts or gets a pack, after some that it still answers.</summary>
    sealed class Switch
    {
        string? _verb;
        int _left;

        public bool IsDown { get; set; }

        public void GoDownAmid(string verb, int answered) => (_left, _verb) = (answered, verb);

        public ProxyFault Decide(ProxiedRequest request)
        {
            if (request.Method == _verb && request.Target.Contains("/data/", StringComparison.Ordinal) && _left-- <= 0)
                (IsDown, _verb) = (true, null);
            return IsDown ? ProxyFault.ResetBefore : ProxyFault.None;
        }
    }

    /// <summary>Two kinds of store at once; in the long form two of one kind as well.</summary>
    public static TheoryData<LocationKind> Nearer() => Nightly.IsOn ? [LocationKind.Azure, LocationKind.S3] : [LocationKind.Azure];

    [Theory]
    [MemberData(nameof(Nearer))]
    public async Task What_one_region_loses_the_other_has_and_both_become_equal_again(LocationKind first)
    {
        var power = new Switch();
        var (bucket, nearBucket, container) = (await s3.NewBucket("fleet"), await s3.NewBucket("fleet"), await azure.NewContainer("fleet"));
        await using var way = await FaultProxy.Start(new Uri(first == LocationKind.S3 ? s3.Endpoint : azure.Endpoint), power.Decide);
        var nearer = first == LocationKind.S3 ? InS3("Near", nearBucket, new Uri(way.Url)) : InAzure("Near", container, new Uri(way.Url));
        var farther = InS3("Far", bucket, null);
        await using var store = nearer.Open("");
        await using var other = farther.Open("");
        await using var service = new Service();
        using var api = await Started(service);
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);
        var near = await api.CreateLocation(nearer.Location, _ct);
        var far = await api.CreateLocation(farther.Location, _ct);
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Location = near.Id,
            Items = [new NewItem(host.Id, new SourceSpec { Kind = SourceKind.Files,
                Files = new FilesSpec { Paths = [FilePath.FromText(service.At("precious"))] } })],
        }, _ct);
        var item = Assert.Single(policy.Items);
        await service.Until(async () => (await Points(http, item)).Count == 1, "the first backup is there");
        var repository = (await Points(http, item))[0].Repository;
        var password = await Escape(http, repository);
        Task<Run> Replicated()
            => Start(http, service, api, $"repositories/{repository}/replicate", new ReplicateRepositoryRequest(repository));
        async Task<Run> BackedUp() => await Finished(service, api, Assert.Single((await api.RunPolicy(policy.Id, _ct)).Runs));

        // A backup whose content lies in many packs, and both places hold it.
        await WriteManyPacks(service, nearer, host.Id, password);
        Assert.Equal(RunState.Complete, (await BackedUp()).State);
        var filled = await Start(http, service, api, $"repositories/{repository}/replicas", new AddReplicaRequest(repository, far.Id));
        Assert.Equal(RunState.Complete, filled.State);
        Assert.Equal(["Far", "Near"], (await Points(http, item))[0].Locations);
        Assert.Equal((0, null), (await Replica(http, repository)) is { } equal ? (equal.PointsBehind, equal.Problem) : default);

        // The region goes away in the middle of a restore, and comes back as it was.
        power.GoDownAmid("GET", answered: 1);
        await Restore(http, service, api, item, "back-0");
        Assert.True(power.IsDown);
        AssertRestored(service, "back-0");
        power.IsDown = false;

        // Packs are lost and damaged in one region: a restore reads around them, and mends them with evidence.
        var earlier = await Contents(store);
        var damaged = await Damage(store, host.Id, earlier);
        var healed = await Restore(http, service, api, item, "back-1");
        AssertRestored(service, "back-1");
        var mended = healed.Result!.Healed!.Where(copy => copy.Problem.Contains("right again", StringComparison.Ordinal)).ToList();
        Assert.True(mended.Count >= DamagedAtLeast, $"{mended.Count} of {damaged} were mended");
        var now = await Contents(store);
        Assert.All(mended.Select(copy => new ObjectName($"{host.Id}/{copy.Name}")), name => Assert.Equal(earlier[name], now[name]));

        // The region goes away in the middle of a backup: it goes to the other one, and can be restored.
        await WriteNoise(service, "more");
        await File.WriteAllTextAsync(service.At("precious/note"), "written while the region was down\n", _ct);
        power.GoDownAmid("PUT", answered: 1);
        var elsewhere = await BackedUp();
        Assert.True(power.IsDown);
        Assert.Equal((RunState.Complete, far.Id), (elsewhere.State, elsewhere.Result!.Backup!.Location));
        Assert.Equal(["Far"], (await Points(http, item))[0].Locations);
        await Restore(http, service, api, item, "back-2");
        AssertRestored(service, "back-2");

        // It comes back, and is empty.
        foreach (var name in await store.List("", _ct).Select(one => one.Name).ToListAsync(_ct)) await store.Delete(name, _ct);
        power.IsDown = false;
        await service.Until(async () => (await Replicated()).State == RunState.Complete, "both are equal again");
        Assert.All(await Points(http, item), point => Assert.Equal(["Far", "Near"], point.Locations));

        // It comes back as it was before the last two backups; what only it had would be lost then.
        Assert.Equal(RunState.Complete, (await BackedUp()).State);
        await service.Until(async () => (await Replicated()).State == RunState.Complete, "both hold the third backup");
        await RollBack(store, earlier);
        await service.Until(async () => (await Replicated()).State == RunState.Complete, "both are equal once more");
        Assert.All(await Points(http, item), point => Assert.Equal(["Far", "Near"], point.Locations));
        var restic = new ResticCli($"{bucket}/{host.Id}", password, service.At("restic-cache"));
        var check = restic.Run(S3Server.Keys, "check", "--read-data");
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        if (first == LocationKind.S3)
        {
            var nearCheck = new ResticCli($"{nearBucket}/{host.Id}", password, service.At("restic-near"))
                .Run(S3Server.Keys, "check", "--read-data");
            Assert.True(nearCheck.ExitCode == 0, nearCheck.Output + nearCheck.Errors);
        }
        Assert.Equal((await Names(store, host.Id)).Except(await Names(other, host.Id)), []);
        Assert.Equal((await Names(other, host.Id)).Except(await Names(store, host.Id)), []);
        if (first == LocationKind.S3) await AssertKitRestores(http, service);   // stock restic 0.14 finds no Azure but the real one
    }

    /// <summary>Files whose content lies in packs of their own; the next backup of the service finds it stored.</summary>
    async Task WriteManyPacks(Service service, Region region, HostId host, string password)
    {
        var folder = service.Folder("precious/many");
        for (var i = 0; i < ManyPacks; i++)
        {
            var content = new byte[300_000];
            Random.Shared.NextBytes(content);
            await File.WriteAllBytesAsync(Path.Combine(folder, $"{i}"), content, _ct);
        }
        await using var store = region.Open($"{host}");
        using var secret = Secret.FromText(password);
        using var repository = await Repository.Open(store, secret, new RepositoryOptions { PackSizeBytes = 128 << 10 }, _ct);
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(folder)] });
        await BackupRun.Execute(repository, source, new BackupRequest { HostName = "many" }, null, _ct);
    }

    /// <summary>All packs, by turns: gone, one bit wrong, cut off.</summary>
    async Task<int> Damage(IObjectStore store, HostId host, Dictionary<ObjectName, byte[]> contents)
    {
        var packs = contents.Keys.Where(name => name.Value.StartsWith($"{host}/data/", StringComparison.Ordinal)).ToList();
        for (var i = 0; i < packs.Count; i++)
        {
            Assert.True(await store.Delete(packs[i], _ct));
            var bad = contents[packs[i]].ToArray();
            bad[bad.Length / 3] ^= 0x10;
            if (i % 3 > 0) await store.Put(packs[i], i % 3 == 1 ? bad : bad.AsMemory(0, bad.Length / 2), _ct);
        }
        return packs.Count;
    }

    async Task WriteNoise(Service service, string name)
    {
        var noise = new byte[40 << 20];
        Random.Shared.NextBytes(noise);
        await File.WriteAllBytesAsync(service.At($"precious/{name}"), noise, _ct);
    }

    static void AssertRestored(Service service, string target) => Assert.Empty(FsDiff.Compare(FilePath.FromText(service.At("precious")),
        FilePath.FromText(service.At(target) + service.At("precious")), new FsDiffOptions { CompareRoots = false }));

    async Task<Dictionary<ObjectName, byte[]>> Contents(IObjectStore store)
    {
        var contents = new Dictionary<ObjectName, byte[]>();
        foreach (var found in await store.List("", _ct).ToListAsync(_ct))
        {
            contents[found.Name] = new byte[found.SizeBytes];
            await store.Read(found.Name, 0, contents[found.Name], _ct);
        }
        return contents;
    }

    async Task RollBack(IObjectStore store, Dictionary<ObjectName, byte[]> earlier)
    {
        var there = await store.List("", _ct).Select(found => found.Name).ToHashSetAsync(cancellationToken: _ct);
        foreach (var name in there.Except(earlier.Keys)) await store.Delete(name, _ct);
        foreach (var (name, content) in earlier)
            if (!there.Contains(name)) await store.Put(name, content, _ct);
    }

    // All that makes up the repository; locks are each place's own.
    async Task<List<string>> Names(IObjectStore store, HostId host)
        => [.. (await store.List($"{host}", _ct).Select(found => found.Name.Value).ToListAsync(_ct))
            .Where(name => !name.Contains("/locks/", StringComparison.Ordinal)
                && !name.Contains("/x-backupdr/", StringComparison.Ordinal))];

    // What a person would paste, with the unmodified program and nothing of ours.
    async Task AssertKitRestores(HttpClient http, Service service)
    {
        using var answer = await http.PostAsync("recovery-kit", null, _ct);
        var kit = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RecoveryKit, _ct))!.Text;
        foreach (var (location, path, content) in ((string, string, string)[])
            [("Near", "precious/note", "written while the region was down\n"), ("This machine", "first/file", "here\n")])
        {
            var section = kit[kit.IndexOf($", in {location}\n", StringComparison.Ordinal)..];
            var commands = section.Split('\n').SkipWhile(line => !line.StartsWith("    ", StringComparison.Ordinal))
                .TakeWhile(line => line.StartsWith("    ", StringComparison.Ordinal));
            var folder = service.Folder($"kit-{path.Split('/')[0]}");
            var environment = new Dictionary<string, string> { ["RESTIC_CACHE_DIR"] = Path.Combine(folder, "cache") };
            var shell = Tool.Run("bash", ["-e", "-c", $"cd {folder}\n{string.Join('\n', commands)}"], environment);
            Assert.True(shell.ExitCode == 0, shell.Output + shell.Errors);
            Assert.Equal(content, await File.ReadAllTextAsync(Path.Combine(folder, "restored") + service.At(path), _ct));
        }
    }

    async Task<ApiClient> Started(Service service)
    {
        File.WriteAllText(Path.Combine(service.Folder("precious"), "note"), "precious\n");
        await WriteNoise(service, "noise");
        await service.StartSmall();
        return service.Api();
    }

    async Task<IReadOnlyList<RecoveryPoint>> Points(HttpClient http, Item item)
        => (await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint, _ct))!;

    async Task<Replica> Replica(HttpClient http, RepositoryId repository)
        => Assert.Single((await http.GetFromJsonAsync("repositories", WireJson.Default.IReadOnlyListRepositorySummary, _ct))!
            .Single(one => one.Id == repository).Replicas);

    async Task<Run> Finished(Service service, ApiClient api, RunId run)
    {
        await service.Until(async () => (await api.Run(run, _ct)).FinishedAt is not null, "the run ends");
        return await api.Run(run, _ct);
    }

    async Task<Run> Start<T>(HttpClient http, Service service, ApiClient api, string path, T body)
    {
        using var answer = await http.PostAsJsonAsync(path, body, WireJson.Default.Options, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        return await Finished(service, api, (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, _ct))!.Run);
    }

    async Task<Run> Restore(HttpClient http, Service service, ApiClient api, Item item, string target)
    {
        var run = await Start(http, service, api, "restores", new RequestRestoreRequest
        {
            Point = (await Points(http, item))[0].Id,
            Target = FilePath.FromText(service.At(target)),
        });
        Assert.True(run.State == RunState.Complete, run.Result?.Error?.Message);
        return run;
    }

    async Task<string> Escape(HttpClient http, RepositoryId repository)
    {
        using var answer = await http.PostAsync($"repositories/{repository}/reveal", null, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
        return (await answer.Content.ReadFromJsonAsync(WireJson.Default.RepositoryEscape, _ct))!.Password;
    }
}
