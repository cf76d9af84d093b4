using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Format;

namespace BackupDr.Cli.Commands;

/// <summary>How a command says which snapshot it means: an id's beginning or "latest", a path in it, what narrows "latest".</summary>
sealed class SnapshotArguments
{
    readonly Option<string?> _host = new("--host", "-H") { Description = "Only snapshots of this host." };
    readonly Option<string[]> _tags = new("--tag") { Description = "Only snapshots with this tag; may be repeated." };
    readonly Option<string[]> _paths = new("--path") { Description = "Only snapshots of this path; may be repeated." };

    public SnapshotArguments(Command command)
    {
        command.Options.Add(_host);
        command.Options.Add(_tags);
        command.Options.Add(_paths);
    }

    public SnapshotFilter Filter(ParseResult given) => new()
    {
        HostName = given.GetValue(_host),
        Tags = given.GetValue(_tags) ?? [],
        Paths = [.. (given.GetValue(_paths) ?? []).Select(Path.GetFullPath)],
    };

    /// <summary>The snapshots that are named, in their order; without a name all that fit the options.</summary>
    public async Task<IReadOnlyList<Snapshot>> FindAll(Repository repository, IReadOnlyList<string> names, ParseResult given,
        CancellationToken ct)
    {
        if (names.Count == 0) return await repository.Snapshots(Filter(given), ct);
        var found = new List<Snapshot>();
        foreach (var name in names) found.Add(await repository.FindSnapshot(name, Filter(given), ct));
        return [.. found.DistinctBy(snapshot => snapshot.Id)];
    }

    /// <summary>Reads "SNAPSHOT" or "SNAPSHOT:/path"; the path is written as ls shows it.</summary>
    public async Task<(Snapshot Snapshot, FilePath Path)> Find(Repository repository, string text, ParseResult given, CancellationToken ct)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var path = colon < 0 ? default : FilePath.Parse(text[(colon + 1)..]);
        if (colon >= 0 && !path.IsAbsolute)
            throw new BadInputException("snapshot", $"'{text}': the path after the colon does not begin with a slash.",
                "Write SNAPSHOT:/path.");
        return (await repository.FindSnapshot(colon < 0 ? text : text[..colon], Filter(given), ct), path);
    }
}
