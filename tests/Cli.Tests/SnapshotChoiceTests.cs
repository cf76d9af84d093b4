using System.Text.Json;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>A repository with four snapshots of two hosts and several tags, which no test of the class changes.</summary>
public sealed class TaggedSnapshots : IDisposable
{
    public TaggedSnapshots()
    {
        Path = BackupdrProgram.NewRepository(Scratch);
        Scratch.File("data/file", "content");
        foreach (var more in (string[][])[[], ["--tag", "one", "--tag", "two"], ["--tag", "three", "--host", "other"],
            ["--tag", "one", "--host", "other"]])
            BackupdrProgram.Succeed(["backup", "--repo", Path, .. more, Scratch.At("data")]);
    }

    public ScratchFolder Scratch { get; } = new();
    public string Path { get; }
    public void Dispose() => Scratch.Dispose();
}

/// <summary>Which snapshots are listed and in which groups, with stock restic as the judge.</summary>
public sealed class SnapshotChoiceTests(TaggedSnapshots tagged) : IClassFixture<TaggedSnapshots>
{
    string Run(params IEnumerable<string> arguments) => BackupdrProgram.Succeed([.. arguments, "--repo", tagged.Path]);

    [Theory]
    [InlineData("--latest", "1")]
    [InlineData("--group-by", "host")]
    [InlineData("--group-by", "host,paths,tags")]
    [InlineData("--group-by", "tags", "--latest", "1")]
    [InlineData("--tag", "one,two")]
    [InlineData("--tag", "one,two", "--tag", "three")]
    [InlineData("--host", "other", "--host", "third")]
    [InlineData("--path", "/nowhere")]
    public void Snapshots_are_chosen_and_grouped_as_by_restic(params string[] options)
    {
        var restic = new ResticCli(tagged.Path, BackupdrProgram.Password, tagged.Scratch.At("cache"));

        using var ours = JsonDocument.Parse(Run(["snapshots", "--json", .. options]));
        using var theirs = JsonDocument.Parse(restic.Succeed(["snapshots", "--json", .. options]));

        Assert.Equal(Groups(theirs.RootElement), Groups(ours.RootElement));
        if (options.Contains("--group-by")) Assert.Contains("Snapshots of ", Run(["snapshots", .. options]), StringComparison.Ordinal);
    }

    /// <summary>Each group's host and tags, with the ids in it; without groups one list.</summary>
    static IReadOnlyList<string> Groups(JsonElement list)
    {
        static string Ids(JsonElement snapshots) => string.Join(' ', snapshots.EnumerateArray().Select(one => one.GetProperty("id")));
        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().All(one => !one.TryGetProperty("group_key", out _)))
            return list.ValueKind == JsonValueKind.Array ? [Ids(list)] : [""];
        return [.. list.EnumerateArray().Select(group => $"{group.GetProperty("group_key").GetProperty("hostname")} "
            + $"{group.GetProperty("group_key").GetProperty("tags")}: {Ids(group.GetProperty("snapshots"))}").Order()];
    }
}
