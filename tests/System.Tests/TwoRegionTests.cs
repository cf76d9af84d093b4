using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Storage;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>A repository in a bucket and in a container: the bucket is damaged, goes away, and comes back empty.</summary>
public sealed class TwoRegionTests(S3Server s3, AzuriteServer azure)
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_one_region_loses_the_other_has_and_both_become_equal_again()
    {
        var bucket = await s3.NewBucket("fleet");
        var isDown = false;
        await using var way = await FaultProxy.Start(new Uri(s3.Endpoint), _ => isDown ? ProxyFault.ResetBefore : ProxyFault.None);
        await using var service = new Service();
        using var api = await Started(service);
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);
        var near = await api.CreateLocation(new CreateLocationRequest
        {
            Name = "Near",
            Kind = LocationKind.S3,
            Address = (bucket with { Endpoint = new Uri(way.Url) }).ToString(),
            Options = ["s3.region=us-east-1"],
            Credentials = new StoreCredentials { AccessKey = S3Server.Access, SecretKey = S3Server.Secret },
        }, _ct);
        var far = await api.CreateLocation(new CreateLocationRequest
        {
            Name = "Far",
            Kind = LocationKind.Azure,
            Address = (await azure.NewContainer("fleet")).ToString(),
            Credentials = new StoreCredentials { ConnectionString = azure.Words },
        }, _ct);
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Location = near.Id,
            Items = [new NewItem(host.Id, new SourceSpec { Kind = SourceKind.Files,
                Files = new FilesSpec { Paths = [FilePath.FromText(service.At("precious"))] } })],
        }, _ct);
        var item = Assert.Single(policy.Items);
        await service.Until(async () => (await Points(http, item)).Count == 1, "the first backup is there");
        var repository = (await Points(http, item))[0].Repository;

        // Both hold it.
        var filled = await Start(http, service, api, $"repositories/{repository}/replicas", new AddReplicaRequest(repository, far.Id));
        Assert.Equal(RunState.Complete, filled.State);
        Assert.Equal(["Far", "Near"], (await Points(http, item))[0].Locations);
        Assert.Equal((0, null), (await Replica(http, repository)) is { } equal ? (equal.PointsBehind, equal.Problem) : default);

        // Packs are lost and damaged in one region: a restore reads around it, and mends it.
        await using var store = new S3Store(bucket, S3Server.Options());
        var lost = await Packs(store, host.Id);
        Assert.NotEmpty(lost);
        foreach (var pack in lost) Assert.True(await store.Delete(pack.Name, _ct));
        var healed = await Restore(http, service, api, item, "back-1");
        Assert.Contains(healed.Result!.Healed!, copy => copy.Problem.Contains("right again", StringComparison.Ordinal));
        Assert.Equal(lost.Select(pack => pack.Name.Value).Order(), (await Packs(store, host.Id)).Select(pack => pack.Name.Value).Order());

        // The region is gone: the backup goes to the other one, and can be restored.
        isDown = true;
        await File.WriteAllTextAsync(service.At("precious/note"), "written while the region was down\n", _ct);
        var elsewhere = await Finished(service, api, Assert.Single((await api.RunPolicy(policy.Id, _ct)).Runs));
        Assert.Equal((RunState.Complete, far.Id), (elsewhere.State, elsewhere.Result!.Backup!.Location));
        Assert.Equal(["Far"], (await Points(http, item))[0].Locations);
        await Restore(http, service, api, item, "back-2");
        Assert.Equal("written while the region was down\n",
            await File.ReadAllTextAsync(service.At("back-2") + service.At("precious/note"), _ct));

        // It comes back, and is empty.
        foreach (var name in await store.List("", _ct).Select(one => one.Name).ToListAsync(_ct)) await store.Delete(name, _ct);
        isDown = false;
        await service.Until(async () => (await Start(http, service, api, $"repositories/{repository}/replicate",
            new ReplicateRepositoryRequest(repository))).State == RunState.Complete, "both are equal again");
        Assert.All(await Points(http, item), point => Assert.Equal(["Far", "Near"], point.Locations));
        var escape = await Escape(http, repository);
        var restic = new ResticCli($"{bucket}/{host.Id}", escape, service.At("restic-cache"));
        var check = restic.Run(S3Server.Keys, "check", "--read-data");
        Assert.True(check.ExitCode == 0, check.Output + check.Errors);
        await AssertKitRestores(http, service);
    }

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

    static async Task<ApiClient> Started(Service service)
    {
        File.WriteAllText(Path.Combine(service.Folder("first"), "file"), "here\n");
        File.WriteAllText(Path.Combine(service.Folder("precious"), "note"), "precious\n");
        service.Start("--protect", service.At("first"));
        await service.Outcome();
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

    async Task<IReadOnlyList<StoredObject>> Packs(IObjectStore store, HostId host)
        => await store.List($"{host}/data", _ct).ToListAsync(_ct);
}
