using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Looks at a server before it is protected: each thing that stands in the way, with the statement that mends it.</summary>
public static partial class ClusterPreflight
{
    static readonly string[] Wanted = ["pg_read_all_settings"];
    static readonly string[] Replicating = ["replication_right", "max_wal_senders", "max_replication_slots"];

    /// <summary>Everything at once, so that a person mends it in one go. Empty where all is well.</summary>
    /// <param name="address">The server. That it does not let the role in is a finding too.</param>
    /// <param name="options">What is looked at.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="UnavailableException">The server cannot be reached.</exception>
    public static async Task<IReadOnlyList<Finding>> Run(ServerAddress address, ClusterPreflightOptions options, CancellationToken ct)
    {
        ServerSession session;
        try { session = await ServerSession.Open(address, ct); }
        catch (DeniedException e) { return [new Finding("sign_in", e.Message, e.Hint)]; }
        await using var _ = session;
        if (OfVersion(session.Version) is { } old) return [old];
        var findings = new List<Finding>();
        await Rights(session, address.User, findings, ct);
        if (findings.Any(finding => finding.Code == "settings_right")) return findings;   // without it nothing else can be asked
        var facts = await ClusterFacts.Read(session, ct);
        Settings(facts, findings);
        await Slots(session, facts, options.Slot, findings, ct);
        await Archive(session, facts, findings, ct);
        Files(facts, findings);
        Programs(facts, findings);
        if (!findings.Any(finding => finding.Code is "other_host" or "other_cluster")) Space(facts, options, findings);
        if (options.DataFolder is { } dataFolder && dataFolder.TrimEnd('/') != facts.DataFolder.TrimEnd('/'))
            findings.Add(new Finding("other_folder", $"The server at {address.Host}:{address.Port} has the data folder {facts.DataFolder}, "
                + $"not {dataFolder}.", "Name the folder that 'show data_directory' tells, or another port."));
        // A base backup holds its log by a slot where it may, and does without where it may not.
        return options.Slot is not null ? findings
            : [.. findings.Select(finding => Replicating.Contains(finding.Code) ? finding with { Severity = FindingSeverity.Warning }
                : finding)];
    }

    static async Task Rights(ServerSession session, string user, List<Finding> findings, CancellationToken ct)
    {
        var role = user.Replace("\"", "\"\"", StringComparison.Ordinal);
        var (isSuper, replicates) = await session.Row("select rolsuper, rolreplication from pg_roles where rolname = current_user",
            row => (row.GetBoolean(0), row.GetBoolean(1)), ct);
        if (isSuper) return;
        foreach (var group in Wanted)
            if (!await session.Row("select pg_has_role(current_user, $1, 'usage')", row => row.GetBoolean(0), ct, group))
                findings.Add(new Finding("settings_right", $"The role {user} may not see all settings, for example where the data lie.",
                    $"GRANT {group} TO \"{role}\";"));
        string[] functions = session.Version >= 150_000 ? ["pg_backup_start(text,boolean)", "pg_backup_stop(boolean)"]
            : ["pg_start_backup(text,boolean,boolean)", "pg_stop_backup(boolean,boolean)"];
        foreach (var function in functions)
            if (!await session.Row("select has_function_privilege($1, 'execute')", row => row.GetBoolean(0), ct, function))
                findings.Add(new Finding("backup_right", $"The role {user} may not call {function}.",
                    $"GRANT EXECUTE ON FUNCTION {function} TO \"{role}\";"));
        if (!replicates)
            findings.Add(new Finding("replication_right", $"The role {user} may not receive the log, nor hold it during a backup.",
                $"ALTER ROLE \"{role}\" REPLICATION;"));
    }

