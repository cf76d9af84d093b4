using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary>How a command says which snapshot it means: an id's beginning or "latest", a path in it, what narrows "latest".</summary>
sealed class SnapshotArguments
{
    readonly Option<string[]> _host;
    readonly Option<string[]> _tags = new("--tag")
    {
        Description = "Only snapshots with all of these tags (commas); repeated: with all of one of the lists. '' means without tags.",
    };
    readonly Option<string[]> _paths = new("--path") { Description = "Only snapshots of this path; may be repeated." };

    /// <summary>Adds the options to a command; its letter H may mean something else.</summary>
    public SnapshotArguments(Command command, bool hasLetter = true)
    {
        const string words = "Only snapshots of this host; may be repeated: of one of them.";
        _host = hasLetter ? new("--host", "-H") { Description = words } : new("--host") { Description = words };
        command.Options.Add(_host);
        command.Options.Add(_tags);
        command.Options.Add(_paths);
    }

    /// <summary>The argument of commands that take any number of snapshots.</summary>
    public static Argument<string[]> Several() => new("SNAPSHOT")
    {
        Arity = ArgumentArity.ZeroOrMore,
        Description = "Beginnings of ids or 'latest'; without one, all that fit --host, --tag and --path.",
    };

    public SnapshotFilter Filter(ParseResult given) => new()
    {
        HostNames = given.GetValue(_host) ?? [],
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

    /// <summary>Reads "host,paths,tags".</summary>
    /// <exception cref="BadInputException">A word is not known.</exception>
    public static SnapshotGrouping Grouping(string text)
        => text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Aggregate(SnapshotGrouping.None,
            (all, word) => all | word switch
            {
                "host" => SnapshotGrouping.Host,
                "paths" or "path" => SnapshotGrouping.Paths,
                "tags" or "tag" => SnapshotGrouping.Tags,
                _ => throw new BadInputException("--group-by", $"Snapshots cannot be grouped by '{word}'.", "Write host, paths or tags."),
            });
}
