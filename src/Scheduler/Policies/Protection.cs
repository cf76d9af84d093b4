using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Policies;

/// <summary>How far the items of a host protect what was found on it. Pure.</summary>
public static class Protection
{
    /// <summary>The coverage, and what is missing in words.</summary>
    /// <param name="found">What was found.</param>
    /// <param name="mounts">Where the host's file systems and subvolumes stand: what lies on another one is no part of it.</param>
    /// <param name="items">The sources of the host's items.</param>
    public static (Coverage Coverage, string Reason) Of(SourceFound found, IReadOnlyList<FilePath> mounts, IReadOnlyList<SourceSpec> items)
    {
        if (IsTree(found.Kind)) return OfTree(found, mounts, [.. items.Select(item => item.Files).OfType<FilesSpec>()]);
        if (items.Any(item => item.Kind == As(found.Kind) && IsMeant(item, found))) return (Coverage.Whole, "");
        var files = items.Select(item => item.Files).OfType<FilesSpec>().Any(files => Holds(files, found.Path, mounts));
        return files
            ? (Coverage.Partly, "Its files are taken while they change: such a copy may not open again.")
            : (Coverage.None, "No policy has it.");
    }

    /// <summary>The kind of source by which a policy protects it; null where none can.</summary>
    public static SourceKind? As(FoundKind kind) => kind switch
    {
        FoundKind.FileSystem or FoundKind.Subvolume => SourceKind.Files,
        FoundKind.Sqlite => SourceKind.Sqlite,
        FoundKind.PostgreSql => SourceKind.PostgreSql,
        FoundKind.MariaDb => SourceKind.MariaDb,
        FoundKind.BlockDevice => SourceKind.Volume,
        _ => null,
    };

    // A policy may name a cluster by its port alone, and a server by its socket.
    static bool IsMeant(SourceSpec item, SourceFound found) => item switch
    {
        { PostgreSql: { DataFolder: null } cluster }
            => found.Detail.EndsWith($"port {cluster.Port ?? PostgreSqlSpec.DefaultPort}", StringComparison.Ordinal),
        { MariaDb: { DataFolder: null } server } => found.Detail.Split(", ").Contains(server.Host is { } host && !host.StartsWith('/')
            ? $"port {server.Port ?? MariaDbSpec.DefaultPort}" : $"socket {server.Place}"),
        _ => item.FirstPath == found.Path,
    };

    static (Coverage, string) OfTree(SourceFound found, IReadOnlyList<FilePath> mounts, IReadOnlyList<FilesSpec> files)
    {
        if (files.Any(one => Holds(one, found.Path, mounts))) return (Coverage.Whole, "");
        var inside = files.SelectMany(one => one.Paths).Distinct()
            .Where(path => IsWithin(path, found.Path) && Deepest(mounts, path) == found.Path).ToList();
        return inside.Count == 0 ? (Coverage.None, "No policy has any of it.")
            : (Coverage.Partly, $"Policies have {string.Join(", ", inside.Take(3))}{(inside.Count > 3 ? " and more" : "")} of it only.");
    }

    static bool IsTree(FoundKind kind) => kind is FoundKind.FileSystem or FoundKind.Subvolume;

    static bool Holds(FilesSpec files, FilePath path, IReadOnlyList<FilePath> mounts) => files.Paths.Any(root => IsWithin(path, root)
        && (!files.OneFileSystem || path == root || Deepest(mounts, path) == Deepest(mounts, root)));

    static FilePath Deepest(IReadOnlyList<FilePath> mounts, FilePath path)
        => mounts.Where(mount => IsWithin(path, mount)).MaxBy(mount => mount.Parts().Count);

    static bool IsWithin(FilePath path, FilePath folder)
    {
        var (inner, outer) = (path.Parts(), folder.Parts());
        return inner.Count >= outer.Count && outer.Select((part, at) => part == inner[at]).All(same => same);
    }
}

/// <summary>What agents found that no policy protects wholly: what nothing protects first, hidden ones last.</summary>
public sealed class ListUnprotected(Postgres db)
{
    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<Unprotected>> Handle(Caller caller, ListUnprotectedRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyRead);
        var found = await FoundSourceTable.All(db, ct);
        var items = (await db.Query("select i.host_id, i.source from item i join policy p on p.id = i.policy_id "
            + "where i.retired_at is null and p.removed_at is null", [],
            row => (Host: row.Id<HostId>("host_id"), Source: row.Json("source", WireJson.Default.SourceSpec)!), ct))
            .ToLookup(item => item.Host, item => item.Source);
        var unprotected = new List<Unprotected>();
        foreach (var host in found.Where(one => caller.Sees(Right.PolicyRead, one.Host)).GroupBy(one => one.Host))
        {
            FilePath[] mounts = [.. host.Where(one => one.Found.Kind is FoundKind.FileSystem or FoundKind.Subvolume)
                .Select(one => one.Found.Path)];
            SourceSpec[] sources = [.. items[host.Key]];
            foreach (var one in host)
                if (Protection.Of(one.Found, mounts, sources) is var (coverage, reason) && coverage != Coverage.Whole)
                    unprotected.Add(one with { Coverage = coverage, Reason = reason, ProtectAs = Protection.As(one.Found.Kind) });
        }
        return [.. unprotected.OrderBy(one => (one.HiddenAt is not null, one.Coverage))];
    }
}
