using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>Looks at a server before it is protected: each thing that stands in the way, with the statement that mends it.</summary>
public static class MariaDbPreflight
{
    const int OldestVersion = 10_06_00;
    static readonly TimeSpan ShortestExpiry = TimeSpan.FromDays(2);

    const string Receiving = "REPLICATION SLAVE";

    // Before 10.5 some had other names; those servers are refused.
    static readonly (string Right, string Use)[] Rights =
    [
        ("RELOAD", "hold back changes of definitions at the end of a backup"),
        ("PROCESS", "see what runs, and which tables there are"),
        ("LOCK TABLES", "take the backup locks"),
        ("BINLOG MONITOR", "see where the binary log is"),
        (Receiving, "receive the binary log"),
    ];

    /// <summary>Everything at once, so that a person mends it in one go. Empty where all is well.</summary>
    /// <param name="address">The server.</param>
    /// <param name="scratch">Folder in which a test restore would be made; null where that is not asked.</param>
    /// <param name="ct">Cancels.</param>
    /// <param name="receivesLog">Whether its binary log is to be received, which then has to be possible; null where that is not
    /// known.</param>
    /// <param name="dataFolder">The data folder that the server is expected to have; null for whatever it has.</param>
    public static async Task<IReadOnlyList<Finding>> Run(MariaDbAddress address, string? scratch, CancellationToken ct,
        bool? receivesLog = null, string? dataFolder = null)
    {
        var findings = Programs(address);
        if (findings.Any(finding => finding.Code == "client_program")) return findings;
        using var file = new OptionFile(address);
        var client = new MariaDbClient(address, file);
        MariaDbFacts facts;
        try { facts = await MariaDbFacts.Read(client, ct); }
        catch (BackupDrException e) when (e is DeniedException or UnavailableException)
        {
            return [.. findings, e is DeniedException
                ? new Finding("sign_in", e.Message, $"CREATE USER IF NOT EXISTS {Quoted(address.User)}@'localhost' IDENTIFIED BY '…';   -- "
                    + "and give its password in a file")
                : new Finding("unreachable", e.Message, e.Hint)];
        }
        if (!facts.IsMariaDb)
            return [.. findings, new Finding("mysql", $"This is MySQL {facts.Version}, whose files mariadb-backup cannot copy.",
                "Use 'backupdr mariadb dump'.")];
        if (facts.VersionNumber < OldestVersion)
            return [.. findings, new Finding("version", $"The server's version {facts.Version} is older than 10.6.", "Upgrade it.")];
        if (dataFolder is not null && !MariaDbDiscovery.IsSame(facts.DataFolder, dataFolder))
            return [.. findings, new Finding("other_folder",
                $"The server at {address} works in {facts.DataFolder} and not in {dataFolder}.", "Name its socket, or the other folder.")];
        await Allowed(client, address.User, receivesLog != false, findings, ct);
        await Fits(address, facts, findings, ct);
        Settings(facts, receivesLog, findings);
        Files(facts, scratch, findings);
        if (!findings.Any(finding => finding.Message.Contains("PROCESS", StringComparison.Ordinal))) await Tables(client, findings, ct);
        return findings;
    }

    static List<Finding> Programs(MariaDbAddress address)
    {
        var findings = new List<Finding>();
        foreach (var (program, code) in (ReadOnlySpan<(string, string)>)[(MariaDbTools.Client, "client_program"),
            (MariaDbTools.Backup, "backup_program"), (MariaDbTools.Binlog, "binlog_program")])
            if (MariaDbTools.TryFind(program, address.Programs) is null)
                findings.Add(new Finding(code, $"{program} is not there.", $"apt-get install {MariaDbTools.PackageOf(program)}"));
        return findings;
    }

