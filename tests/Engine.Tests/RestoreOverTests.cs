using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;
using BackupDr.TestKit.Trees;

namespace BackupDr.Engine.Tests;

/// <summary>Restores into folders where something stands already.</summary>
public sealed class RestoreOverTests : IDisposable
{
    const string Mark = "user.backupdr.restoring";
    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    string Noise => _scratch.At("target/noise.bin");

    /// <summary>A repository with one snapshot of <see cref="Prepared.Folder"/>.</summary>
    async Task<Repository> Stored()
    {
        var repository = await Prepared.Init(_store);
        await Prepared.Backup(repository, Prepared.Folder(_scratch));
        return repository;
    }

    FileTarget Target(OverwritePolicy policy) => FileTarget.Open(FilePath.FromText(_scratch.At("target")), policy);

    async Task<RestoreSummary> Restore(Repository repository, OverwritePolicy policy, RestoreRequest? request = null)
    {
        using var target = Target(policy);
        return await Restore(repository, target, request);
    }

    async Task<RestoreSummary> Restore(Repository repository, IRestoreTarget target, RestoreRequest? request = null)
    {
        var snapshot = await repository.FindSnapshot("latest", SnapshotFilter.All, _ct);
        request = (request ?? new RestoreRequest()) with { From = FilePath.FromText(_scratch.At("source")) };
        return await RestoreRun.Execute(repository, snapshot, request, target, null, _ct);
    }

