using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Crypto;
using BackupDr.Sources.Volumes;
using BackupDr.Storage;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

/// <summary>Disk images and block devices: stored by what changed, restored to files and devices, also by the stock program.</summary>
public sealed class VolumeTests : IDisposable
{
    const int Chunk = 64 << 10;

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<Repository> NewRepository()
    {
        using var password = Secret.FromText("twelve characters");
        return await Repository.Init(StoreFactory.Open(_scratch.At("repository")), password,
            new RepositoryOptions { HostName = "here", UserName = "tester", Workers = 2, Kdf = new KdfCost(1024, 8, 1) }, _ct);
    }

    Task<VolumeBackupSummary> Backup(Repository repository, string path, bool inUse = false)
        => VolumeBackup.Run(repository, path, new VolumeBackupOptions { HostName = "here", InUse = inUse }, null, _ct);

    Task<VolumeRestoreSummary> Restore(Repository repository, string target, string? confirm = null, bool over = false)
        => VolumeRestore.Run(repository, new VolumeRestoreOptions { Target = target, Confirm = confirm, Over = over }, null, _ct);

    static void Write(string path, long offset, byte[] bytes)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, bytes, offset);
    }

    static byte[] Read(string path, long offset, int length)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[length];
        Assert.Equal(length, RandomAccess.Read(file, bytes, offset));
        return bytes;
    }

    static byte[] Noise(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public async Task An_image_costs_what_changed_in_it_and_comes_back_equal_with_its_holes()
    {
        // 4 GiB, of which 64 MiB in 16 places hold something; then one chunk in a hundred of these changes.
        const int places = 16, placeBytes = 4 << 20, changed = places * placeBytes / Chunk / 100;
        var image = _scratch.At("vm/disk.img");
        Directory.CreateDirectory(_scratch.At("vm"));
        using (var file = File.Create(image)) file.SetLength(4L << 30);
        for (var at = 0; at < places; at++) Write(image, ((long)at << 28) + 12 * Chunk, Noise(at, placeBytes));
        using var repository = await NewRepository();

        var first = await Backup(repository, image);
        var same = await Backup(repository, image);
        for (var at = 0; at < changed; at++) Write(image, ((long)at << 28) + (12 + 3 * at) * Chunk + 4096, Noise(100 + at, 4096));
        var second = await Backup(repository, image);

        Assert.InRange(first.Run.BytesStored, places * placeBytes, places * placeBytes * 1.1);
        Assert.Equal(1, same.Run.FilesUnmodified);   // not even read
        Assert.InRange(same.Run.BytesNew, 0, 4096);   // folders above it, of which others change too
        Assert.InRange(second.Run.BytesStored, changed * Chunk, changed * Chunk * 1.2);
        var restored = await Restore(repository, _scratch.At("back/disk.img"));
        Assert.Equal((4L << 30, image), (restored.SizeBytes, restored.Volume));
        var (was, now) = (Descriptor.StatOf(FilePath.FromText(image)), Descriptor.StatOf(FilePath.FromText(restored.Path)));
        Assert.Equal((was.SizeBytes, was.Permissions), (now.SizeBytes, now.Permissions));
        Assert.InRange(now.AllocatedBytes, places * placeBytes, places * placeBytes + (2 << 20));   // so all else is holes
        for (var at = 0; at < places; at++)
            Assert.True(Read(image, (long)at << 28, placeBytes + 24 * Chunk)
                .AsSpan().SequenceEqual(Read(restored.Path, (long)at << 28, placeBytes + 24 * Chunk)), $"place {at} differs");
        await Assert.ThrowsAsync<BadInputException>(() => Restore(repository, restored.Path));
        await Restore(repository, restored.Path, over: true);
        var proof = await VolumeProof.Run(repository, new VolumeProofOptions { Scratch = _scratch.Folder("room") }, null, _ct);
        Assert.True(proof.IsProven, string.Join("; ", proof.Checks.Select(check => check.Detail)));
        Assert.Empty(Directory.GetFileSystemEntries(_scratch.At("room")));
    }

    [Fact]
    public async Task A_device_is_stored_as_one_file_and_put_onto_another_by_what_differs()
    {
        using var device = new LoopDevice(_scratch.At("a.img"), 48 << 20);
        using var other = new LoopDevice(_scratch.At("b.img"), 64 << 20);
        using var small = new LoopDevice(_scratch.At("c.img"), 32 << 20);
        Write(device.Path, 1 << 20, Noise(1, 8 << 20));
        Write(device.Path, (48 << 20) - 5000, Noise(2, 5000));
        Write(other.Path, 0, Noise(3, 64 << 20));   // what was on it shall not shine through
        using var repository = await NewRepository();

        var taken = await Backup(repository, device.Path);

        Assert.Equal(48 << 20, taken.SizeBytes);
        var restic = new ResticCli(_scratch.At("repository"), "twelve characters", _scratch.At("cache"));
        restic.Check();
        restic.Succeed("restore", "latest", "--target", _scratch.At("stock"));
        var expected = Hash(device.Path, 48 << 20);
        Assert.Equal(expected, Hash(_scratch.At($"stock{device.Path}"), 48 << 20));
        Assert.Equal(48 << 20, new FileInfo(_scratch.At($"stock{device.Path}")).Length);

        Assert.Equal("--confirm", (await Assert.ThrowsAsync<BadInputException>(() => Restore(repository, other.Path))).Field);
        Assert.Equal("--confirm", (await Assert.ThrowsAsync<BadInputException>(() => Restore(repository, other.Path, device.Path))).Field);
        Assert.Contains("has 33554432 bytes", (await Assert.ThrowsAsync<BadInputException>(
            () => Restore(repository, small.Path, small.Path))).Message, StringComparison.Ordinal);
        Assert.Equal(48 << 20, (await Restore(repository, other.Path, other.Path)).BytesWritten);
        Assert.Equal(expected, Hash(other.Path, 48 << 20));
        Assert.Equal(Noise(3, 64 << 20)[(48 << 20)..], Read(other.Path, 48 << 20, 16 << 20));   // behind its end nothing changes
        Assert.Equal(0, (await Restore(repository, other.Path, other.Path)).BytesWritten);
        Write(other.Path, 3 << 20, Noise(4, 512));
        Assert.Equal(Chunk, (await Restore(repository, other.Path, other.Path)).BytesWritten);
        Assert.Equal(expected, Hash(other.Path, 48 << 20));
    }

    [Fact]
    public async Task What_is_written_to_meanwhile_is_taken_only_when_somebody_says_so()
    {
        using var disk = Mount.Ext4(_scratch.At("disk"), 16);
        var device = MountTable.Of(MountTable.Read(), FilePath.FromText(disk.Path))!.Device;
        using var repository = await NewRepository();
        var idle = _scratch.At("idle.img");
        File.WriteAllBytes(idle, Noise(1, 100_000));

        foreach (var path in (string[])[device, disk.Path + ".img"])
        {
            var refused = await Assert.ThrowsAsync<SourceException>(() => Backup(repository, path));
            Assert.Equal("volume.in_use", refused.Code);
            Assert.Contains($"mounted at {disk.Path}", refused.Message, StringComparison.Ordinal);
            Assert.Contains("mix of old and new", Assert.Single((await Backup(repository, path, inUse: true)).Remarks),
                StringComparison.Ordinal);
        }
        var busy = await Assert.ThrowsAsync<ConflictException>(() => VolumeRestore.Run(repository,
            new VolumeRestoreOptions { Volume = device, Target = device, Confirm = device }, null, _ct));
        Assert.Equal(("volume.busy", true), (busy.Code, busy.Message.Contains(disk.Path, StringComparison.Ordinal)));
        Tool.Succeed("mount", "-o", "remount,ro", disk.Path);
        Assert.Empty((await Backup(repository, device)).Remarks);
        Assert.Empty(VolumePreflight.Look(idle));
        Assert.Equal("volume.no_volume", Assert.Single(VolumePreflight.Look(disk.Path)).Code);
        Assert.Equal("volume.missing", Assert.Single(VolumePreflight.Look(_scratch.At("none"))).Code);
        Assert.Equal("--volume", (await Assert.ThrowsAsync<BadInputException>(() => Restore(repository, _scratch.At("out.img")))).Field);
    }

    static string Hash(string path, int length) => Convert.ToHexString(SHA256.HashData(Read(path, 0, length)));
}
