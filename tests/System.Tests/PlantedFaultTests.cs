using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>Something is broken on purpose; within one cycle the item says what.</summary>
public sealed class PlantedFaultTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_pack_that_is_gone_makes_the_item_failed()
    {
        await using var service = new Service();
        var noise = new byte[300_000];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(service.Folder("source"), "noise"), noise);
        service.Start("--protect", service.At("source"));
        var outcome = await service.Outcome();
        using var api = service.Api();
        using var http = service.Http();
        var proven = Assert.Single(await api.Items(_ct));
        Assert.Equal(ItemState.Proven, proven.State);
        var pack = Directory.GetFiles(Path.Combine(outcome.GetProperty("repository").GetString()!, "data"), "*",
            SearchOption.AllDirectories).MaxBy(file => new FileInfo(file).Length)!;
        File.Delete(pack);

        using var answer = await http.PostAsJsonAsync($"repositories/{proven.Repository}/check",
            new CheckRepositoryRequest(proven.Repository), WireJson.Default.CheckRepositoryRequest, _ct);
        answer.EnsureSuccessStatusCode();

        await service.Until(async () => Assert.Single(await api.Items(_ct)).State == ItemState.Failed, "the damage is told");
        Assert.Contains($"pack {Path.GetFileName(pack)}: it is in the index, but not in the store",
            Assert.Single(await api.Items(_ct)).StateReason, StringComparison.Ordinal);
        Assert.Equal(0, await service.Stop());
    }
}