    void AssertRestored() => Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("source")),
        FilePath.FromText(_scratch.At("target")), new FsDiffOptions { CompareRoots = false }));

    static ulong Inode(string path) => Descriptor.StatOf(FilePath.FromText(path)).Inode;

    static void Overwrite(string path, long offset, params byte[] bytes)
    {
        using var file = File.OpenWrite(path);
        file.Position = offset;
        file.Write(bytes);
    }

    [Fact]
    public async Task What_is_right_already_is_not_written_again()
    {
        using var repository = await Stored();
        var first = await Restore(repository, OverwritePolicy.Always);
        File.SetLastWriteTimeUtc(Noise, DateTime.UnixEpoch);   // times do not count: content is compared, and times are set again

        var second = await Restore(repository, OverwritePolicy.Always);

        Assert.Equal((4, 0), (first.Files, first.FilesUnchanged));
        Assert.Equal((0, 4, 0), (second.Files, second.FilesUnchanged, second.Bytes));
        AssertRestored();
    }

    [Theory]
    [InlineData(OverwritePolicy.Always)]
    [InlineData(OverwritePolicy.IfChanged)]
    public async Task A_large_file_gets_only_the_ranges_that_differ(OverwritePolicy policy)
    {
        using var repository = await Stored();
        await Restore(repository, policy);
        var inode = Inode(Noise);
        Overwrite(Noise, 2_500_000, 1, 2, 3);
        Overwrite(Noise, 5 << 20, 4, 5, 6);   // and it grew

        var summary = await Restore(repository, policy);

        Assert.Equal((1, 1), (summary.Files, summary.FilesUpdated));
        Assert.InRange(summary.Bytes, 1, 4 << 20);
        Assert.Equal(inode, Inode(Noise));
        AssertRestored();   // attributes too: no mark is left
    }

    [Fact]
    public async Task A_file_that_is_only_too_long_is_cut()
    {
        using var repository = await Stored();
        await Restore(repository, OverwritePolicy.Always);
        Overwrite(Noise, 6 << 20, 1);

        var summary = await Restore(repository, OverwritePolicy.Always);

        Assert.Equal((1, 1, 0), (summary.Files, summary.FilesUpdated, summary.Bytes));
        AssertRestored();
    }

    [Fact]
    public async Task A_small_file_is_replaced_in_one_step()
    {
        using var repository = await Stored();
        await Restore(repository, OverwritePolicy.Always);
        Overwrite(_scratch.At("target/inner/note.txt"), 0, (byte)'X');
        using var before = File.OpenRead(_scratch.At("target/inner/note.txt"));

        var summary = await Restore(repository, OverwritePolicy.Always);

        Assert.Equal((1, 0), (summary.Files, summary.FilesUpdated));
        Assert.Equal((byte)'X', before.ReadByte());   // whoever had it open still has the old one
        AssertRestored();
    }

    [Theory]
    [InlineData("noise.bin", true)]
    [InlineData("noise.bin", false)]
    [InlineData("words.txt", true)]
    public async Task A_further_name_outside_of_the_target_is_never_changed(string name, bool sameContent)
    {
        using var repository = await Stored();
        _scratch.Folder("target");
        var outside = _scratch.At("outside");
        File.Copy(_scratch.At($"source/{name}"), outside);
        if (!sameContent) Overwrite(outside, 100, 1, 2, 3);
        File.SetUnixFileMode(outside, UnixFileMode.UserRead);
        var content = await File.ReadAllBytesAsync(outside, _ct);
        Tool.Succeed("ln", outside, _scratch.At($"target/{name}"));

        var summary = await Restore(repository, OverwritePolicy.Always);

        Assert.Empty(summary.Failed);
        AssertRestored();
        Assert.Equal(content, await File.ReadAllBytesAsync(outside, _ct));
        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(outside));
    }

    [Theory]
    [InlineData(OverwritePolicy.Never)]
    [InlineData(OverwritePolicy.IfChanged)]
    [InlineData(OverwritePolicy.IfNewer)]
    [InlineData(OverwritePolicy.Always)]
    public async Task A_file_that_a_killed_restore_left_between_old_and_new_is_mended_whatever_its_size_and_time(OverwritePolicy policy)
    {
        using var repository = await Stored();
        await Restore(repository, OverwritePolicy.Always);
        var time = File.GetLastWriteTimeUtc(Noise);
        Overwrite(Noise, 1_000_000, 1, 2, 3);
        using (var file = Descriptor.Open(FilePath.FromText(Noise), OpenFlags.ReadWrite))
            Assert.Equal(Errno.None, file.TrySetAttribute(Mark, "1"u8));
        File.SetLastWriteTimeUtc(Noise, time);

        var summary = await Restore(repository, policy);

        Assert.Empty(summary.Failed);
        Assert.Equal((1, 1), (summary.Files, summary.FilesUpdated));
        AssertRestored();
    }

    [Fact]
    public async Task A_restore_that_is_cut_off_while_it_mends_leaves_the_mark_and_the_next_one_ends_it()
    {
        using var repository = await Stored();
        await Restore(repository, OverwritePolicy.Always);
        Overwrite(Noise, 1_000_000, 1, 2, 3);
        using (var target = Target(OverwritePolicy.Always))
        using (var existing = target.OpenExisting([FilePath.FromText("noise.bin")], NodeOf("noise.bin"))!)
            Assert.True(existing.TryBeginMending());   // and the process ends here

        await Restore(repository, OverwritePolicy.IfNewer);

        AssertRestored();
    }

    static Node NodeOf(string name) => new()
    {
        Name = FilePath.FromText(name),
        Type = NodeType.File,
        Permissions = 0x1A4,
        ModifiedAt = default,
        AccessedAt = default,
        ChangedAt = default,
        Uid = 0,
        Gid = 0,
    };

    [Theory]
    [InlineData(-10, true)]
    [InlineData(10, false)]
    public async Task If_newer_replaces_what_is_older_and_keeps_the_rest_untouched(int seconds, bool replaced)
    {
        using var repository = await Stored();
        _scratch.File("target/inner/note.txt", "of somebody");
        var time = File.GetLastWriteTimeUtc(_scratch.At("source/inner/note.txt")).AddSeconds(seconds);
        File.SetLastWriteTimeUtc(_scratch.At("target/inner/note.txt"), time);

        var summary = await Restore(repository, OverwritePolicy.IfNewer);

        Assert.Equal(replaced ? "seed 1" : "of somebody", await File.ReadAllTextAsync(_scratch.At("target/inner/note.txt"), _ct));
        Assert.Equal(replaced ? 0 : 1, summary.Kept.Count);
        if (!replaced) Assert.Equal(time, File.GetLastWriteTimeUtc(_scratch.At("target/inner/note.txt")));
    }

    [Fact]
    public async Task Attributes_that_the_snapshot_has_not_go_with_the_content_that_it_takes_over()
    {
        using var repository = await Stored();
        await Restore(repository, OverwritePolicy.Always);
        using (var file = Descriptor.Open(FilePath.FromText(Noise), OpenFlags.ReadWrite))
            Assert.Equal(Errno.None, file.TrySetAttribute("user.stranger", "1"u8));

        await Restore(repository, OverwritePolicy.Always);

        AssertRestored();
    }

    [Theory]
    [InlineData(OverwritePolicy.Always)]
    [InlineData(OverwritePolicy.IfChanged)]
    public async Task Names_of_one_file_stay_names_of_one_file(OverwritePolicy policy)
    {
        Prepared.Folder(_scratch);
        foreach (var name in (string[])["second", "third"])
            Tool.Succeed("ln", _scratch.At("source/noise.bin"), _scratch.At($"source/{name}"));
        using var repository = await Stored();

        await Restore(repository, policy);
        await Restore(repository, policy);

        AssertRestored();
    }

    [Fact]
    public async Task A_preview_says_what_the_restore_then_does_and_changes_nothing()
    {
        using var repository = await Stored();
        await Restore(repository, OverwritePolicy.Always);
        Overwrite(Noise, 2_500_000, 1, 2, 3);
        Overwrite(_scratch.At("target/words.txt"), 0, (byte)'X');
        File.Delete(_scratch.At("target/inner/note.txt"));
        Tool.Succeed("cp", "-a", _scratch.At("target"), _scratch.At("before"));
        var snapshot = await repository.FindSnapshot("latest", SnapshotFilter.All, _ct);
        List<string> foreseen = [], done = [];
        RestoreRequest Told(List<string> lines) => new()
        {
            From = FilePath.FromText(_scratch.At("source")),
            Each = (path, outcome) => lines.Add($"{outcome} {path}"),
        };

        RestoreSummary preview;
        using (var target = FileTarget.OpenToLook(FilePath.FromText(_scratch.At("target")),
            new FileTargetOptions { Overwrite = OverwritePolicy.Always }))
            preview = await RestoreRun.Preview(repository, snapshot, Told(foreseen), target!, _ct);
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("before")), FilePath.FromText(_scratch.At("target"))));
        var summary = await Restore(repository, OverwritePolicy.Always, Told(done));

        Assert.Equal(["Created /inner/note.txt", "Replaced /words.txt", "Unchanged /empty", "Updated /noise.bin"], foreseen.Order());
        Assert.Equal(foreseen.Order(), done.Order());
        Assert.Equal((summary.Files, summary.Bytes, summary.FilesUpdated), (preview.Files, preview.Bytes, preview.FilesUpdated));
        AssertRestored();
    }

    [Fact]
    public async Task A_preview_of_a_restore_into_nothing_makes_nothing()
    {
        using var repository = await Stored();
        var snapshot = await repository.FindSnapshot("latest", SnapshotFilter.All, _ct);
        using var target = new EmptyTarget();

        var preview = await RestoreRun.Preview(repository, snapshot, new RestoreRequest(), target, _ct);

        Assert.Null(FileTarget.OpenToLook(FilePath.FromText(_scratch.At("target")), new FileTargetOptions()));
        Assert.Equal((4, 0), (preview.Files, preview.Failed.Count));
        Assert.Equal(new DirectoryInfo(_scratch.At("source")).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length),
            preview.Bytes);
    }

    [Fact]
    public async Task Verify_reads_back_every_file_and_names_the_one_that_changed_meanwhile()
    {
        using var repository = await Stored();
        var request = new RestoreRequest { Verify = true };

        var good = await Restore(repository, OverwritePolicy.Always, request);
        Directory.Delete(_scratch.At("target"), recursive: true);
        using var target = new Meddling(Target(OverwritePolicy.Always), () => Overwrite(Noise, 4_000_000, 1, 2, 3));
        var bad = await Restore(repository, target, request);

        Assert.Equal((4, 0), (good.FilesVerified, good.Failed.Count));
        Assert.Equal(3, bad.FilesVerified);
        Assert.Equal("/noise.bin", Assert.Single(bad.Failed).Path.ToString());
    }

    [Fact]
    public async Task Without_holes_a_file_occupies_its_whole_length()
    {
        _scratch.Folder("source");
        using (var file = File.Create(_scratch.At("source/zeros"))) file.SetLength(3 << 20);
        using var repository = await Prepared.Init(_store);
        await Prepared.Backup(repository, _scratch.At("source"));
        using var target = FileTarget.Open(FilePath.FromText(_scratch.At("target")), new FileTargetOptions { MakesHoles = false });

        await Restore(repository, target);

        Assert.InRange(Descriptor.StatOf(FilePath.FromText(_scratch.At("target/zeros"))).AllocatedBytes, 3 << 20, 4 << 20);
    }

    /// <summary>Does something to the target when all of it is durable.</summary>
    sealed class Meddling(IRestoreTarget inner, Action meddle) : IRestoreTarget
    {
        public void MakeFolder(IReadOnlyList<FilePath> path, Node folder) => inner.MakeFolder(path, folder);
        public RestoreChoice Look(IReadOnlyList<FilePath> path, Node node) => inner.Look(path, node);
        public IExistingFile? OpenExisting(IReadOnlyList<FilePath> path, Node file) => inner.OpenExisting(path, file);
        public IRestoreFile? OpenFile(IReadOnlyList<FilePath> path, Node file) => inner.OpenFile(path, file);
        public void MakeSpecial(IReadOnlyList<FilePath> path, Node node) => inner.MakeSpecial(path, node);
        public void MakeHardLink(IReadOnlyList<FilePath> path, IReadOnlyList<FilePath> existing, Node node)
            => inner.MakeHardLink(path, existing, node);
        public void FinishFolder(IReadOnlyList<FilePath> path, Node folder) => inner.FinishFolder(path, folder);
        public void Complete()
        {
            inner.Complete();
            meddle();
        }
        public void Dispose() => inner.Dispose();
    }
}
