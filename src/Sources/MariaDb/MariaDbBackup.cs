using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;

namespace BackupDr.Sources.MariaDb;

/// <summary>How a base backup is taken.</summary>
public sealed record MariaDbBackupOptions
{
    /// <summary>Host in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>User in the snapshot.</summary>
    public string UserName { get; init; } = "";
    /// <summary>Tags beside our own.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Tables that are read at a time. 1 to 64; default 2.</summary>
    public int Parallel { get; init; } = 2;
    /// <summary>Program that takes it, for the manifest.</summary>
    public string Program { get; init; } = "backupdr";
}

/// <summary>What a base backup did.</summary>
/// <param name="Run">The snapshot and its numbers.</param>
/// <param name="Manifest">What it says of itself.</param>
/// <param name="Remarks">What a person should know.</param>
public sealed record MariaDbBackupSummary(BackupSummary Run, MariaDbManifest Manifest, IReadOnlyList<string> Remarks);

/// <summary>Takes base backups of a MariaDB server of this host.</summary>
/// <remarks>Always full: an incremental one would read every page as well, and what is equal is stored once in any case. So there is no
/// chain of which a link could be missing.</remarks>
public static class MariaDbBackup
{
    /// <summary>Takes one. It needs nothing else to be restored.</summary>
    /// <param name="repository">Where to.</param>
    /// <param name="address">The server.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="ct">Cancels; nothing is published then, and what was stored is used by the next one.</param>
    /// <exception cref="UnavailableException">The server cannot be reached.</exception>
    /// <exception cref="DeniedException">The user may not do it.</exception>
    /// <exception cref="SourceException">mariadb-backup failed or does not fit the server, or its stream was not whole.</exception>
    /// <exception cref="RepositoryException">Locked, LockLost or Damaged.</exception>
    public static async Task<MariaDbBackupSummary> Run(Repository repository, MariaDbAddress address, MariaDbBackupOptions options,
        IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        if (options.Parallel is < 1 or > 64) throw new BadInputException("--parallel",
            $"--parallel: {options.Parallel} is not from 1 to 64.");
        using var file = new OptionFile(address);
        var client = new MariaDbClient(address, file);
        var facts = await MariaDbFacts.Read(client, ct);
        var toolVersion = await Fit(address, facts, ct);
        var tables = await MariaDbFacts.Tables(client, ct);
        var chunkBytes = (await Before(repository, facts.Name, options.HostName, ct))?.ChunkBytes
            ?? ChunkBytes(await SizeOf(client, ct));
        string[] arguments = [file.Argument, "--backup", "--stream=mbstream",
            $"--parallel={options.Parallel.ToString(CultureInfo.InvariantCulture)}",
            $"--target-dir={Path.Combine(Path.GetDirectoryName(file.Path)!, "unused")}"];
        using var source = new MariaDbSource(address, facts, file, arguments, chunkBytes, async (streamed, token) =>
        {
            var after = await MariaDbFacts.Read(client, token);
            var tablesAfter = await MariaDbFacts.Tables(client, token);
            var (binlog, position, gtid) = Binlog(streamed.BinlogInfo);
            return new MariaDbManifest
            {
                Server = facts.Name,
                ServerVersion = facts.Version,
                ToolVersion = toolVersion,
                DataFolder = facts.DataFolder,
                Owner = OwnerOf(facts.DataFolder),
                StartedAt = facts.Clock,
                StoppedAt = after.Clock,
                BinlogFile = binlog,
                BinlogPosition = position,
                BinlogCreatedAt = CreatedAt(facts, binlog),
                Gtid = gtid,
                LastLsn = streamed.Checkpoint("last_lsn"),
                ChunkBytes = chunkBytes,
                Bytes = streamed.Bytes,
                Tables = tablesAfter,
                IsCatalogSettled = tables.SequenceEqual(tablesAfter),
                Settings = facts.Settings,
                Command = ["mariadb-backup", .. arguments.Where(word => !word.Contains(file.Path, StringComparison.Ordinal))],
                Program = options.Program,
            };
        });
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = options.HostName,
            UserName = options.UserName,
            Tags = [MariaDbManifest.BaseTag, .. options.Tags],
        }, progress, ct);
        return new MariaDbBackupSummary(run, source.Manifest!, source.Manifest! switch
        {
            { BinlogFile: "" } => ["The server keeps no binary log: it can be restored to the moments of its backups, and to none between "
                + "them."],
            { BinlogCreatedAt: null } => [$"The file {source.Manifest!.BinlogFile} of the binary log cannot be read from the disk, so that "
                + "it is not known which stored log goes on from this backup. Run as root, or as the server's user."],
            _ => [],
        });
    }

    static async Task<string> Fit(MariaDbAddress address, MariaDbFacts facts, CancellationToken ct)
    {
        if (!facts.IsMariaDb)
            throw new SourceException("mariadb.mysql", $"{address} is MySQL {facts.Version}: mariadb-backup cannot copy its files.",
                "Use 'backupdr mariadb dump', which needs no more than its client programs.");
        if (!Disk.Exists(facts.DataFolder))
            throw new SourceException("mariadb.other_host", $"The server's data folder {facts.DataFolder} is not on this host.",
                "Run on the host of the server.");
        var version = await MariaDbTools.BackupVersion(address.Programs, ct);
        return MariaDbTools.Number(version) / 100 == facts.VersionNumber / 100 ? version
            : throw new SourceException("mariadb.tool_version", $"mariadb-backup {version} cannot copy the files of a server of version "
                + $"{facts.Version}.", $"Install the package mariadb-backup of the server's version.");
    }

    static string OwnerOf(string folder)
    {
        var status = Storage.Posix.Descriptor.StatOf(FilePath.FromText(folder));
        return Storage.Posix.AccountNames.User(status.Uid);
    }

    static async Task<long> SizeOf(MariaDbClient client, CancellationToken ct)
        => long.TryParse(await client.Text("select sum(file_size) from information_schema.innodb_sys_tablespaces", ct),
            CultureInfo.InvariantCulture, out var bytes) ? bytes : 0;

    /// <summary>Bytes of the chunks that page files are cut into: a page of InnoDB where the whole is small.</summary>
    /// <remarks>Each chunk costs an index entry; a repository is to hold fewer than 20 million of them.</remarks>
    internal static int ChunkBytes(long serverBytes) => serverBytes switch
    {
        < 32L << 30 => 16 << 10,
        < 256L << 30 => 32 << 10,
        < 1L << 40 => 64 << 10,
        _ => 128 << 10,
    };

    /// <summary>When a file of the server's log was begun; null where it cannot be read.</summary>
    static uint? CreatedAt(MariaDbFacts facts, string file)
    {
        if (file.Length == 0 || Path.GetDirectoryName(facts.Variable("log_bin_basename")) is not { Length: > 0 } folder) return null;
        try { return BinlogReader.CreatedAtOf(Path.Combine(folder, file)); }
        catch (Storage.Posix.PosixException) { return null; }   // of another user, or removed meanwhile: said by the remark
    }

    /// <summary>"bin.000001 200783 0-1-9": file, position, and the last transactions of each domain.</summary>
    internal static (string File, long Position, string Gtid) Binlog(string? info)
    {
        if (info is null) return ("", 0, "");
        var parts = info.Split((char[])['\t', ' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return parts.Length >= 2 && long.TryParse(parts[1], CultureInfo.InvariantCulture, out var position)
            ? (parts[0], position, string.Concat(parts.Skip(2)))
            : throw new SourceException("mariadb.stream", $"mariadb-backup tells no position in the binary log: '{info.Trim()}'.",
                "Its version is not known.");
    }

    static async Task<MariaDbManifest?> Before(Repository repository, string server, string hostName, CancellationToken ct)
    {
        var filter = new SnapshotFilter
        {
            HostNames = [hostName],
            Paths = [MariaDbSource.PathOf(server).ToString()],
            Tags = [MariaDbManifest.BaseTag],
        };
        if (await repository.Snapshots(filter, ct) is not [.., var newest]) return null;
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        try { return await MariaDbManifest.Of(new TreeBrowser(reader), reader, newest, ct); }
        // All is stored anew then, in chunks of whatever size.
        catch (BackupDrException e) when (e is RepositoryException { Fault: RepositoryFault.Damaged } or NotFoundException) { return null; }
    }
}
