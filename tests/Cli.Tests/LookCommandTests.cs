using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A repository with two snapshots that no test of the class changes.</summary>
public sealed class TwoSnapshots : IDisposable
{
    public TwoSnapshots()
    {
        Path = BackupdrProgram.NewRepository(Scratch);
        Scratch.File("data/Report.PDF", "report");
        Scratch.File("data/deep/report.txt", "words");
        Scratch.File("data/deep/twin.txt", "words");
        Scratch.File("data/empty", "");
        BackupdrProgram.Succeed("backup", "--repo", Path, Scratch.At("data"));
        File.WriteAllBytes(Scratch.At("data/noise.bin"), RandomNumberGenerator.GetBytes(900_000));
        BackupdrProgram.Succeed("backup", "--repo", Path, Scratch.At("data"));
    }

    public ScratchFolder Scratch { get; } = new();
    public string Path { get; }
    public void Dispose() => Scratch.Dispose();
}

/// <summary>find, stats, copy, list and cat, with stock restic as the judge.</summary>
public sealed class LookCommandTests(TwoSnapshots two) : IClassFixture<TwoSnapshots>
{
    readonly ScratchFolder _scratch = two.Scratch;
    readonly string _repository = two.Path;

    ResticCli Restic => new(_repository, BackupdrProgram.Password, _scratch.At("cache"));

    string Run(params string[] arguments) => BackupdrProgram.Succeed([.. arguments, "--repo", _repository]);

