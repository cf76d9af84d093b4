using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Sources.Files;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>How databases are dumped.</summary>
public sealed record ClusterDumpOptions
{
    /// <summary>Host in the snapshot.</summary>
    public required string HostName { get; init; }
    /// <summary>User in the snapshot.</summary>
    public string UserName { get; init; } = "";
    /// <summary>Tags beside our own.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];
    /// <summary>Databases; none for all that let somebody in and are no templates.</summary>
    public IReadOnlyList<string> Databases { get; init; } = [];
    /// <summary>Folder of the server's programs; null for the installed ones of its version.</summary>
    public string? Programs { get; init; }
}

/// <summary>Dumps of databases and roles: slower than a base backup and without the log, but readable by any later version, and from
/// another host.</summary>
public static class ClusterDump
{
    /// <summary>Tag of the snapshots of dumps.</summary>
    public const string DumpTag = "postgresql-dump";

    /// <summary>Stores a dump of each database as <c>/dump/NAME.dump</c>, each as of one moment, for pg_restore, and the roles as
    /// <c>/dump/roles.sql</c>. They are not compressed by the server's programs, so that what did not change is stored once.</summary>
    /// <exception cref="UnavailableException">The server cannot be reached.</exception>
    /// <exception cref="DeniedException">It does not let the role in.</exception>
    /// <exception cref="NotFoundException">There is no such database.</exception>
    /// <exception cref="SourceException">The programs are missing, or a dump failed; nothing is published.</exception>
    public static async Task<(BackupSummary Run, IReadOnlyList<string> Databases)> Run(Repository repository, ServerAddress address,
        ClusterDumpOptions options, IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(address, ct);
        var there = await session.Rows("select datname::text from pg_database where datallowconn and not datistemplate order by 1",
            row => row.GetString(0), ct);
        if (options.Databases.FirstOrDefault(name => !there.Contains(name)) is { } missing)
            throw new NotFoundException($"The database {missing} on {address}", $"There are: {string.Join(", ", there)}.");
        var isSuper = await session.Row("select rolsuper from pg_roles where rolname = current_user", row => row.GetBoolean(0), ct);
        var wanted = options.Databases.Count > 0 ? options.Databases : there;
        var folder = options.Programs ?? $"/usr/lib/postgresql/{(session.Version / 10_000).ToString(CultureInfo.InvariantCulture)}/bin";
        foreach (var program in (string[])["pg_dump", "pg_dumpall"])
            if (!Disk.Exists(Path.Combine(folder, program)))
                throw new SourceException("postgres.programs_missing", $"{Path.Combine(folder, program)} is not there.",
                    $"Install the programs of PostgreSQL {session.Version / 10_000}, or name their folder with --programs.");
        using var source = new Dumped(address, wanted, folder, isSuper);
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = options.HostName,
            UserName = options.UserName,
            Tags = [DumpTag, .. options.Tags],
        }, progress, ct);
        return (run, wanted);
    }

    sealed class Dumped(ServerAddress address, IReadOnlyList<string> databases, string programs, bool isSuper) : IStreamedSource
    {
        readonly byte[] _buffer = new byte[1 << 20];

        public IReadOnlyList<FilePath> Paths { get; } = [FilePath.FromText("/postgresql-dump")];

        public async Task Stream(IStreamTarget target, ISourceProblems problems, CancellationToken ct)
        {
            using var home = Descriptor.OpenFolder(FilePath.FromText("/proc/self"));
            var like = NodeReader.OfOpen(home, FilePath.FromText("dump"));
            target.AddFolder(FilePath.FromText("/dump"), MadeNode.Folder("dump", like));
            foreach (var database in databases)
                await Store(target, like, $"{database.Replace("/", "%2F", StringComparison.Ordinal)}.dump", "pg_dump",
                    ["-Fc", "-Z0", "-d", TableName.Connection(database)], ct);
            // Only a superuser may read the hashes of passwords.
            await Store(target, like, "roles.sql", "pg_dumpall",
                ["--roles-only", "-d", TableName.Connection(address.Database), .. isSuper ? (string[])[] : ["--no-role-passwords"]], ct);
        }

        async Task Store(IStreamTarget target, Engine.Format.Node like, string name, string program, IReadOnlyList<string> arguments,
            CancellationToken ct)
        {
            await using var tool = ToolProcess.Start(Path.Combine(programs, program), ["-h", address.Host, "-p",
                address.Port.ToString(CultureInfo.InvariantCulture), "-U", address.User, "--no-password", .. arguments],
                environment: address.Password is { } password
                    ? new Dictionary<string, string> { ["PGPASSWORD"] = password.Reveal() } : null,
                isGuarded: true, pipes: ToolPipes.Output);
            var file = target.Begin(FilePath.FromText($"/dump/{name}"), chunkBytes: null);
            while (await tool.Output.ReadAsync(_buffer, ct) is > 0 and var read)
                await file.Append(_buffer.AsMemory(0, read), ct);
            if (await tool.End(ct) is not 0 and var code)
                throw new SourceException("postgres.dump_failed",
                    $"{program} ended with {code.ToString(CultureInfo.InvariantCulture)}: {tool.LastLine}",
                    "Give the role pg_read_all_data and CONNECT on every database; row security needs BYPASSRLS.");
            await file.End(MadeNode.File(name, like, file.LengthBytes), ct);
        }

        public void Dispose() => GC.SuppressFinalize(this);
    }
}
