using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>A disk that an agent finds by itself: listed as unprotected, protected by a policy, proven; and files on Btrfs beside it, taken
/// from a snapshot.</summary>
public sealed class VolumePolicyTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_disk_that_is_found_is_protected_and_proven()
    {
        await using var service = new Service();
        var noise = new byte[1 << 20];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(service.At("disk.img"), noise);
        using var disk = new LoopDevice(service.At("disk.img"), 8 << 20);
        using var tree = Mount.Btrfs(service.At("tree"));
        Directory.CreateDirectory($"{tree.Path}/data");
        File.WriteAllText($"{tree.Path}/data/file", "here\n");
        await service.StartSmall();
        using var api = service.Api();
        using var http = service.Http();
        var host = Assert.Single((await http.GetFromJsonAsync("hosts", WireJson.Default.IReadOnlyListHost, _ct))!);
        async Task<IReadOnlyList<Unprotected>> Unprotected()
            => (await http.GetFromJsonAsync("unprotected", WireJson.Default.IReadOnlyListUnprotected, _ct))!;

        await service.Until(async () => (await Unprotected()).Any(one => one.Found.Path.ToString() == disk.Path), "the disk is found");
        Assert.Contains(await Unprotected(), one => one.Found.Kind == FoundKind.FileSystem && one.Found.Path.ToString() == tree.Path);
        var policy = await api.CreatePolicy(new CreatePolicyRequest
        {
            Items =
            [
                new NewItem(host.Id, new SourceSpec
                {
                    Kind = SourceKind.Volume,
                    Volume = new VolumeSpec { Path = FilePath.FromText(disk.Path) },
                }),
                new NewItem(host.Id, new SourceSpec
                {
                    Files = new FilesSpec { Paths = [FilePath.FromText($"{tree.Path}/data")], Snapshot = SnapshotUse.Required },
                }),
            ],
        }, _ct);

        foreach (var item in policy.Items)
            await service.Until(async () => (await http.GetFromJsonAsync($"items/{item.Id}", WireJson.Default.Item, _ct))!.State
                == ItemState.Proven, $"the first recovery point of {item.Name} is proven");
        Assert.DoesNotContain(await Unprotected(), one => one.Found.Path.ToString() == disk.Path);
        Assert.Equal(8 << 20, (await http.GetFromJsonAsync($"items/{policy.Items.Single(item => item.Source.Volume is not null).Id}",
            WireJson.Default.Item, _ct))!.Bytes);
        Assert.Empty(Directory.GetDirectories(tree.Path, ".backupdr-snapshot-*"));
    }
}