    static IReadOnlyList<string> Sorted(string text)
        => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];

    [Fact]
    public void Names_are_found_by_pattern_case_time_and_snapshot()
    {
        string[] Paths(params string[] arguments)
            => [.. Run(["find", "--quiet", .. arguments]).Split('\n', StringSplitOptions.RemoveEmptyEntries)];

        Assert.Equal([_scratch.At("data/deep/report.txt")], Paths("report.*", "--snapshot", "latest"));
        Assert.Equal([_scratch.At("data/Report.PDF"), _scratch.At("data/deep/report.txt")], Paths("-i", "REPORT.*", "-s", "latest"));
        Assert.Equal([_scratch.At("data/noise.bin")], Paths("*.bin"));
        Assert.Empty(Paths("*.bin", "--newest", "2001-01-01"));
        using var json = JsonDocument.Parse(Run("find", "--json", "twin.txt", "deep"));
        Assert.Equal([2, 2], json.RootElement.EnumerateArray().Select(one => one.GetProperty("hits").GetInt32()));
    }

    [Fact]
    public void What_uses_a_blob_a_tree_or_a_pack_is_found()
    {
        using var tree = JsonDocument.Parse(Run("cat", "tree", $"latest:{_scratch.At("data")}"));
        JsonElement Node(string name) => tree.RootElement.GetProperty("nodes").EnumerateArray()
            .Single(node => node.GetProperty("name").GetString() == name);
        var blob = Node("Report.PDF").GetProperty("content")[0].GetString()!;
        var subtree = Node("deep").GetProperty("subtree").GetString()!;
        string Find(params string[] arguments) => Run(["find", "--quiet", "-s", "latest", .. arguments]);

        Assert.Equal(_scratch.At("data/Report.PDF") + "\n", Find("--blob", blob[..12]));
        Assert.Equal(_scratch.At("data/deep") + "\n", Find("--tree", subtree));
        Assert.Contains(_scratch.At("data/noise.bin"), Find(["--pack", .. Sorted(Run("list", "packs"))]), StringComparison.Ordinal);
        Assert.Equal("report", Run("cat", "blob", blob));
    }

    [Theory]
    [InlineData("restore-size")]
    [InlineData("files-by-contents")]
    [InlineData("blobs-per-file")]
    [InlineData("raw-data")]
    public void Each_way_of_counting_gives_restics_numbers(string mode)
    {
        using var ours = JsonDocument.Parse(Run("stats", "--mode", mode, "--json"));
        using var theirs = JsonDocument.Parse(Restic.Succeed("stats", "--mode", mode, "--json"));

        foreach (var number in theirs.RootElement.EnumerateObject().Where(one => one.Name is "total_size" or "total_blob_count"
            or "total_file_count" or "total_uncompressed_size" or "snapshots_count"))
            Assert.Equal((number.Name, number.Value.GetInt64()), (number.Name, ours.RootElement.GetProperty(number.Name).GetInt64()));
        Assert.True(ours.RootElement.GetProperty("total_size").GetInt64() > 900_000);
    }

    [Theory]
    [InlineData("packs")]
    [InlineData("index")]
    [InlineData("snapshots")]
    [InlineData("keys")]
    [InlineData("blobs")]
    public void A_list_names_what_restics_list_names(string kind)
    {
        var theirs = Restic.Succeed("list", kind, "--no-lock");

        Assert.Equal(Sorted(theirs), Sorted(Run("list", kind)));
    }

    [Fact]
    public void An_object_is_shown_as_restic_shows_it()
    {
        var newest = Run("cat", "snapshot", Restic.Snapshots()[^1].GetProperty("id").GetString()!);
        Assert.Contains("\"program_version\": \"backupdr", newest, StringComparison.Ordinal);   // restic 0.14 shows only what it knows
        using var ours = JsonDocument.Parse(Run("cat", "config"));
        using var theirs = JsonDocument.Parse(Restic.Succeed("cat", "config"));
        Assert.True(JsonElement.DeepEquals(theirs.RootElement, ours.RootElement));
        foreach (var kind in (string[])["index", "key"])
        {
            var id = Sorted(Run("list", kind))[0];
            using var one = JsonDocument.Parse(Run("cat", kind, id[..16]));
            using var other = JsonDocument.Parse(Restic.Succeed("cat", kind, id));
            Assert.True(JsonElement.DeepEquals(other.RootElement, one.RootElement), $"{kind} {id}");
        }
    }

    [Fact]
    public void A_copy_brings_what_is_missing_once_and_keeps_the_first_id()
    {
        var other = _scratch.At("other");
        var password = _scratch.File("password", "of the copy");
        ToolResult To(params string[] arguments) => BackupdrProgram.Run(new() { ["BACKUPDR_FROM_PASSWORD"] = BackupdrProgram.Password },
            [.. arguments, "--repo", other, "--password-file", password]);
        To("repo", "init");

        var first = To("copy", "latest", "--from-repo", _repository, "--json");
        var both = To("copy", "--from-repo", _repository, "--json");
        var again = To("copy", "--from-repo", _repository, "--json");
        var self = BackupdrProgram.Run(new()
        {
            ["BACKUPDR_PASSWORD"] = BackupdrProgram.Password,
            ["BACKUPDR_FROM_PASSWORD"] = BackupdrProgram.Password
        }, ["copy", "--from-repo", _repository, "--repo", _repository]);

        static IEnumerable<string> Kinds(ToolResult result) => result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("message_type").GetString()!);
        Assert.Equal((0, 0, 0, 1), (first.ExitCode, both.ExitCode, again.ExitCode, self.ExitCode));
        Assert.Equal(["copied"], Kinds(first));
        Assert.Equal(["copied", "kept"], Kinds(both));
        Assert.Equal(["kept", "kept"], Kinds(again));
        Assert.Contains("Both addresses lead to repository", self.Errors, StringComparison.Ordinal);
        var restic = new ResticCli(other, "of the copy", _scratch.At("cache"));
        restic.Check();
        Assert.Equal(Restic.Snapshots().Select(one => one.GetProperty("id").GetString()),
            restic.Snapshots().Select(one => one.GetProperty("original").GetString()));
        Assert.Equal(Sorted(Run("list", "blobs")), Sorted(To("list", "blobs").Output));
    }
}
