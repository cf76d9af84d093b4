using System.Globalization;
using System.Text;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Settings of a restored cluster, as texts. Pure.</summary>
static class RestoredSettings
{
    // Where the cluster lay, whom it spoke with, what it loaded: a copy beside the original must have none of it.
    static readonly HashSet<string> Dropped =
    [
        "data_directory", "config_file", "hba_file", "ident_file", "external_pid_file", "listen_addresses", "port",
        "unix_socket_directories", "unix_socket_group", "archive_mode", "archive_command", "archive_library", "archive_cleanup_command",
        "primary_conninfo", "primary_slot_name", "restore_command", "promote_trigger_file", "shared_preload_libraries",
        "session_preload_libraries", "local_preload_libraries", "logging_collector", "event_source", "stats_temp_directory",
        "synchronous_standby_names", "huge_pages", "cluster_name", "dynamic_library_path", "krb_server_keyfile",
    ];

    static readonly string[] DroppedBeginnings = ["ssl", "log_", "recovery_", "krb_", "bonjour", "syslog_"];

    /// <summary>A postgresql.conf of what the source had set, without what a copy must not have.</summary>
    public static string Neutral(IReadOnlyDictionary<string, string> settings, int port, string socketFolder)
    {
        var text = new StringBuilder("""
            # Written by BackupDr for a restored copy: the settings of the source in their base units, without archiving, replication,
            # network and preloaded libraries. What the source had lies beside it as *.stored, or in backupdr_config.

            """);
        foreach (var (name, value) in settings.OrderBy(setting => setting.Key, StringComparer.Ordinal))
            if (!IsDropped(name)) text.Append(Line(name, value));
        text.Append(Line("listen_addresses", ""));
        text.Append(Line("port", port.ToString(CultureInfo.InvariantCulture)));
        text.Append(Line("unix_socket_directories", socketFolder));
        text.Append(Line("archive_mode", "off"));
        text.Append(Line("synchronous_standby_names", ""));
        text.Append(Line("max_logical_replication_workers", "0"));
        return text.ToString();
    }

    static bool IsDropped(string name) => Dropped.Contains(name) || name.Contains('.', StringComparison.Ordinal)
        || DroppedBeginnings.Any(beginning => name.StartsWith(beginning, StringComparison.Ordinal));

    /// <summary>What recovery is to do.</summary>
    /// <param name="target">Where it stops; Latest for no target.</param>
    /// <param name="timeline">Timeline that it follows.</param>
    /// <param name="action">promote, pause or shutdown.</param>
    /// <param name="primary">Connection to a primary for a standby; null for none.</param>
    public static string Recovery(RecoveryTarget target, uint timeline, string action, string? primary)
    {
        var text = new StringBuilder("# Written by BackupDr for the recovery of this copy.\n");
        text.Append(Line("restore_command", $"cp \"{WalFolder.Name}/%f\" \"%p\""));
        text.Append(Line("recovery_target_timeline", primary is null ? timeline.ToString(CultureInfo.InvariantCulture) : "latest"));
        (string, string)? stop = target.Kind switch
        {
            TargetKind.EndOfBackup => ("recovery_target", "immediate"),
            TargetKind.Time => ("recovery_target_time", target.TimeText),
            TargetKind.Position => ("recovery_target_lsn", target.Position.ToString()),
            TargetKind.Name => ("recovery_target_name", target.Name),
            TargetKind.Transaction => ("recovery_target_xid", target.Xid.ToString(CultureInfo.InvariantCulture)),
            _ => null,
        };
        if (stop is { } one) text.Append(Line(one.Item1, one.Item2));   // the server refuses a second one, also an empty one
        text.Append(Line("recovery_target_inclusive", target.IsInclusive ? "on" : "off"));
        text.Append(Line("recovery_target_action", action));
        text.Append(Line("recovery_end_command", ""));
        if (primary is not null) text.Append(Line("primary_conninfo", primary));
        return text.ToString();
    }

    /// <summary>A settings file without what an earlier recovery was told.</summary>
    public static string WithoutRecovery(string text) => string.Concat(text.Split('\n').Where(line
        => !line.TrimStart().StartsWith("recovery_", StringComparison.Ordinal)
            && !line.TrimStart().StartsWith("restore_command", StringComparison.Ordinal) && line.Length > 0).Select(line => line + "\n"));

    /// <summary>A line of a settings file; the server reads backslashes in it as the beginning of something.</summary>
    public static string Line(string name, string value)
        => $"{name} = '{value.Replace(@"\", @"\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal)}'\n";

    /// <summary>The map of tablespaces to their new folders, as the server reads it.</summary>
    public static string Map(IEnumerable<(uint Oid, string Folder)> spaces)
        => string.Concat(spaces.Select(space => string.Create(CultureInfo.InvariantCulture,
            $"{space.Oid} {space.Folder.Replace("\\", "\\\\", StringComparison.Ordinal)}\n")));
}