    static void Settings(ClusterFacts facts, List<Finding> findings)
    {
        void Need(bool isRight, string code, string message, string remedy, FindingSeverity severity = FindingSeverity.Blocking)
        {
            if (!isRight) findings.Add(new Finding(code, message, remedy, severity));
        }

        const string restart = " -- then restart the server";
        Need(facts.Setting("wal_level") is "replica" or "logical", "wal_level",
            $"wal_level is {facts.Setting("wal_level")}: its log cannot "
            + "restore anything.", "ALTER SYSTEM SET wal_level = 'replica';" + restart);
        Need(Number(facts, "max_wal_senders") >= 2, "max_wal_senders", $"max_wal_senders is {facts.Setting("max_wal_senders")}.",
            "ALTER SYSTEM SET max_wal_senders = 10;" + restart);
        Need(facts.Setting("full_page_writes") == "on", "full_page_writes", "full_page_writes is off: a crash can leave torn pages that "
            + "nothing mends.", "ALTER SYSTEM SET full_page_writes = on; SELECT pg_reload_conf();");
        Need(facts.Setting("fsync") == "on", "fsync", "fsync is off: a power cut destroys the cluster.",
            "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();", FindingSeverity.Warning);
        Need(facts.HasChecksums, "data_checksums", "The cluster has no page checksums: broken pages are stored unnoticed.",
            "pg_checksums --enable -D " + facts.DataFolder + "   -- while the server is stopped", FindingSeverity.Warning);
        Need(facts.Version < 130_000 || Number(facts, "max_slot_wal_keep_size") >= 0, "max_slot_wal_keep_size",
            "max_slot_wal_keep_size has no limit: while nobody receives the log, the slot can fill the server's disk.",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '32GB'; SELECT pg_reload_conf();", FindingSeverity.Warning);
    }

    static long Number(ClusterFacts facts, string name)
        => long.TryParse(facts.Setting(name), CultureInfo.InvariantCulture, out var number) ? number : 0;

    static async Task Slots(ServerSession session, ClusterFacts facts, string? slot, List<Finding> findings, CancellationToken ct)
    {
        var slots = await session.Rows("select slot_name, active, coalesce(wal_status, '') from pg_replication_slots",
            row => (Name: row.GetString(0), IsActive: row.GetBoolean(1), Status: row.GetString(2)), ct);
        var own = slots.FirstOrDefault(one => one.Name == slot);
        // One for receiving, and one while a base backup is taken.
        var needed = slots.Count + (own.Name is null && slot is not null ? 2 : 1);
        if (Number(facts, "max_replication_slots") < needed)
            findings.Add(new Finding("max_replication_slots",
                $"{slots.Count} of {facts.Setting("max_replication_slots")} slots are taken, and "
                + $"{needed} are needed.", $"ALTER SYSTEM SET max_replication_slots = {needed + 4}; -- then restart the server"));
        if (slot is not null && own.Status == "lost")
            findings.Add(new Finding("slot_lost", $"The server gave up the slot {slot}: the log has a gap.",
                $"SELECT pg_drop_replication_slot('{slot.Replace("'", "''", StringComparison.Ordinal)}');  -- and take a new base backup"));
        foreach (var other in slots.Where(one => !one.IsActive && one.Name != slot))
            findings.Add(new Finding("slot_idle", $"The slot {other.Name} is used by nobody and holds back log.",
                $"SELECT pg_drop_replication_slot('{other.Name}');  -- if it is no longer needed", FindingSeverity.Warning));
    }

    // Reading the files is a matter of the operating system: as root, or as the server's user.
    static void Files(ClusterFacts facts, List<Finding> findings)
    {
        try
        {
            using (Descriptor.Open(FilePath.FromText(Path.Combine(facts.DataFolder, "global", ControlFile.Name)), OpenFlags.ReadOnly)) { }
            var control = ControlFile.Read(facts.DataFolder);
            if (ControlFile.SystemIdentifier(control) != facts.SystemIdentifier)
                findings.Add(new Finding("other_cluster", $"{facts.DataFolder} on this host is another cluster than the server's.",
                    "Run on the host of the server."));
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            findings.Add(new Finding("other_host", $"The server's data folder {facts.DataFolder} is not on this host.",
                "Run on the host of the server."));
        }
        catch (PosixException e)
        {
            findings.Add(new Finding("file_right", $"{facts.DataFolder} cannot be read: {PosixException.Describe(e.Errno)}.",
                "Run as root, or as the server's user."));
        }
        foreach (var space in facts.Tablespaces.Where(space => !Disk.Exists(Path.Combine(space.Path, facts.VersionFolder))))
            findings.Add(new Finding("tablespace", $"The folder of tablespace {space.Name}, {space.Path}, cannot be found.",
                "Mount it, or run on the host of the server."));
    }
}
