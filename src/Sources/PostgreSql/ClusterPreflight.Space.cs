using System.Globalization;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What is looked at, and where restores and the log will need room.</summary>
public sealed record ClusterPreflightOptions
{
    /// <summary>Slot that the log is to be received by; null where only base backups are taken.</summary>
    public string? Slot { get; init; }
    /// <summary>The data folder that the server must have; null for any.</summary>
    public string? DataFolder { get; init; }
    /// <summary>Folder in which test restores are made; null where that is not asked.</summary>
    public string? Scratch { get; init; }
    /// <summary>Folder of the journal of the log, there or not yet; null where that is not asked.</summary>
    public string? Journal { get; init; }
}

/// <summary>Room: for a restore, for the journal, and for the log that the server keeps.</summary>
public static partial class ClusterPreflight
{
    // As many segments of the usual size wait in the journal at most.
    const long JournalBytes = 256L * (16 << 20);

    static void Space(ClusterFacts facts, ClusterPreflightOptions options, List<Finding> findings)
    {
        if (options.Scratch is { } scratch && !Disk.Exists(scratch))
            findings.Add(new Finding("scratch", $"There is no folder {scratch}.", "Make it, or name another one as scratch folder."));
        else if (options.Scratch is { } there && FolderSize.Of(facts.DataFolder) is { } needed && Free(there) is { } free && free < needed)
            findings.Add(new Finding("space", $"{there} has {free >> 20} MiB free, and a test restore takes {needed >> 20} MiB.",
                "Free space there, or name another folder as scratch folder.", FindingSeverity.Warning));
        if (options.Journal is { } journal && Free(journal) is { } room && room < JournalBytes)
            findings.Add(new Finding("journal_space", $"{journal} has {room >> 20} MiB free, and up to {JournalBytes >> 20} MiB of log "
                + "wait there while they cannot be stored.", "Free space there, or put the journal elsewhere.", FindingSeverity.Warning));
        // In MB, the unit of this setting.
        if (Number(facts, "max_slot_wal_keep_size") is > 0 and var kept && Free(Path.Combine(facts.DataFolder, "pg_wal")) is { } left
            && left >> 20 < kept)
            findings.Add(new Finding("wal_space", $"max_slot_wal_keep_size lets a slot hold back {kept} MB of log, and {left >> 20} MB are "
                + "free where pg_wal lies: the server's disk is full before the slot is given up.",
                string.Create(CultureInfo.InvariantCulture, $"ALTER SYSTEM SET max_slot_wal_keep_size = '{Math.Max(64, left >> 21)}MB'; ")
                + "SELECT pg_reload_conf();", FindingSeverity.Warning));
    }

    /// <summary>Bytes that are free where a folder is or will be; null where that cannot be seen.</summary>
    static long? Free(string folder)
    {
        for (var at = folder; at is not null; at = Path.GetDirectoryName(at))
        {
            try { if (Disk.Exists(at)) return new DriveInfo(at).AvailableFreeSpace; }
            catch (Exception e) when (e is PosixException or IOException or UnauthorizedAccessException) { return null; }   // not for us
        }
        return null;
    }

    /// <summary>An archive that takes nothing: the server keeps all of its log for it, until its own disk is full.</summary>
    static async Task Archive(ServerSession session, ClusterFacts facts, List<Finding> findings, CancellationToken ct)
    {
        if (facts.Setting("archive_mode") is not ("on" or "always")) return;
        var (isFailing, name, times) = await session.Row("""
            select coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false), coalesce(last_failed_wal, ''),
            failed_count from pg_stat_archiver
            """, row => (row.GetBoolean(0), row.GetString(1), row.GetInt64(2)), ct);
        if (!isFailing) return;
        var command = facts.Setting("archive_command") is { Length: > 0 } own ? $"archive_command '{own}'" : "the archive library";
        findings.Add(new Finding("archive_failing", $"{command} fails, at {name} now and {times} times in all: the archive is full or "
            + "away, and the server keeps all of its log until its own disk is full.", "ALTER SYSTEM SET archive_mode = 'off'; -- then "
            + "restart the server, where BackupDr alone keeps the log; else make room in the archive", FindingSeverity.Warning));
    }

    static void Programs(ClusterFacts facts, List<Finding> findings)
    {
        var major = (facts.Version / 10_000).ToString(CultureInfo.InvariantCulture);
        if (!Disk.Exists($"/usr/lib/postgresql/{major}/bin/postgres"))
            findings.Add(new Finding("server_programs", $"The server programs of PostgreSQL {major} are not in "
                + $"/usr/lib/postgresql/{major}/bin: nothing can be test-restored on this host.",
                $"apt-get install postgresql-{major}", FindingSeverity.Warning));
    }

    /// <summary>Whether a version, in the server's counting, can be backed up; null where it can.</summary>
    internal static Finding? OfVersion(int version) => version >= 120_000 ? null
        : new Finding("version", $"The server's version {version / 10_000} is older than 12.",
            "Upgrade it with pg_upgrade, or use pg_dump.");
}
