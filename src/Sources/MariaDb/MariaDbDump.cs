using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>How databases are dumped.</summary>
public sealed record MariaDbDumpOptions
{
    /// <summary>Host in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>User in the snapshot.</summary>
    public string UserName { get; init; } = "";
    /// <summary>Tags beside our own.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Databases; none for all that are no part of the server itself.</summary>
    public IReadOnlyList<string> Databases { get; init; } = [];
}

/// <summary>Dumps as statements: slower than a base backup and without the log, but readable by any version and by MySQL.</summary>
public static class MariaDbDump
{
    const string Completed = "-- Dump completed";
    static readonly string[] OwnSchemas = ["information_schema", "performance_schema", "sys", "mysql"];

    /// <summary>Stores a dump of each database as <c>/dump/NAME.sql</c>, each as of one moment as far as its tables are InnoDB's.</summary>
    /// <exception cref="UnavailableException">The server cannot be reached.</exception>
    /// <exception cref="DeniedException">The user may not do it.</exception>
    /// <exception cref="NotFoundException">There is no such database.</exception>
    /// <exception cref="SourceException">A dump failed or is not whole; nothing is published.</exception>
    public static async Task<(BackupSummary Run, IReadOnlyList<string> Databases)> Run(Repository repository, MariaDbAddress address,
        MariaDbDumpOptions options, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        using var file = new OptionFile(address);
        var client = new MariaDbClient(address, file);
        var facts = await MariaDbFacts.Read(client, ct);
        var there = (await client.Rows("show databases", ct)).Select(row => row[0]!).ToList();
        var wanted = options.Databases.Count > 0 ? options.Databases : [.. there.Except(OwnSchemas)];
        if (wanted.FirstOrDefault(name => !there.Contains(name)) is { } missing)
            throw new NotFoundException($"The database {missing} on {address}", "See them with SHOW DATABASES.");
        List<string> arguments = [file.Argument, "--single-transaction", "--quick", "--routines", "--events", "--triggers", "--hex-blob",
            "--skip-dump-date"];
        if (facts is { HasBinlog: true, IsMariaDb: true }) arguments.AddRange(["--master-data=2", "--gtid"]);
        using var source = new Dumped(facts.Name, wanted, MariaDbTools.Find(MariaDbTools.Dump, address.Programs), arguments, address);
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = options.HostName,
            UserName = options.UserName,
            Tags = [MariaDbManifest.DumpTag, .. options.Tags],
        }, progress, ct);
        return (run, wanted);
    }

    /// <summary>Gets one table out of a base backup and its log: restores into a scratch folder, and dumps the table from there.</summary>
    /// <param name="repository">From where.</param>
    /// <param name="restore">What is restored; its folder is removed at the end.</param>
    /// <param name="database">Database of the table.</param>
    /// <param name="table">Table.</param>
    /// <param name="path">Absolute path of the file to be; it appears whole or not at all.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="BadInputException">A file is there already.</exception>
    /// <exception cref="SourceException">The moment cannot be reached, there was no such table then, or the dump is not whole.</exception>
    public static async Task<MariaDbRestoreSummary> Table(Repository repository, MariaDbRestoreOptions restore, string database,
        string table,
        string path, IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        if (Disk.Exists(path)) throw new BadInputException("--out", $"{path} is there already.", "Name a file that is not there yet.");
        var making = path + ".new";
        try
        {
            var restored = await MariaDbRestore.Run(repository, restore with { IsDurable = false }, progress, ct);
            await using var server = await PrivateMariaDb.Start(restore.Folder, restored.Manifest, restored.Owner, restore.Programs,
                repository.Options.Clock, ct);
            await using (var tool = ToolProcess.Start(MariaDbTools.Find(MariaDbTools.Dump, restore.Programs), [server.Options.Argument,
                "--single-transaction", "--quick", "--triggers", "--hex-blob", $"--result-file={making}", "--", database, table]))
                if (await tool.End(ct) is not 0 and var code)
                    throw new SourceException("mariadb.dump_failed", $"mariadb-dump ended with {code}: {tool.LastLine}",
                        "See that the table was there at that moment.");
            if (!EndsWell(making)) throw NotWhole($"{database}.{table}");
            using var folder = Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));
            folder.Rename(FilePath.FromText(Path.GetFileName(making)).Bytes, folder, FilePath.FromText(Path.GetFileName(path)).Bytes);
            folder.Sync();
            return restored;
        }
        finally
        {
            if (Disk.Exists(making)) Disk.Remove(making);
            if (Disk.Exists(restore.Folder)) Disk.RemoveTree(restore.Folder);
        }
    }

    static bool EndsWell(string path)
    {
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.ReadOnly);
        var tail = new Tail();
        var bytes = new byte[Tail.Bytes];
        var from = Math.Max(0, file.Stat().SizeBytes - bytes.Length);
        tail.Add(bytes.AsSpan(0, file.FillAt(from, bytes)));
        return tail.EndsWell;
    }

    static SourceException NotWhole(string what) => new("mariadb.dump_failed", $"The dump of {what} does not end with '{Completed}'.",
        "Nothing was kept of it. Run it again.");

    /// <summary>The last bytes of a dump.</summary>
    sealed class Tail
    {
        public const int Bytes = 256;

        byte[] _last = [];

        public void Add(ReadOnlySpan<byte> bytes)
        {
            byte[] all = [.. _last, .. bytes.Length > Bytes ? bytes[^Bytes..] : bytes];
            _last = all.Length > Bytes ? all[^Bytes..] : all;
        }

        public bool EndsWell => Encoding.UTF8.GetString(_last).TrimEnd('\n').Split('\n')[^1].StartsWith(Completed,
            StringComparison.Ordinal);
    }

    sealed class Dumped(string server, IReadOnlyList<string> databases, string program, IReadOnlyList<string> arguments,
        MariaDbAddress address) : IStreamedSource
    {
        readonly byte[] _buffer = new byte[1 << 20];

        public IReadOnlyList<FilePath> Paths { get; } = [FilePath.FromText($"{MariaDbSource.PathOf(server)}/dump")];

        public async Task Stream(IStreamTarget target, ISourceProblems problems, CancellationToken ct)
        {
            using var home = Descriptor.OpenFolder(FilePath.FromText("/proc/self"));
            var like = NodeReader.OfOpen(home, FilePath.FromText("dump"));
            target.AddFolder(FilePath.FromText("/dump"), MadeNode.Folder("dump", like));
            foreach (var database in databases)
            {
                await using var tool = ToolProcess.Start(program, [.. arguments, "--databases", "--", database], isGuarded: true,
                    pipes: ToolPipes.Output);
                var name = database.Replace("/", "%2F", StringComparison.Ordinal) + ".sql";
                var file = target.Begin(FilePath.FromText($"/dump/{name}"), chunkBytes: null);
                var tail = new Tail();
                while (await tool.Output.ReadAsync(_buffer, ct) is > 0 and var read)
                {
                    tail.Add(_buffer.AsSpan(0, read));
                    await file.Append(_buffer.AsMemory(0, read), ct);
                }
                if (await tool.End(ct) != 0) throw MariaDbClient.Explain(address.ToString(), tool.Lines);
                if (!tail.EndsWell) throw NotWhole(database);
                await file.End(MadeNode.File(name, like, file.LengthBytes), ct);
            }
        }

        public void Dispose() => GC.SuppressFinalize(this);
    }
}
