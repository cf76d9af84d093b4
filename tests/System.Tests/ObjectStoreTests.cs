using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

[assembly: AssemblyFixture(typeof(S3Server))]
[assembly: AssemblyFixture(typeof(AzuriteServer))]

namespace BackupDr.SystemTests;

/// <summary>The published service with a location in an object store: its agent has only the credentials of its jobs.</summary>
public sealed class ObjectStoreTests(S3Server s3, AzuriteServer azure)
{
    static readonly StoreCredentials Keys = new() { AccessKey = S3Server.Access, SecretKey = S3Server.Secret };

    [Fact]
    public async Task A_folder_goes_into_a_bucket_and_comes_back()
    {
        var address = (await s3.NewBucket("fleet")).ToString();
        await using var service = new Service();
        var item = await Protect(service, new CreateLocationRequest
        {
            Name = "Bucket",
            Kind = LocationKind.S3,
            Address = address,
            Options = ["s3.region=us-east-1"],
            Credentials = Keys,
        });

        await ComesBack(service, item);
        await WrongKeysAreToldAndMended(service, item);

        Assert.DoesNotContain(Files(service.Data), file => Holds(file, S3Server.Secret));
    }

    [Fact]
    public async Task A_folder_goes_into_a_container_and_comes_back()
    {
        var address = (await azure.NewContainer("fleet")).ToString();
        await using var service = new Service();

        await ComesBack(service, await Protect(service, new CreateLocationRequest
        {
            Name = "Container",
            Kind = LocationKind.Azure,
            Address = address,
            Credentials = new StoreCredentials { ConnectionString = azure.Words },
        }));
    }

    static async Task<Item> Protect(Service service, CreateLocationRequest location)
    {
        var ct = TestContext.Current.CancellationToken;
        await service.StartSmall();
        var data = service.Folder("data");
        File.WriteAllText(Path.Combine(data, "note"), "precious\n");
        using var api = service.Api();
        using var http = service.Http();
        var host = Assert.Single(await http.Get("hosts", WireJson.Default.IReadOnlyListHost));
        var made = await api.CreateLocation(location, ct);
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Location = made.Id,
            Items = [new NewItem(host.Id, new SourceSpec { Kind = SourceKind.Files,
                Files = new FilesSpec { Paths = [FilePath.FromText(data)] } })],
        }, ct);
        return Assert.Single(policy.Items);
    }

    static async Task ComesBack(Service service, Item item)
    {
        var ct = TestContext.Current.CancellationToken;
        using var api = service.Api();
        using var http = service.Http();
        Item? now = null;
        await service.Until(async () => (now = await http.Get($"items/{item.Id}", WireJson.Default.Item)).LastProvenPoint is not null,
            "the folder is proven");
        var target = service.At("back");
        using var answer = await http.PostAsJsonAsync("restores", new RequestRestoreRequest
        {
            Point = now!.LastProvenPoint!.Value,
            Target = FilePath.FromText(target),
        }, WireJson.Default.RequestRestoreRequest, ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(ct));
        var run = (await answer.Content.ReadFromJsonAsync(WireJson.Default.RunStarted, ct))!.Run;
        await service.Until(async () => (await api.Run(run, ct)).FinishedAt is not null, "the restore ends");

        Assert.Equal(RunState.Complete, (await api.Run(run, ct)).State);
        Assert.Equal("precious\n", await File.ReadAllTextAsync(target + service.At("data/note"), ct));
    }

    static async Task WrongKeysAreToldAndMended(Service service, Item item)
    {
        var ct = TestContext.Current.CancellationToken;
        using var api = service.Api();
        using var http = service.Http();
        var location = (await http.Get("locations", WireJson.Default.IReadOnlyListLocation)).Single(one => one.Kind == LocationKind.S3);

        var untried = Keys with { SecretKey = "another secret" };
        var tested = await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => Replace(http, location.Id, untried));
        Assert.Contains("location.not_usable", tested.Message, StringComparison.Ordinal);
        await Replace(http, location.Id, untried, skipTest: true);
        var refused = await Backup(service, api, item);
        await Replace(http, location.Id, Keys);
        var mended = await Backup(service, api, item);

        Assert.Equal((RunState.Failed, "store.denied"), (refused.State, refused.Result?.Error?.Code));
        Assert.Equal(RunState.Complete, mended.State);
    }

    static async Task<Run> Backup(Service service, ApiClient api, Item item)
    {
        var ct = TestContext.Current.CancellationToken;
        var id = Assert.Single((await api.RunPolicy(item.Policy, ct)).Runs);
        await service.Until(async () => (await api.Run(id, ct)).FinishedAt is not null, "the backup ends");
        return await api.Run(id, ct);
    }

    static async Task Replace(HttpClient http, LocationId location, StoreCredentials credentials, bool skipTest = false)
    {
        using var answer = await http.PutAsJsonAsync($"locations/{location}/credentials",
            new ReplaceLocationCredentialsRequest { Credentials = credentials, SkipTest = skipTest },
            WireJson.Default.ReplaceLocationCredentialsRequest);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    // Logs, the agent's state, the database: nowhere in clear.
    static IEnumerable<string> Files(string folder) => Directory.EnumerateFiles(folder, "*",
        new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint });

    static bool Holds(string file, string text)
    {
        try { return File.ReadAllText(file).Contains(text, StringComparison.Ordinal); }
        catch (IOException) { return false; }   // it was removed meanwhile
    }
}
