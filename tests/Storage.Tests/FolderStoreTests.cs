using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;

namespace BackupDr.Storage.Tests;

public sealed class FolderStoreTests : IDisposable
{
    static readonly CancellationToken None = CancellationToken.None;
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    FolderStore Store(string folder = "store") => new(FilePath.FromText(_scratch.At(folder)), TimeProvider.System);

    [Fact]
    public async Task Objects_are_readable_by_their_owner_only_and_never_writable()
    {
        await using var store = Store();

        await store.Put(new ObjectName("data/ab/x"), new byte[10], None);

        Assert.Equal(0x100, Descriptor.StatOf(FilePath.FromText(_scratch.At("store/data/ab/x"))).Permissions);
        foreach (var folder in (string[])["store", "store/data", "store/data/ab"])
            Assert.Equal(0x1C0, Descriptor.StatOf(FilePath.FromText(_scratch.At(folder))).Permissions);
    }

    [Fact]
    public async Task Files_of_interrupted_puts_are_not_listed_and_go_after_a_day()
    {
        _scratch.File("store/data/ab/old-tmp-0123456789abcdef", "half");
        _scratch.File("store/data/ab/young-tmp-0123456789abcdef", "half");
        _scratch.File("store/data/ab/not-temporary", "whole");
        File.SetLastWriteTimeUtc(_scratch.At("store/data/ab/old-tmp-0123456789abcdef"),
            new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        await using var store = Store();

        await store.Put(new ObjectName("data/ab/new"), new byte[1], None);

        Assert.Equal(["data/ab/new", "data/ab/not-temporary"], await Names(store));
        Assert.Equal(["new", "not-temporary", "young-tmp-0123456789abcdef"],
            Directory.GetFiles(_scratch.At("store/data/ab")).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_is_no_object_is_not_listed()
    {
        _scratch.File("store/snapshots/a", "x");
        _scratch.File("store/lost+found/b", "x");
        _scratch.File("store/a note of the owner", "x");
        File.CreateSymbolicLink(_scratch.At("store/snapshots/dangling"), "nowhere");
        await using var store = Store();

        Assert.Equal(["snapshots/a"], await Names(store));
    }

    [Fact]
    public async Task A_root_that_is_not_there_is_told_apart_from_an_empty_one()
    {
        await using var store = Store("no/such/folder");

        Assert.Equal(StoreFault.Unusable, (await Assert.ThrowsAsync<StoreException>(() => Names(store))).Fault);
        Assert.Null(await store.Head(new ObjectName("config"), None));
        Assert.Equal(StoreFault.Missing,
            (await Assert.ThrowsAsync<StoreException>(() => store.Read(new ObjectName("config"), 0, new byte[1], None))).Fault);
        Assert.False(Directory.Exists(_scratch.At("no")));

        await store.Put(new ObjectName("config"), new byte[1], None);

        Assert.Equal(["config"], await Names(store));
    }

    [Fact]
    public async Task A_file_where_the_root_should_be_makes_the_place_unusable()
    {
        _scratch.File("store", "a file");
        await using var store = Store();

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Put(new ObjectName("config"), new byte[1], None));

        Assert.Equal(StoreFault.Unusable, e.Fault);
        Assert.Contains(_scratch.At("store"), e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_is_told_as_such_and_leaves_nothing_behind()
    {
        using var disk = Mount.Memory(_scratch.At("store"), "size=2m");
        await using var store = Store();
        await store.Put(new ObjectName("data/ab/fits"), new byte[1 << 20], None);

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Put(new ObjectName("data/ab/too-big"), new byte[2 << 20], None));

        Assert.Equal(StoreFault.Full, e.Fault);
        Assert.False(e.IsTransient);
        Assert.NotNull(e.Hint);
        Assert.Equal(["fits"], Directory.GetFiles(_scratch.At("store/data/ab")).Select(Path.GetFileName));
    }

    [Fact]
    public async Task A_read_only_place_denies()
    {
        using var disk = Mount.Memory(_scratch.At("store"), "ro,size=1m");
        await using var store = Store();

        Assert.Equal(StoreFault.Denied,
            (await Assert.ThrowsAsync<StoreException>(() => store.Put(new ObjectName("config"), new byte[1], None))).Fault);
        Assert.Empty(await Names(store));
    }

    [Theory]
    [InlineData(1)]   // the file's
    [InlineData(2)]   // its folder's
    public void A_put_whose_fsync_fails_has_failed(int which)
    {
        _scratch.Folder("store");
        var inner = Traced.Run(typeof(FolderStoreTests), nameof(Put_fails_as_unavailable), _scratch.Path,
            $"-einject=fsync:error=EIO:when={which}");

        Assert.True(inner.ExitCode == 0, inner.Output);
        if (which == 1) Assert.Empty(Directory.GetFiles(_scratch.At("store")));
    }

    [Fact(Explicit = true)]
    public async Task Put_fails_as_unavailable()
    {
        await using var store = new FolderStore(FilePath.FromText(Path.Combine(Traced.Folder, "store")), TimeProvider.System);

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Put(new ObjectName("config"), new byte[100], None));

        Assert.Equal(StoreFault.Unavailable, e.Fault);
        Assert.Contains("fsync", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_put_goes_write_fsync_rename_fsync_of_the_folder_and_new_folders_are_synced_in_their_parents()
    {
        var inner = Traced.Run(typeof(FolderStoreTests), nameof(Put_one_object), _scratch.Path, "-etrace=mkdirat,pwrite64,fsync,renameat2",
            "-y");

        Assert.True(inner.ExitCode == 0, inner.Output);
        var calls = Traced.Trace(_scratch.Path).Where(line => line.Contains(_scratch.Path, StringComparison.Ordinal))
            .Select(line => line.Split(' ', 2, StringSplitOptions.TrimEntries)[1].Split('(')[0]).SkipWhile(call => call != "mkdirat");
        Assert.Equal(["mkdirat", "fsync", "mkdirat", "fsync", "pwrite64", "fsync", "renameat2", "fsync"], calls);
    }

    [Fact(Explicit = true)]
    public async Task Put_one_object()
    {
        await using var store = new FolderStore(FilePath.FromText(Path.Combine(Traced.Folder, "store")), TimeProvider.System);

        await store.Put(new ObjectName("data/x"), new byte[100], None);

        Assert.NotNull(await store.Head(new ObjectName("data/x"), None));
    }

    [Fact]
    public void A_writer_that_is_killed_leaves_only_whole_objects()
    {
        _scratch.Folder("store");
        // The kill comes in the middle of things: at the 40th rename of the process.
        Traced.Run(typeof(FolderStoreTests), nameof(Put_many_objects), _scratch.Path, "-einject=renameat2:signal=KILL:when=40");

        var found = Directory.GetFiles(_scratch.At("store")).Where(file => !file.Contains("-tmp-", StringComparison.Ordinal)).ToList();

        Assert.InRange(found.Count, 1, 199);
        Assert.All(found, file => Assert.Equal(Path.GetFileName(file), Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)))));
    }

    [Fact(Explicit = true)]
    public async Task Put_many_objects()
    {
        await using var store = new FolderStore(FilePath.FromText(Path.Combine(Traced.Folder, "store")), TimeProvider.System);
        await Parallel.ForEachAsync(Enumerable.Range(0, 200), async (number, ct) =>
        {
            var content = new byte[50_000];
            new Random(number).NextBytes(content);
            await store.Put(new ObjectName(Convert.ToHexStringLower(SHA256.HashData(content))), content, ct);
        });

        Assert.Equal(200, (await Names(store)).Count);
    }

    [Fact]
    public async Task A_power_cut_takes_nothing_that_was_acknowledged()
    {
        using var disk = Mount.Ext4(_scratch.At("disk"), sizeMb: 32);
        var content = new byte[300_000];
        new Random(7).NextBytes(content);
        await using (var store = Store("disk/store"))
            for (var i = 0; i < 5; i++) await store.Put(new ObjectName($"data/0{i}/object"), content, None);
        File.WriteAllBytes(_scratch.At("disk/careless.tmp"), content);
        File.Move(_scratch.At("disk/careless.tmp"), _scratch.At("disk/careless"));

        PowerCut.At(disk.Path);
        disk.Again();

        await using (var store = Store("disk/store"))
            for (var i = 0; i < 5; i++)
            {
                var back = new byte[content.Length];
                await store.Read(new ObjectName($"data/0{i}/object"), 0, back, None);
                Assert.Equal(content, back);
            }
        // The fact behind all of it: written and renamed without fsync, the file is empty or not there at all.
        var careless = new FileInfo(_scratch.At("disk/careless"));
        Assert.True(!careless.Exists || careless.Length == 0,
            $"A file without fsync came back with {(careless.Exists ? careless.Length : 0)} bytes.");
    }

    static async Task<List<string>> Names(FolderStore store)
    {
        var names = new List<string>();
        await foreach (var found in store.List("", None)) names.Add(found.Name.Value);
        names.Sort(StringComparer.Ordinal);
        return names;
    }
}
