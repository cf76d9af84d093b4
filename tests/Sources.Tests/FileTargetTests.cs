using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

public sealed class FileTargetTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly string _outside;
    readonly FileStatus _outsideBefore;

    public FileTargetTests()
    {
        _outside = _scratch.Folder("outside");
        _scratch.File("outside/canary", "untouched");
        _scratch.Folder("target");
        _outsideBefore = Descriptor.StatOf(FilePath.FromText(_outside));
    }

    public void Dispose() => _scratch.Dispose();

    FileTarget Open(OverwritePolicy policy) => FileTarget.Open(FilePath.FromText(_scratch.At("target")), policy);

    static FilePath[] At(params string[] names) => [.. names.Select(FilePath.FromText)];

    static Node Make(NodeType type, string name, string content = "", string linkTarget = "") => new()
    {
        Name = FilePath.FromText(name),
        Type = type,
        Permissions = type == NodeType.Dir ? 0x1ED : 0x1A4,
        SizeBytes = (ulong)content.Length,
        ModifiedAt = new UnixTime(1_700_000_000, 5),
        AccessedAt = new UnixTime(1_700_000_000, 5),
        ChangedAt = new UnixTime(1_700_000_000, 5),
        Uid = AccountNames.CurrentUid,
        Gid = 0,
        LinkTarget = FilePath.FromText(linkTarget),
    };

    static bool Restore(FileTarget target, FilePath[] path, string content)
    {
        var node = Make(NodeType.File, path[^1].ToString(), content);
        using var file = target.OpenFile(path, node);
        if (file is null) return false;
        file.Write(0, Encoding.UTF8.GetBytes(content));
        file.Finish(node);
        return true;
    }

    void AssertOutsideUntouched()
    {
        Assert.Equal("untouched", File.ReadAllText(Path.Combine(_outside, "canary")));
        Assert.Equal(["canary"], Directory.GetFileSystemEntries(_outside).Select(Path.GetFileName));
        // ctime: any change of the folder or its metadata.
        Assert.Equal(_outsideBefore.ChangedAt, Descriptor.StatOf(FilePath.FromText(_outside)).ChangedAt);
    }

    [Theory]
    [InlineData(OverwritePolicy.Never)]
    [InlineData(OverwritePolicy.IfChanged)]
    public void What_a_killed_restore_left_goes_with_the_next_one_unless_another_is_at_work(OverwritePolicy policy)
    {
        string[] left = ["target/.backupdr-restore-0123456789abcdef", "target/sub/.backupdr-restore-fedcba9876543210"];
        string[] others = ["target/.backupdr-restore-0123", "target/.backupdr-restore-0123456789ABCDEF", "target/sub/mine"];
        foreach (var path in left.Concat(others)) _scratch.File(path, "half");

        using (FileTarget.Open(FilePath.FromText(_scratch.At("target")), OverwritePolicy.Never))
        {
            Assert.False(File.Exists(_scratch.At(left[0])));
            _scratch.File(left[0], "of the one at work");
            using var second = Open(policy);
            second.MakeFolder(At("sub"), Make(NodeType.Dir, "sub"));
            Assert.All(left, path => Assert.True(File.Exists(_scratch.At(path)), path));
        }
        using (var next = Open(policy)) next.MakeFolder(At("sub"), Make(NodeType.Dir, "sub"));

        Assert.All(left, path => Assert.False(File.Exists(_scratch.At(path)), path));
        Assert.All(others, path => Assert.True(File.Exists(_scratch.At(path)), path));
    }

    [Theory]
    [InlineData("..")]
    [InlineData(".")]
    [InlineData("")]
    [InlineData("a/b")]
    [InlineData("/etc")]
    [InlineData("../outside")]
    public void Names_that_lead_elsewhere_are_refused_in_every_place(string name)
    {
        using var target = Open(OverwritePolicy.Always);
        target.MakeFolder(At("fine"), Make(NodeType.Dir, "fine"));

        foreach (var path in (FilePath[][])[At(name), At("fine", name), At(name, "fine"), At("fine", name, "canary")])
        {
            AssertRefused(() => target.MakeFolder(path, Make(NodeType.Dir, "x")));
            AssertRefused(() => Restore(target, path, "evil"));
            AssertRefused(() => target.MakeSpecial(path, Make(NodeType.Symlink, "x", linkTarget: "y")));
            AssertRefused(() => target.MakeHardLink(At("link"), path, Make(NodeType.File, "x")));
            AssertRefused(() => target.MakeHardLink(path, At("fine"), Make(NodeType.File, "x")));
            AssertRefused(() => target.FinishFolder(path, Make(NodeType.Dir, "x")));
        }

        AssertOutsideUntouched();

        static void AssertRefused(Action act) => Assert.Equal("restore.unsafe_name", Assert.Throws<SourceException>(act).Code);
    }

    [Theory]
    [InlineData(OverwritePolicy.Never)]
    [InlineData(OverwritePolicy.IfChanged)]
    [InlineData(OverwritePolicy.Always)]
    public void A_link_planted_where_a_folder_is_expected_leads_nowhere(OverwritePolicy policy)
    {
        File.CreateSymbolicLink(_scratch.At("target/folder"), _outside);
        using var target = Open(policy);

        Assert.ThrowsAny<BackupDrException>(() => Restore(target, At("folder", "canary"), "evil"));
        Assert.ThrowsAny<BackupDrException>(() => target.FinishFolder(At("folder"), Make(NodeType.Dir, "folder") with { Permissions = 0 }));
        Assert.ThrowsAny<BackupDrException>(() => target.MakeHardLink(At("link"), At("folder", "canary"), Make(NodeType.File, "link")));
        Assert.ThrowsAny<BackupDrException>(() => target.MakeSpecial(At("folder", "new"), Make(NodeType.Fifo, "new")));

        AssertOutsideUntouched();
    }

    [Fact]
    public void A_link_in_the_place_of_a_folder_is_kept_by_never_and_replaced_by_always()
    {
        File.CreateSymbolicLink(_scratch.At("target/folder"), _outside);
        using (var never = Open(OverwritePolicy.Never))
            Assert.Equal("restore.in_the_way",
                Assert.Throws<SourceException>(() => never.MakeFolder(At("folder"), Make(NodeType.Dir, "folder"))).Code);
        using var always = Open(OverwritePolicy.Always);

        always.MakeFolder(At("folder"), Make(NodeType.Dir, "folder"));
        Restore(always, At("folder", "canary"), "restored");

        Assert.Null(new DirectoryInfo(_scratch.At("target/folder")).LinkTarget);
        Assert.Equal("restored", File.ReadAllText(_scratch.At("target/folder/canary")));
        AssertOutsideUntouched();
    }

    [Fact]
    public void A_link_in_the_place_of_a_file_is_replaced_and_never_written_through()
    {
        File.CreateSymbolicLink(_scratch.At("target/file"), Path.Combine(_outside, "canary"));
        using var target = Open(OverwritePolicy.Always);

        Restore(target, At("file"), "restored");

        Assert.Equal("restored", File.ReadAllText(_scratch.At("target/file")));
        AssertOutsideUntouched();
    }

    [Fact]
    public void A_link_that_the_same_restore_made_is_not_followed_either()
    {
        using var target = Open(OverwritePolicy.Always);
        target.MakeSpecial(At("folder"), Make(NodeType.Symlink, "folder", linkTarget: _outside));

        Assert.ThrowsAny<BackupDrException>(() => Restore(target, At("folder", "canary"), "evil"));
        Assert.ThrowsAny<BackupDrException>(() => target.MakeFolder(At("folder", "sub"), Make(NodeType.Dir, "sub")));
        Assert.ThrowsAny<BackupDrException>(() => target.FinishFolder(At("folder"), Make(NodeType.Dir, "folder")));

        AssertOutsideUntouched();
    }

    [Fact]
    public async Task Somebody_who_swaps_folders_for_links_meanwhile_gets_nothing_out()
    {
        using var target = Open(OverwritePolicy.Always);
        target.MakeFolder(At("a"), Make(NodeType.Dir, "a"));
        target.MakeFolder(At("a", "b"), Make(NodeType.Dir, "b"));
        using var stop = new CancellationTokenSource();
        var swapping = Task.Run(() =>
        {
            using var folder = Descriptor.OpenFolder(FilePath.FromText(_scratch.At("target")));
            var swaps = 0;
            while (!stop.IsCancellationRequested)
            {
                folder.Rename("a"u8, folder, "hidden"u8);
                folder.TryMakeSymlink("a"u8, Encoding.UTF8.GetBytes(_outside));
                folder.TryRemove("a"u8);
                folder.Rename("hidden"u8, folder, "a"u8);
                swaps++;
            }
            return swaps;
        });

        var refused = 0;
        // On a busy machine the other thread may begin late: go on until it got in the way at least once.
        for (var i = 0; i < 3_000 || (refused == 0 && i < 1_000_000); i++)
        {
            try
            {
                Restore(target, At("a", "canary"), "evil");
                target.FinishFolder(At("a", "b"), Make(NodeType.Dir, "b"));
            }
            catch (BackupDrException) { refused++; }
        }
        await stop.CancelAsync();

        Assert.InRange(await swapping, 1, int.MaxValue);
        Assert.InRange(refused, 1, int.MaxValue);
        AssertOutsideUntouched();
    }

    [Fact]
    public void Never_keeps_what_is_there_with_its_metadata_and_says_so()
    {
        _scratch.File("target/folder/file", "mine");
        var before = Descriptor.StatOf(FilePath.FromText(_scratch.At("target/folder")));
        using var target = Open(OverwritePolicy.Never);

        target.MakeFolder(At("folder"), Make(NodeType.Dir, "folder") with { Permissions = 0x1C0 });
        var written = Restore(target, At("folder", "file"), "restored");
        target.MakeSpecial(At("folder", "file"), Make(NodeType.Fifo, "file"));
        target.FinishFolder(At("folder"), Make(NodeType.Dir, "folder") with { Permissions = 0x1C0 });

        Assert.False(written);
        Assert.Equal("mine", File.ReadAllText(_scratch.At("target/folder/file")));
        Assert.Equal(before, Descriptor.StatOf(FilePath.FromText(_scratch.At("target/folder"))));
    }

    [Fact]
    public void If_changed_rewrites_only_files_whose_size_or_time_differ()
    {
        using var target = Open(OverwritePolicy.IfChanged);
        Restore(target, At("same"), "first");
        Restore(target, At("touched"), "first");
        Restore(target, At("longer"), "first");
        File.SetLastWriteTimeUtc(_scratch.At("target/touched"), new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));

        var written = (Restore(target, At("same"), "again"), Restore(target, At("touched"), "again"),
            Restore(target, At("longer"), "much longer"));

        Assert.Equal((false, true, true), written);
        Assert.Equal("first", File.ReadAllText(_scratch.At("target/same")));
        Assert.Equal("again", File.ReadAllText(_scratch.At("target/touched")));
        Assert.Equal("much longer", File.ReadAllText(_scratch.At("target/longer")));
    }

    [Fact]
    public void A_folder_in_the_place_of_a_file_is_never_removed()
    {
        _scratch.File("target/file/precious", "mine");
        using var target = Open(OverwritePolicy.Always);

        var e = Assert.Throws<SourceException>(() => Restore(target, At("file"), "restored"));

        Assert.Equal("restore.in_the_way", e.Code);
        Assert.Equal("mine", File.ReadAllText(_scratch.At("target/file/precious")));
        Assert.Equal(["file"], Directory.GetFileSystemEntries(_scratch.At("target")).Select(Path.GetFileName));
    }

    [Fact]
    public void A_file_that_is_given_up_leaves_nothing_behind()
    {
        using var target = Open(OverwritePolicy.Always);

        using (var file = target.OpenFile(At("half"), Make(NodeType.File, "half", "0123456789"))) file!.Write(0, "01234"u8);

        Assert.Empty(Directory.GetFileSystemEntries(_scratch.At("target")));
    }

    [Fact]
    public void Runs_of_zeros_become_holes_however_they_are_cut()
    {
        const int size = 3 << 20;
        var content = new byte[size];
        new Random(1).NextBytes(content.AsSpan(1_000_000, 5_000));
        content[^1] = 1;
        using var target = Open(OverwritePolicy.Always);
        var node = Make(NodeType.File, "sparse") with { SizeBytes = size };

        using (var file = target.OpenFile(At("sparse"), node)!)
        {
            for (var at = size; at > 0;)   // out of order and across block borders
            {
                var length = Math.Min(at, 77_777);
                at -= length;
                file.Write(at, content.AsSpan(at, length));
            }
            file.Finish(node);
        }

        Assert.Equal(content, File.ReadAllBytes(_scratch.At("target/sparse")));
        Assert.InRange(Descriptor.StatOf(FilePath.FromText(_scratch.At("target/sparse"))).AllocatedBytes, 4_096, 65_536);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]   // in memory: another kind of file system
    public void A_large_file_comes_out_whole_whatever_its_pieces_and_whoever_writes_them(bool inMemory)
    {
        const int size = (24 << 20) + 4_321;
        var content = new byte[size];
        new Random(2).NextBytes(content);
        content.AsSpan(5_000_001, 4_097).Clear();       // zeros that are too few for a hole
        content.AsSpan(9_000_000, 1_200_000).Clear();
        using var memory = inMemory ? Mount.Memory(_scratch.At("target"), "size=64m") : null;
        using var target = Open(OverwritePolicy.Always);
        var node = Make(NodeType.File, "large") with { SizeBytes = size };
        var pieces = new List<(int At, int Length)>();
        for (var (at, odd) = (0, new Random(3)); at < size; at += pieces[^1].Length)
            pieces.Add((at, Math.Min(size - at, odd.Next(4) == 0 ? odd.Next(1, 9_000) : odd.Next(100_000, 3_000_000))));
        var order = pieces.ToArray();
        new Random(4).Shuffle(order);

        using (var file = target.OpenFile(At("large"), node)!)
        {
            Parallel.ForEach(order, new ParallelOptions { MaxDegreeOfParallelism = 4 },
                piece => file.Write(piece.At, content.AsSpan(piece.At, piece.Length)));
            file.Finish(node);
        }

        Assert.True(content.AsSpan().SequenceEqual(File.ReadAllBytes(_scratch.At("target/large"))));
        Assert.InRange(Descriptor.StatOf(FilePath.FromText(_scratch.At("target/large"))).AllocatedBytes, size - 1_300_000, size - 800_000);
    }

    [Fact]
    public void A_default_acl_of_the_target_gives_nobody_rights_that_were_not_backed_up()
    {
        // user:1000:rwx for everything made below
        byte[] acl = [2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 0xE8, 3, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7, 0,
            255, 255, 255, 255, 32, 0, 5, 0, 255, 255, 255, 255];
        using (var folder = Descriptor.OpenFolder(FilePath.FromText(_scratch.At("target"))))
            Assert.Equal(Errno.None, folder.TrySetAttribute("system.posix_acl_default", acl));
        using var target = Open(OverwritePolicy.Always);

        target.MakeFolder(At("folder"), Make(NodeType.Dir, "folder"));
        Restore(target, At("folder", "file"), "secret");
        target.FinishFolder(At("folder"), Make(NodeType.Dir, "folder"));

        foreach (var path in (string[])["target/folder", "target/folder/file"])
        {
            using var made = Descriptor.Open(FilePath.FromText(_scratch.At(path)), OpenFlags.ReadOnly);
            Assert.Empty(made.Attributes());
        }
    }
}
