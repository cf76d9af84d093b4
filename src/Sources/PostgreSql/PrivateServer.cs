using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>A server in a restored folder that nobody else can reach: a socket in a folder of its own, no network, no archiving, no
/// replication, nothing preloaded. It is killed where this program is killed.</summary>
sealed class PrivateServer : IAsyncDisposable
{
    const int Port = 5432;   // only names the socket
    // The address of a socket has room for 107 bytes, and folders for copies may be deep. Nobody but the server's user can enter what is
    // made there, and everybody who can may do anything in the copy.
    internal const string SocketFolder = "/tmp";
    const long MostBuffers = 64 << 10;   // blocks: a copy beside its original must not take the memory of two
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100), LongestStop = TimeSpan.FromSeconds(30);
    static readonly string[] Dangerous = ["FATAL:", "PANIC:"];

    readonly ClusterRestoreSummary _restored;
    readonly ToolProcess _process;
    readonly string _data;
    readonly Scratch _sockets;
    readonly string? _programs;
    readonly TimeProvider _clock;

    PrivateServer(ClusterRestoreSummary restored, ToolProcess process, string data, Scratch sockets, string? programs, TimeProvider clock)
        => (_restored, _process, _data, _sockets, _programs, _clock) = (restored, process, data, sockets, programs, clock);

    /// <summary>Whether it can reach nothing itself: no network, none of the host's sockets.</summary>
    public bool IsIsolated { get; private init; }

    /// <summary>How to reach it, as its superuser.</summary>
    public ServerAddress Address => new() { Host = _sockets.Path, Port = Port, User = _restored.Manifest.Superuser, Database = "postgres" };

    /// <summary>The options by which its client programs reach it.</summary>
    public string[] Where => ["-h", _sockets.Path, "-p", Port.ToString(CultureInfo.InvariantCulture), "-U", _restored.Manifest.Superuser];

    /// <summary>The last lines of its log.</summary>
    public IReadOnlyList<string> Lines => _process.Lines;

    /// <summary>Absolute path of a program of its version.</summary>
    /// <exception cref="SourceException">It is not installed.</exception>
    public string Program(string name) => Program(_restored.Manifest, _programs, name);

    static string Program(ClusterManifest manifest, string? programs, string name)
    {
        var major = manifest.ServerVersion / 10_000;
        var path = Path.Combine(programs ?? $"/usr/lib/postgresql/{major}/bin", name);
        return Disk.Exists(path) ? path : throw new SourceException("postgres.programs_missing", $"{path} is not there.",
            $"Install the server programs of PostgreSQL {major}, or name their folder with --programs.");
    }

    /// <summary>Starts it; recovery begins.</summary>
    /// <param name="restored">What was restored.</param>
    /// <param name="folder">The folder above <paramref name="data"/>; it becomes the server's user's.</param>
    /// <param name="data">The data folder.</param>
    /// <param name="programs">Folder of the server's programs; null for the installed ones of the backup's version.</param>
    /// <param name="clock">Clock.</param>
    /// <exception cref="SourceException">The server's programs are missing.</exception>
    public static PrivateServer Start(ClusterRestoreSummary restored, string folder, string data, string? programs, TimeProvider clock)
    {
        var program = Program(restored.Manifest, programs, "postgres");
        Own(folder, restored.Owner);
        var sockets = Scratch.Make(SocketFolder);
        try
        {
            Own(sockets.Path, restored.Owner);
            Disk.Write(Path.Combine(sockets.Path, "hba.conf"), "local all all trust\n"u8, restored.Owner, isDurable: false);
            var isIsolated = Isolation.IsPossible && !Isolation.Hides(folder);
            var process = ToolProcess.Start(program, Arguments(restored.Manifest, data, sockets.Path), restored.Owner, isGuarded: true,
                isIsolated: isIsolated);
            return new PrivateServer(restored, process, data, sockets, programs, clock) { IsIsolated = isIsolated };
        }
        catch
        {
            sockets.Dispose();
            throw;
        }
    }

    static void Own(string path, (uint Uid, uint Gid) owner)
    {
        if (!AccountNames.IsRoot) return;
        using var folder = Descriptor.OpenFolder(FilePath.FromText(path));
        if (folder.TrySetOwner(owner.Uid, owner.Gid) is not Errno.None and var errno)
            throw new PosixException("chown", FilePath.FromText(path), errno);
    }

    static List<string> Arguments(ClusterManifest manifest, string data, string sockets)
    {
        List<string> words = ["-D", data];
        foreach (var setting in (string[])[$"hba_file={Path.Combine(sockets, "hba.conf")}", $"unix_socket_directories={sockets}",
            "listen_addresses=", $"port={Port.ToString(CultureInfo.InvariantCulture)}", "logging_collector=off", "log_destination=stderr",
            "log_min_messages=log", "archive_mode=off", "primary_conninfo=", "max_logical_replication_workers=0",
            "shared_preload_libraries=", "synchronous_standby_names=", "fsync=off", "ssl=off",
            "autovacuum=off"])
            words.AddRange(["-c", setting]);
        if (long.TryParse(manifest.Settings.GetValueOrDefault("shared_buffers"), CultureInfo.InvariantCulture, out var blocks)
            && blocks > MostBuffers) words.AddRange(["-c", $"shared_buffers={MostBuffers.ToString(CultureInfo.InvariantCulture)}"]);
        return words;
    }

    /// <summary>Waits for the end of recovery. Connections are let in before; only after it anything can be believed.</summary>
    /// <param name="limit">Longest recovery.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Where it stopped, in the server's words.</returns>
    /// <exception cref="SourceException">It ended, or recovery did not.</exception>
    public async Task<string> AwaitPromotion(TimeSpan limit, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(limit);
        try
        {
            while (!_process.HasEnded)
            {
                if (await IsPromoted(late.Token))
                    return Said("recovery stopping", "last completed transaction", "redo done") ?? "The server recovered.";
                await Task.Delay(LookEvery, _clock, late.Token);
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new SourceException("postgres.copy_start", $"Recovery did not end within {limit}.",
                "See how much log lies between the base backup and the moment, with 'backupdr pg list'.");
        }
        throw new SourceException("postgres.copy_start", LastWords() ?? "The server ended without a word.",
            "See that the server's programs and extensions are those of the backup's version.");
    }

    /// <summary>The last line of its log in which one of the words stands, the first word before the others.</summary>
    public string? Said(params string[] words)
        => words.Select(word => _process.Lines.LastOrDefault(line => line.Contains(word, StringComparison.Ordinal)))
            .FirstOrDefault(line => line is not null);

    /// <summary>What it died of, with the detail that it gave.</summary>
    string? LastWords()
    {
        var lines = _process.Lines.ToList();
        var at = lines.FindLastIndex(line => From(line, Dangerous) is not null);
        if (at < 0) return null;
        var detail = at + 1 < lines.Count ? From(lines[at + 1], "DETAIL:") : null;
        return $"{From(lines[at], Dangerous)} {detail}".TrimEnd();
    }

    /// <summary>What stands in a line from one of the words on; null where none is in it.</summary>
    static string? From(string line, params string[] words)
        => words.Select(word => line.IndexOf(word, StringComparison.Ordinal)).Where(at => at >= 0)
            .Select(at => line[at..]).FirstOrDefault();

    async Task<bool> IsPromoted(CancellationToken ct)
    {
        try
        {
            await using var session = await ServerSession.Open(Address, ct);
            return await session.Row("select not pg_is_in_recovery()", row => row.GetBoolean(0), ct);
        }
        // Not up yet: no socket, or "the database system is starting up".
        catch (BackupDrException e) when (e is UnavailableException or ServerException { SqlState: "57P03" }) { return false; }
    }

    /// <summary>Stops it; gives its last words where it did not stop cleanly, else null.</summary>
    public async Task<string?> Stop(CancellationToken ct)
    {
        var (_, lines) = await ToolProcess.Run(Program("pg_ctl"), ["-D", _data, "-m", "fast", "-w", "stop"], _restored.Owner, ct);
        return await _process.End(ct) == 0 ? null : string.Join(' ', lines.TakeLast(3));
    }

    /// <summary>Stops it without a checkpoint where it still runs: what it holds in shared memory is given back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasEnded)
        {
            using var late = new CancellationTokenSource(LongestStop, _clock);
            try
            {
                await ToolProcess.Run(Program("pg_ctl"), ["-D", _data, "-m", "immediate", "-w", "stop"], _restored.Owner, late.Token);
                await _process.End(late.Token);
            }
            catch (OperationCanceledException) when (late.IsCancellationRequested)
            {
                // it is killed below
            }
        }
        await _process.DisposeAsync();
        _sockets.Dispose();
    }
}
