using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.TestKit;

namespace BackupDr.Sources.Tests;

public sealed class FileSourceTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly Noted _noted = new();

    public void Dispose() => _scratch.Dispose();

    sealed class Noted : ISourceProblems
    {
        public List<(string Path, string Message)> Lost { get; } = [];
        public List<(string Path, string Message)> Remarks { get; } = [];
        public void Missing(FilePath path, string message) => Lost.Add((path.ToString(), message));
        public void Remark(FilePath path, string message) => Remarks.Add((path.ToString(), message));
    }

    FilesSpec Spec(params string[] excludes) => new() { Paths = [_scratch.FilePath], Excludes = excludes };

    // The folder of the target itself, below the folders that lead to it.
    ISourceFolder OpenTarget(FilesSpec spec)
    {
        using var source = FileSource.Open(spec);
        var folder = source.OpenRoot(_noted);
        for (var depth = 0; depth < _scratch.FilePath.Parts().Count; depth++)
        {
            using var above = folder;
            folder = above.OpenFolder(Assert.Single(above.List(_noted, CancellationToken.None)), _noted)!;
        }
        return folder;
    }

    List<string> All(FilesSpec spec)
    {
        var found = new List<string>();
        using var target = OpenTarget(spec);
        Walk(target, "");
        return found;

        void Walk(ISourceFolder folder, string path)
        {
            foreach (var node in folder.List(_noted, CancellationToken.None).OrderBy(n => n.Name.ToString(), StringComparer.Ordinal))
            {
                found.Add(path + node.Name);
                if (node.Type != NodeType.Dir) continue;
                using var child = folder.OpenFolder(node, _noted);
                if (child is not null) Walk(child, $"{path}{node.Name}/");
            }
        }
    }

    Node Listed(ISourceFolder folder, string name)
        => folder.List(_noted, CancellationToken.None).Single(node => node.Name == FilePath.FromText(name));

    [Fact]
    public void A_file_that_vanished_is_a_remark_and_nothing_is_missing()
    {
        _scratch.File("file", "x");
        using var folder = OpenTarget(Spec());
        var node = Listed(folder, "file");
        File.Delete(_scratch.At("file"));

        Assert.Null(folder.OpenFile(node, _noted));
        Assert.Empty(_noted.Lost);
        Assert.Equal(_scratch.At("file"), Assert.Single(_noted.Remarks).Path);
    }

    [Fact]
    public void A_file_that_became_a_fifo_is_missing_and_nobody_waits_for_its_writer()
    {
        _scratch.File("file", "x");
        using var folder = OpenTarget(Spec());
        var node = Listed(folder, "file");
        File.Delete(_scratch.At("file"));
        Tool.Succeed("mkfifo", _scratch.At("file"));

        Assert.Null(folder.OpenFile(node, _noted));
        Assert.Equal(_scratch.At("file"), Assert.Single(_noted.Lost).Path);
    }

    [Fact]
    public void What_became_a_link_is_missing_and_not_followed()
    {
        _scratch.File("file", "x");
        _scratch.Folder("folder");
        using var folder = OpenTarget(Spec());
        var nodes = folder.List(_noted, CancellationToken.None);
        File.Delete(_scratch.At("file"));
        Directory.Delete(_scratch.At("folder"));
        File.CreateSymbolicLink(_scratch.At("file"), "/etc/passwd");
        File.CreateSymbolicLink(_scratch.At("folder"), "/etc");

        Assert.Null(folder.OpenFile(nodes.Single(n => n.Type == NodeType.File), _noted));
        Assert.Null(folder.OpenFolder(nodes.Single(n => n.Type == NodeType.Dir), _noted));
        Assert.Equal(2, _noted.Lost.Count);
    }

    [Fact]
    public void A_socket_is_left_out_with_a_remark()
    {
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, 0);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(_scratch.At("socket")));

        Assert.Empty(All(Spec()));
        Assert.Equal(_scratch.At("socket"), Assert.Single(_noted.Remarks).Path);
    }

    [Fact]
    public void Of_a_folder_with_a_cache_tag_only_the_tag_is_taken()
    {
        _scratch.File("cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# and a comment");
        _scratch.File("cache/big", "x");
        _scratch.File("not-a-cache/CACHEDIR.TAG", "Signature: something else, and long enough to be one");
        _scratch.File("not-a-cache/kept", "x");

        Assert.Equal(["cache", "cache/CACHEDIR.TAG", "not-a-cache", "not-a-cache/CACHEDIR.TAG", "not-a-cache/kept"], All(Spec()));
        Assert.Contains("cache/big", All(Spec() with { ExcludeCaches = false }));
    }

    [Fact]
    public void One_file_system_keeps_a_mount_point_as_an_empty_folder()
    {
        using var mount = Mount.Memory(_scratch.At("mounted"), "size=1m");
        _scratch.File("mounted/inside", "x");

        Assert.Equal(["mounted"], All(Spec() with { OneFileSystem = true }));
        Assert.Equal(["mounted", "mounted/inside"], All(Spec()));
    }

    [Fact]
    public void Excluded_names_and_what_lies_below_them_are_left_out()
    {
        foreach (var file in (string[])["a.tmp", "keep.txt", "node_modules/x/y", "src/a.tmp", "src/important.tmp", "src/build/out",
            "docs/build"])
            _scratch.File(file, "x");

        Assert.Equal(["docs", "docs/build", "keep.txt", "src", "src/important.tmp"],
            All(Spec("*.tmp", "!important.tmp", "node_modules/", "build/")));
        Assert.Equal(["docs", "docs/build", "keep.txt"], All(Spec(_scratch.At("src"), "a.tmp", "node_modules")));
    }

    [Fact]
    public void A_single_file_is_a_target_too()
    {
        var path = _scratch.File("folder/file", "content");
        _scratch.File("folder/beside", "x");
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(path)] });
        var folder = source.OpenRoot(_noted);
        for (var depth = 0; depth < FilePath.FromText(path).Parts().Count - 1; depth++)
            folder = folder.OpenFolder(Assert.Single(folder.List(_noted, CancellationToken.None)), _noted)!;

        using var file = folder.OpenFile(Assert.Single(folder.List(_noted, CancellationToken.None)), _noted)!;
        var content = new byte[100];

        Assert.Equal(7, file.Read(0, content));
        Assert.Equal(0, file.Read(7, content));
        Assert.Equal(7, file.SizeBytes);
    }

    [Theory]
    [InlineData("relative/path", "absolute")]
    [InlineData("/srv/../etc", "..")]
    public void A_path_that_is_not_clear_is_bad_input(string path, string words)
        => Assert.Contains(words,
            Assert.Throws<BadInputException>(() => FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(path)] })).Message,
            StringComparison.Ordinal);

    [Fact]
    public void A_path_that_does_not_exist_is_told_before_anything_is_read()
    {
        using var source = FileSource.Open(new FilesSpec { Paths = [_scratch.FilePath, FilePath.FromText(_scratch.At("no/such"))] });

        Assert.Contains("no/such", Assert.Throws<NotFoundException>(() => source.OpenRoot(_noted)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_rules_leave_out_all_that_was_named_there_is_no_empty_snapshot()
    {
        using var source = FileSource.Open(Spec(_scratch.Path));

        var refused = Assert.Throws<BadInputException>(() => source.OpenRoot(_noted));

        Assert.Contains($"{_scratch.Path} matches '{_scratch.Path}'", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_listed_path_that_is_gone_is_missing_and_the_others_are_taken_but_none_at_all_is_a_failure()
    {
        var (there, gone) = (FilePath.FromText(_scratch.File("there")), FilePath.FromText(_scratch.At("gone")));
        using var source = FileSource.Open(new FileSelection { ListedPaths = [gone, there] });
        using var nothing = FileSource.Open(new FileSelection { ListedPaths = [gone] });

        using var root = source.OpenRoot(_noted);

        Assert.Equal(gone.ToString(), Assert.Single(_noted.Lost).Path);
        Assert.Single(root.List(_noted, CancellationToken.None));
        Assert.Contains("gone does not exist",
            Assert.Throws<DeniedException>(() => nothing.OpenRoot(_noted)).Message, StringComparison.Ordinal);
    }
}
