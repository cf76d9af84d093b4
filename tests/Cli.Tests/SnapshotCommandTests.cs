using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>diff, tag and key, with stock restic as the judge.</summary>
public sealed class SnapshotCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly string _repository;

    public SnapshotCommandTests()
    {
        _repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/changed.txt", "one");
        _scratch.File("data/same/file", "same");
        _scratch.File("data/gone/deep/file", "gone");
        _scratch.File("data/kind", "a file");
        Backup();
    }

    public void Dispose() => _scratch.Dispose();

    ResticCli Restic => new(_repository, BackupdrProgram.Password, _scratch.At("cache"));

    string Backup(params string[] more) => BackupdrProgram.Succeed(["backup", "--repo", _repository, .. more, _scratch.At("data")]);

    string Run(params string[] arguments) => BackupdrProgram.Succeed([.. arguments, "--repo", _repository]);

    static List<JsonElement> Parse(string lines)
        => [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];

    List<JsonElement> Snapshots() => [.. Parse(Run("snapshots", "--json"))[0].EnumerateArray()];

    string Id(int at) => Snapshots()[at].GetProperty("id").GetString()!;

    [Fact]
    public void One_is_one_and_two_are_two()
    {
        Assert.EndsWith("\n1 snapshot\n", Run("snapshots"), StringComparison.Ordinal);
        Assert.Contains("Looked at 1 snapshot, ", Run("check"), StringComparison.Ordinal);
        Backup();
        Assert.EndsWith("\n2 snapshots\n", Run("snapshots", "--compact"), StringComparison.Ordinal);
        Assert.DoesNotContain(_scratch.At("data"), Run("snapshots", "--compact"), StringComparison.Ordinal);
        Assert.Contains("modified tags on 2 snapshots", Run("tag", "--add", "a"), StringComparison.Ordinal);
        Assert.Contains("Removed 1 snapshot.", Run("forget", "--keep-last", "1"), StringComparison.Ordinal);
        Assert.Contains("Removed 0 locks.", Run("unlock"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_diff_has_the_lines_and_numbers_of_restics()
    {
        _scratch.File("data/changed.txt", "two");
        _scratch.File("data/new/deep/file", "new");
        Directory.Delete(_scratch.At("data/gone"), recursive: true);
        File.Delete(_scratch.At("data/kind"));
        File.CreateSymbolicLink(_scratch.At("data/kind"), "elsewhere");
        Backup();
        string[] both = [Id(0), Id(1)];

        var ours = Run(["diff", .. both]);
        var theirs = Restic.Succeed(["diff", .. both]);

        static IEnumerable<string> Lines(string text) => text.Split('\n').Select(line => string.Join(' ', line.Split(' ',
            StringSplitOptions.RemoveEmptyEntries))).Where(line => line.Length > 0);
        Assert.Equal(Lines(theirs), Lines(ours));
        var json = Parse(Run(["diff", "--json", .. both]));
        Assert.Equal("statistics", json[^1].GetProperty("message_type").GetString());
        Assert.Equal(1, json[^1].GetProperty("changed_files").GetInt32());
        Assert.Contains(json, line => line.GetProperty("message_type").GetString() == "change"
            && line.GetProperty("path").GetString() == _scratch.At("data/kind") && line.GetProperty("modifier").GetString() == "T");
    }

    [Fact]
    public void A_diff_of_folders_shows_a_mode_only_when_asked()
    {
        File.SetUnixFileMode(_scratch.At("data/same/file"), UnixFileMode.UserRead);
        Backup();
        string[] both = [$"{Id(0)}:{_scratch.At("data/same")}", $"{Id(1)}:{_scratch.At("data/same")}"];

        Assert.Equal("", Run(["diff", "--quiet", .. both]));
        Assert.Equal("U    /file\n", Run(["diff", "--quiet", "--metadata", .. both]));
    }

    [Fact]
    public void Tags_are_set_added_and_removed_and_the_first_id_is_remembered()
    {
        var first = Id(0);

        Run("tag", "--set", "x,y");
        Run("tag", "latest", "--add", "z", "--add", "y", "--remove", "x");
        var changedNothing = Parse(Run("tag", "--add", "z", "--json"));

        var only = Assert.Single(Snapshots());
        Assert.Equal(["y", "z"], only.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!));
        Assert.Equal(first, only.GetProperty("original").GetString());
        Assert.Equal(0, Assert.Single(changedNothing).GetProperty("changed_snapshots").GetInt32());
        Restic.Succeed("tag", "--remove", "y");
        Assert.Equal(["z"], Assert.Single(Snapshots()).GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!));
        Restic.Check();
        Assert.Equal(1, BackupdrProgram.Run("tag", "--repo", _repository).ExitCode);
    }

    [Fact]
    public void Passwords_come_and_go_but_the_one_in_use_stays()
    {
        var file = _scratch.File("second", "another password");
        var third = _scratch.File("third", "a third password");
        string Current() => Parse(Run("key", "list", "--json"))[0].EnumerateArray().Single(key => key.GetProperty("current").GetBoolean())
            .GetProperty("id").GetString()!;
        ToolResult WithFile(string password, params string[] arguments)
            => BackupdrProgram.Run([], [.. arguments, "--repo", _repository, "--password-file", password]);
        var old = Current();

        Run("key", "add", "--new-password-file", file);
        var refused = BackupdrProgram.Run("key", "remove", old[..8], "--repo", _repository);
        var removed = WithFile(file, "key", "remove", old[..8]);
        var replaced = WithFile(file, "key", "passwd", "--new-password-file", third);

        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("the one that opened the repository", refused.Errors, StringComparison.Ordinal);
        Assert.Equal((0, 0), (removed.ExitCode, replaced.ExitCode));
        Assert.Equal(12, BackupdrProgram.Run("snapshots", "--repo", _repository).ExitCode);
        Assert.Equal(12, WithFile(file, "snapshots").ExitCode);
        Assert.Equal(0, WithFile(third, "snapshots").ExitCode);
        new ResticCli(_repository, "a third password", _scratch.At("cache")).Check();
    }
}
