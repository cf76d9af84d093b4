using System.Globalization;
using System.Text.RegularExpressions;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What of a data folder belongs into a backup, told by names alone.</summary>
/// <remarks>Source: PostgreSQL's manual, "Making a Base Backup Using the Low Level API", and what pg_basebackup leaves out.</remarks>
static partial class ClusterRules
{
    // Their content is of one run of the server, their presence is needed to start: they are kept, empty.
    static readonly HashSet<string> EmptiedFolders =
    [
        "pg_replslot", "pg_dynshmem", "pg_notify", "pg_serial", "pg_snapshots", "pg_stat_tmp", "pg_subtrans", "pg_tblspc", "pg_wal",
    ];

    // Of this run of the server, of an earlier backup, or written by us when the backup ends.
    static readonly HashSet<string> RootFiles =
    [
        "postmaster.pid", "postmaster.opts", "backup_label", "backup_label.old", "tablespace_map", "tablespace_map.old",
        "backup_manifest", "current_logfiles", "current_logfiles.tmp", "recovery.signal", "standby.signal", "postgresql.auto.conf.tmp",
    ];

    [GeneratedRegex(@"^t\d+_\d+(_(fsm|vm|init))?(\.\d+)?$")]
    private static partial Regex Temporary { get; }

    [GeneratedRegex(@"^(?<node>\d+)(_(?<fork>fsm|vm|init))?(\.(?<segment>\d+))?$")]
    private static partial Regex Relation { get; }

    /// <summary>Whether an entry is left out.</summary>
    /// <param name="folder">Path of its folder below the data folder, "" for the data folder itself.</param>
    /// <param name="name">Its name.</param>
    /// <param name="isFolder">Whether it is a folder.</param>
    /// <param name="logFolder">The server's log folder below the data folder; null where it is elsewhere.</param>
    public static bool IsLeftOut(string folder, string name, bool isFolder, string? logFolder)
    {
        if (name.StartsWith("pgsql_tmp", StringComparison.Ordinal)) return true;
        if (EmptiedFolders.Contains(folder) || (logFolder is not null && folder == logFolder)) return true;
        if (folder.Length == 0) return !isFolder && RootFiles.Contains(name) || name == WalFolder.Name;
        return !isFolder && (name.StartsWith("pg_internal.init", StringComparison.Ordinal)
            || (IsOfRelations(folder) && Temporary.IsMatch(name)));
    }

    /// <summary>Whether relations lie in a folder: "global", "base/N", and below a tablespace "PG_x_y/N".</summary>
    public static bool IsOfRelations(string folder)
    {
        if (folder == "global") return true;
        var parts = folder.Split('/');
        return parts.Length == 2 && (parts[0] == "base" || parts[0].StartsWith("PG_", StringComparison.Ordinal))
            && parts[1].Length > 0 && parts[1].All(char.IsAsciiDigit);
    }

    /// <summary>Reads the name of a relation's file; null for all others.</summary>
    public static RelationName? RelationOf(string name)
    {
        var match = Relation.Match(name);
        if (!match.Success) return null;
        var segment = match.Groups["segment"].Success
            ? uint.Parse(match.Groups["segment"].Value, CultureInfo.InvariantCulture) : 0;
        return new RelationName(match.Groups["node"].Value, match.Groups["fork"].Value, segment);
    }

    /// <summary>The nodes of those relations whose content does not survive a crash: an _init fork says so. Only that fork is
    /// kept.</summary>
    public static HashSet<string> Unlogged(IEnumerable<string> names)
        => [.. names.Select(RelationOf).Where(relation => relation is { Fork: "init" }).Select(relation => relation!.Value.Node)];

    /// <summary>Bytes of the chunks that a cluster's relations are cut into: small ones where the whole is small.</summary>
    /// <remarks>Blobs of 16 KiB cost an index entry each; a repository is to hold fewer than 20 million of them.</remarks>
    public static int ChunkBytes(long clusterBytes) => clusterBytes switch
    {
        < 32L << 30 => 16 << 10,
        < 256L << 30 => 32 << 10,
        < 1L << 40 => 64 << 10,
        _ => 128 << 10,
    };
}

/// <summary>The parts of a relation's file name.</summary>
/// <param name="Node">The number that names it.</param>
/// <param name="Fork">"" for its content, else "fsm", "vm" or "init".</param>
/// <param name="Segment">Which of its files of one gibibyte.</param>
readonly record struct RelationName(string Node, string Fork, uint Segment);

/// <summary>The folder in a restored data folder that holds the log for recovery.</summary>
static class WalFolder
{
    /// <summary>Its name. Relative in restore_command, so that the restored cluster may be moved as a whole.</summary>
    public const string Name = "backupdr_wal";
}
