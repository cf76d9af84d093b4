using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Format;

namespace BackupDr.Sources;

/// <summary>What a kind of source calls the one thing that each of its snapshots holds.</summary>
/// <param name="Tag">Tag of its snapshots.</param>
/// <param name="Option">Option that names one of several.</param>
/// <param name="One">"a database file".</param>
/// <param name="Many">"databases".</param>
sealed record OneThing(string Tag, string Option, string One, string Many);

/// <summary>Finds the snapshot that is meant among those that hold one thing each.</summary>
static class SnapshotOfOne
{
    /// <summary>The newest of those that are meant.</summary>
    /// <param name="repository">Open.</param>
    /// <param name="kind">Which kind.</param>
    /// <param name="path">Which of several; null where there is only one.</param>
    /// <param name="which">The beginning of an id, or "latest".</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="BadInputException">Several are in the repository, and none was named.</exception>
    /// <exception cref="NotFoundException">There is none.</exception>
    public static async Task<Snapshot> Find(Repository repository, OneThing kind, string? path, string which, CancellationToken ct)
    {
        var all = await repository.Snapshots(new SnapshotFilter { Tags = [kind.Tag], Paths = path is null ? [] : [path] }, ct);
        var fitting = which == "latest" ? all
            : [.. all.Where(snapshot => snapshot.Id.ToString().StartsWith(which, StringComparison.Ordinal))];
        if (fitting.Count == 0)
            throw new NotFoundException(which == "latest" ? $"A backup of {path ?? kind.One} in this repository"
                : $"A backup '{which}' of {kind.One} in this repository", $"List them with 'backupdr snapshots --tag {kind.Tag}'.");
        var several = fitting.SelectMany(snapshot => snapshot.Paths).Distinct().ToList();
        return several.Count == 1 ? fitting[^1] : throw new BadInputException(kind.Option,
            $"The repository holds {several.Count} {kind.Many}: {string.Join(", ", several.Take(8))}.", "Name the one that is meant.");
    }
}