    static async Task Allowed(MariaDbClient client, string user, bool receivesLog, List<Finding> findings, CancellationToken ct)
    {
        var has = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var row in await client.Rows("show grants", ct))
        {
            const string beginning = "GRANT ", scope = " ON *.* TO ";
            var grant = row[0] ?? "";
            var end = grant.IndexOf(scope, StringComparison.Ordinal);
            if (end < 0 || !grant.StartsWith(beginning, StringComparison.Ordinal)) continue;
            has.UnionWith(grant[beginning.Length..end].Split(',', StringSplitOptions.TrimEntries));
        }
        if (has.Contains("ALL PRIVILEGES")) return;
        var who = (await client.Text("select current_user()", ct)).Split('@', 2);
        var name = who.Length == 2 ? $"{Quoted(who[0])}@{Quoted(who[1])}" : Quoted(user);
        foreach (var (right, use) in Rights)
            if (!has.Contains(right) && (receivesLog || right != Receiving))
                findings.Add(new Finding("right", $"{name} may not {use}: {right} is missing.", $"GRANT {right} ON *.* TO {name};"));
    }

    static string Quoted(string name) => $"'{name.Replace("'", "''", StringComparison.Ordinal)}'";

    static async Task Fits(MariaDbAddress address, MariaDbFacts facts, List<Finding> findings, CancellationToken ct)
    {
        if (MariaDbTools.TryFind(MariaDbTools.Backup, address.Programs) is null) return;
        var version = await MariaDbTools.BackupVersion(address.Programs, ct);
        var number = MariaDbTools.Number(version);
        if (number / 100 != facts.VersionNumber / 100)
            findings.Add(new Finding("tool_version", $"mariadb-backup {version} cannot copy the files of the server's version "
                + $"{facts.Version}.", "Install the package mariadb-backup of the server's version."));
        else if (number < facts.VersionNumber)
            findings.Add(new Finding("tool_version", $"mariadb-backup {version} is older than the server's {facts.Version}.",
                "apt-get install --only-upgrade mariadb-backup", FindingSeverity.Warning));
    }

    static void Settings(MariaDbFacts facts, bool? receivesLog, List<Finding> findings)
    {
        void Need(bool isRight, string code, string message, string remedy, FindingSeverity severity = FindingSeverity.Warning)
        {
            if (!isRight) findings.Add(new Finding(code, message, remedy, severity));
        }

        if (!facts.HasBinlog)
        {
            Need(false, "log_bin", "log_bin is off: only the moments of backups can be restored, and nothing between them.",
                "log_bin = bin   -- under [mysqld], then restart the server", receivesLog switch
                {
                    true => FindingSeverity.Blocking,
                    false => FindingSeverity.Note,
                    null => FindingSeverity.Warning,
                });
            return;
        }
        var format = facts.Variable("binlog_format");
        Need(format != "STATEMENT", "binlog_format", "binlog_format is STATEMENT: what is replayed from it may come out differently.",
            "SET GLOBAL binlog_format = 'ROW';   -- and under [mysqld]", FindingSeverity.Blocking);
        Need(format != "MIXED", "binlog_format", "binlog_format is MIXED: some statements are replayed as they were written.",
            "SET GLOBAL binlog_format = 'ROW';   -- and under [mysqld]");
        Need(facts.Number("server_id") != 0, "server_id", "server_id is 0: nobody can receive the binary log.",
            "SET GLOBAL server_id = 1;   -- a number of its own, and under [mysqld]", FindingSeverity.Blocking);
        Need(facts.Number("sync_binlog") == 1, "sync_binlog", $"sync_binlog is {facts.Variable("sync_binlog")}: a power cut can take "
            + "transactions out of the binary log that are in the tables.", "SET GLOBAL sync_binlog = 1;   -- and under [mysqld]");
        Need(facts.Number("innodb_flush_log_at_trx_commit") == 1, "innodb_flush_log_at_trx_commit",
            $"innodb_flush_log_at_trx_commit is {facts.Variable("innodb_flush_log_at_trx_commit")}: a power cut loses what was committed.",
            "SET GLOBAL innodb_flush_log_at_trx_commit = 1;   -- and under [mysqld]");
        var expiry = TimeSpan.FromSeconds(facts.Number("binlog_expire_logs_seconds"));
        Need(expiry == TimeSpan.Zero || expiry >= ShortestExpiry, "binlog_expire_logs_seconds",
            $"The server removes its binary log after {expiry.TotalHours:0.#} hours: after a longer outage of the receiver there is a gap.",
            $"SET GLOBAL binlog_expire_logs_seconds = {ShortestExpiry.TotalSeconds:0};   -- and under [mysqld]");
        Need(facts.Variable("gtid_strict_mode") is "ON" or "1", "gtid_strict_mode",
            "gtid_strict_mode is off: two servers can number transactions alike.", "SET GLOBAL gtid_strict_mode = ON;   -- and under "
            + "[mysqld]", FindingSeverity.Note);
        Need(facts.Variable("encrypt_binlog") is not ("ON" or "1"), "encrypt_binlog",
            "The binary log is encrypted on the server; it is received in plain and encrypted by the repository. The keys of tables are "
            + "in no backup.", "Keep the key file of the server elsewhere.", FindingSeverity.Note);
    }

    // Reading the files is a matter of the operating system: as root, or as the server's user.
    static void Files(MariaDbFacts facts, string? scratch, List<Finding> findings)
    {
        try
        {
            using var folder = Descriptor.OpenFolder(FilePath.FromText(facts.DataFolder));
            using (folder.OpenAt("ibdata1"u8, OpenFlags.ReadOnly)) { }
        }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.ENOTDIR)
        {
            findings.Add(new Finding("other_host", $"The server's data folder {facts.DataFolder} is not on this host.",
                "Run on the host of the server."));
            return;
        }
        catch (PosixException e)
        {
            findings.Add(new Finding("file_right", $"{facts.DataFolder} cannot be read: {PosixException.Describe(e.Errno)}.",
                "Run as root, or as the server's user."));
            return;
        }
        if (scratch is null) return;
        if (!Disk.Exists(scratch))
        {
            findings.Add(new Finding("scratch", $"There is no folder {scratch}.", "Name another one with --scratch."));
            return;
        }
        var (free, needed) = (new DriveInfo(scratch).AvailableFreeSpace, SizeOf(facts.DataFolder));
        if (free < needed)
            findings.Add(new Finding("space", $"{scratch} has {free >> 20} MiB free; a test restore takes {needed >> 20} MiB.",
                "Free space there, or name another folder with --scratch."));
    }

    static long SizeOf(string folder)
    {
        var bytes = 0L;
        foreach (var (name, kind) in Disk.List(folder))
        {
            var path = Path.Combine(folder, name);
            try
            {
                if (kind == FileKind.Folder) bytes += SizeOf(path);
                else if (kind == FileKind.File) bytes += Descriptor.StatOf(FilePath.FromText(path)).SizeBytes;
            }
            catch (PosixException e) when (e.Errno == Errno.ENOENT) { continue; }   // dropped meanwhile
        }
        return bytes;
    }

    // A copy beside the original would work in the original's file.
    static async Task Tables(MariaDbClient client, List<Finding> findings, CancellationToken ct)
    {
        foreach (var row in await client.Rows("select name, filename from information_schema.innodb_sys_tablespaces "
            + "where filename like '/%' limit 20", ct))
            findings.Add(new Finding("data_directory", $"The table {row[0]} lies outside the data folder, in {row[1]}.",
                $"ALTER TABLE {row[0]?.Replace('/', '.')} DATA DIRECTORY = '', ALGORITHM = COPY;   -- or move it by dump and reload"));
    }
}
