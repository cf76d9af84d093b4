using System.Globalization;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Tiers;
using BackupDr.Sources.Files;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>What is restored, and where to.</summary>
public sealed record MariaDbRestoreOptions
{
    /// <summary>Port of a copy where nobody names one.</summary>
    public const int DefaultPort = 33060;

    /// <summary>Absolute path of the data folder to be.</summary>
    public required string Folder { get; init; }
    /// <summary>The moment.</summary>
    public BinlogTarget Target { get; init; } = BinlogTarget.Latest;
    /// <summary>Which server; null where the repository holds only one.</summary>
    public string? Server { get; init; }
    /// <summary>The beginning of the id of the base backup to use; null for the best.</summary>
    public string? Base { get; init; }
    /// <summary>Whether a data folder that stands there is REMOVED first.</summary>
    public bool Over { get; init; }
    /// <summary>Port of a copy in its settings file; null for a copy with a socket only.</summary>
    public int? Port { get; init; } = DefaultPort;
    /// <summary>Whether it gets settings of its own, with which it can be started beside the original. Default true.</summary>
    public bool IsCopy { get; init; } = true;
    /// <summary>Whether a server that nobody can reach is started in it once, also where no log is replayed.</summary>
    public bool IsTried { get; init; }
    /// <summary>Folder of the server's programs; null for the usual ones.</summary>
    public string? Programs { get; init; }
    /// <summary>False for a test restore that is thrown away.</summary>
    public bool IsDurable { get; init; } = true;
    /// <summary>Bytes that must stay free beside what is restored.</summary>
    public long Reserve { get; init; }
    /// <summary>Told when the files are back, before they are prepared and the log is replayed.</summary>
    public Action? OnFilesBack { get; init; }
    /// <summary>What is done about packs in an archive.</summary>
    public ThawRequest Thaw { get; init; } = new();
}

/// <summary>What was restored. The folder is one that a server starts in.</summary>
/// <param name="BaseId">Snapshot of the base backup.</param>
/// <param name="Manifest">What that backup says of itself.</param>
/// <param name="Stop">Where the log was stopped.</param>
/// <param name="Files">Counts of the files.</param>
/// <param name="LogFiles">Files of the log that were replayed.</param>
/// <param name="Owner">Whose the folder is.</param>
/// <param name="Remarks">What a person should know.</param>
public sealed record MariaDbRestoreSummary(string BaseId, MariaDbManifest Manifest, BinlogStop Stop, RestoreSummary Files, int LogFiles,
    (uint Uid, uint Gid) Owner, IReadOnlyList<string> Remarks)
{
    /// <summary>The moment that was asked for.</summary>
    public required BinlogTarget Target { get; init; }
    /// <summary>Whether any log behind the base backup is stored.</summary>
    public bool HasLog { get; init; }
    /// <summary>Whether more log is stored behind a gap.</summary>
    public bool EndsInGap { get; init; }
    /// <summary>Whether no base backup was taken behind that gap: what was committed later cannot be restored.</summary>
    public bool IsRestLost { get; init; }
}

/// <summary>What a restored folder says of itself: <c>backupdr-restored.json</c>.</summary>
sealed record RestoredMark(string Base, string Server, string Target, string BinlogFile, long BinlogPosition, string Gtid,
    DateTimeOffset? LastCommitAt, DateTimeOffset RestoredAt);

/// <summary>Puts a server back: chooses base backup and log for a moment, prepares the files, and replays the log in a server that
/// nobody can reach.</summary>
public sealed class MariaDbRestore
{
    /// <summary>Settings file in the restored folder.</summary>
    public const string SettingsName = "backupdr.cnf";
    /// <summary>Socket of a copy, in the restored folder.</summary>
    public const string SocketName = "copy.sock";
    const string MarkName = "backupdr-restored.json", LogName = "backupdr_binlog";
    static readonly FilePath Data = FilePath.FromText("/data");

    readonly Repository _repository;
    readonly MariaDbRestoreOptions _options;
    readonly MariaDbRecoverySet _set;
    readonly IProgress<RestoreProgress>? _progress;
    readonly List<string> _remarks = [];
    (uint Uid, uint Gid) _owner;

    MariaDbRestore(Repository repository, MariaDbRestoreOptions options, MariaDbRecoverySet set, IProgress<RestoreProgress>? progress)
        => (_repository, _options, _set, _progress) = (repository, options, set, progress);

    /// <summary>Restores.</summary>
    /// <exception cref="NotFoundException">There is no base backup.</exception>
    /// <exception cref="BadInputException">The folder is not fit.</exception>
    /// <exception cref="ConflictException">A server runs in it.</exception>
    /// <exception cref="SourceException">The moment cannot be reached, there is no room, programs are missing, or a step
    /// failed.</exception>
    /// <exception cref="RepositoryException">Damaged, Archived or Thawing.</exception>
    public static async Task<MariaDbRestoreSummary> Run(Repository repository, MariaDbRestoreOptions options,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        Check(options);
        MariaDbTools.Find(MariaDbTools.Backup, options.Programs);   // known before anything is fetched
        var set = await MariaDbRecoverySet.Load(repository, options.Server, ct);
        return await new MariaDbRestore(repository, options, set, progress).Run(ct);
    }

    static void Check(MariaDbRestoreOptions options)
    {
        if (!options.Folder.StartsWith('/')) throw new BadInputException("--target", $"'{options.Folder}' is no absolute path.");
        var entries = Disk.List(options.Folder);
        if (entries.Count == 0) return;
        if (!options.Over)
            throw new BadInputException("--target", $"{options.Folder} is not empty.",
                "Choose an empty folder, or add --over: what is in it is removed then.");
        if (!entries.Any(entry => entry.Name is "ibdata1" or "backup-my.cnf" or LogName or MarkName))
            throw new BadInputException("--target", $"{options.Folder} holds something, and it is no data folder of MariaDB.",
                "Choose another folder.");
        if (MariaDbDiscovery.RunningIn(options.Folder) is { } pid)
            throw new ConflictException("mariadb.running", $"A server runs in {options.Folder} (process {pid}).", "Stop it first.");
    }

    async Task<MariaDbRestoreSummary> Run(CancellationToken ct)
    {
        var bases = _options.Base is { } wanted ? Named(wanted) : _set.Bases;
        var candidates = BinlogPlanner.Candidates(bases, _set.Log, _options.Target);
        if (Disk.List(_options.Folder).Count > 0) Empty();
        Disk.MakeFolder(_options.Folder);
        var (range, stop) = await LayLog(candidates, ct);
        var (snapshot, manifest) = _set[range.Base.Id];
        MustFit(manifest, range);
        var root = await _set.Browser.Find(snapshot, Data, ct) ?? throw RepositoryException.Damaged("base backup", "it has no data.");
        _owner = AccountNames.IsRoot ? (root.Uid, root.Gid) : Self();
        var files = await Restore(snapshot, ct);
        Own();
        _options.OnFilesBack?.Invoke();
        await Prepare(ct);
        if (stop.Transactions > 0 || _options.IsTried) await Replay(manifest, range, stop, ct);
        if (Disk.Exists(LogPath)) Disk.RemoveTree(LogPath);
        if (_options.IsCopy)
            Disk.Write(At(SettingsName), Encoding.UTF8.GetBytes(Settings(manifest)), _owner, _options.IsDurable);
        var gtid = stop.Last?.ToString() ?? manifest.Gtid;
        Disk.Write(At(MarkName), JsonSerializer.SerializeToUtf8Bytes(new RestoredMark(range.Base.Id, _set.Server,
            _options.Target.ToString(), stop.File, stop.Position, gtid, stop.LastAt, _repository.Options.Clock.GetUtcNow()),
            MariaDbJson.Default.RestoredMark), _owner, _options.IsDurable);
        return new MariaDbRestoreSummary(snapshot.Id.ToString(), manifest, stop, files, stop.Transactions > 0 ? range.Files.Count : 0,
            _owner, _remarks)
        {
            Target = _options.Target,
            HasLog = range.Files.Count > 0,
            EndsInGap = range.EndsInGap && range.Files.Count > 0,
            IsRestLost = range is { EndsInGap: true, Files.Count: > 0 } && !_set.Bases.Any(from => Bridges(from, range)),
        };
    }

    // Its own log goes on behind the gap, or begins there.
    bool Bridges(BaseBackupOfServer from, BinlogRange range)
        => from.StoppedAt > range.Base.StoppedAt && BinlogPlanner.RangeOf(from, _set.Log).End != range.End;

    string At(string name) => Path.Combine(_options.Folder, name);

    string LogPath => At(LogName);

    void Empty()
    {
        foreach (var (name, kind) in Disk.List(_options.Folder))
            if (kind == FileKind.Folder) Disk.RemoveTree(At(name)); else Disk.Remove(At(name));
    }

    static (uint, uint) Self()
    {
        var status = Descriptor.StatOf(FilePath.FromText("/proc/self"), follow: true);
        return (status.Uid, status.Gid);
    }

    List<BaseBackupOfServer> Named(string wanted)
    {
        var fitting = _set.Bases.Where(from => from.Id.StartsWith(wanted, StringComparison.Ordinal)).ToList();
        return fitting.Count == 1 ? fitting
            : throw new BadInputException("--base", $"'{wanted}' fits {fitting.Count} base backups.",
                "See them with 'backupdr mariadb list'.");
    }

    /// <summary>Lays the log of the best candidate beside, and finds where it stops.</summary>
    async Task<(BinlogRange, BinlogStop)> LayLog(IReadOnlyList<BinlogRange> candidates, CancellationToken ct)
    {
        if (_options.Target.Kind == BinlogTargetKind.EndOfBackup)
            return (candidates[0], new BinlogStop(candidates[0].Base.File, candidates[0].Base.Position, null, null, 0));
        foreach (var range in candidates)
        {
            if (Disk.Exists(LogPath)) Disk.RemoveTree(LogPath);
            Disk.MakeFolder(LogPath);
            foreach (var extent in range.Files) await _set.Lay(extent, Path.Combine(LogPath, extent.File.Name), ct);
            if (BinlogReplay.Find(range, LogPath, _options.Target, _set.Seen, ct) is not { } stop) continue;
            if (_options.Target.Kind == BinlogTargetKind.Latest && range.Files.Count == 0)
                _remarks.Add("No binary log is stored from this backup on: it is restored as the backup has it.");
            if (_options.Target.Kind == BinlogTargetKind.Latest && range.EndsInGap && range.Files.Count > 0)
                _remarks.Add($"The log has a gap after {range.End}: what was committed later is in no stored log that follows.");
            return (range, stop);
        }
        throw new SourceException("mariadb.unreachable_target", $"{_options.Target} was not found in the log.",
            "See what can be restored with 'backupdr mariadb list'.");
    }

    void MustFit(MariaDbManifest manifest, BinlogRange range)
    {
        var (free, needed) = (new DriveInfo(_options.Folder).AvailableFreeSpace, manifest.Bytes + range.Files.Sum(file
            => file.LengthBytes));
        if (free - _options.Reserve < needed)
            throw new SourceException("mariadb.space", $"{_options.Folder} has {free >> 20} MiB free, and {needed >> 20} MiB are needed"
                + (_options.Reserve > 0 ? $"; {_options.Reserve >> 20} MiB must stay free." : "."),
                "Free space there, or choose another folder.");
    }

    async Task<RestoreSummary> Restore(Snapshot snapshot, CancellationToken ct)
    {
        using var target = FileTarget.Open(FilePath.FromText(_options.Folder), new FileTargetOptions
        {
            Overwrite = OverwritePolicy.Always,
            IsDurable = _options.IsDurable,
            Owners = AccountNames.IsRoot ? OwnerRules.AsStored : OwnerRules.None,
        });
        var summary = await RestoreRun.Execute(_repository, snapshot, new RestoreRequest { From = Data, Thaw = _options.Thaw }, target,
            _progress, ct);
        if (summary.Failed.Count == 0) return summary;
        throw new SourceException("mariadb.restore_incomplete",
            $"{summary.Failed.Count} entries could not be restored, {summary.Failed[0].Path} for example: {summary.Failed[0].Message}",
            "No server can be started in the folder. Mend the cause and run the restore again with --over.");
    }

    void Own()
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(_options.Folder));
        var errno = AccountNames.IsRoot ? folder.TrySetOwner(_owner.Uid, _owner.Gid) : Errno.None;
        if (errno == Errno.None) errno = folder.TrySetPermissions(Disk.FolderPermissions);
        if (errno != Errno.None) throw new PosixException("chown", FilePath.FromText(_options.Folder), errno);
    }

    async Task Prepare(CancellationToken ct)
    {
        // It must not go on writing where we are killed: the next start removes the folder.
        await using var preparing = ToolProcess.Start(MariaDbTools.Find(MariaDbTools.Backup, _options.Programs),
            ["--prepare", $"--target-dir={_options.Folder}"], _owner, isGuarded: true);
        var (exitCode, lines) = (await preparing.End(ct), preparing.Lines);
        if (exitCode == 0 && lines.Count > 0 && lines[^1].EndsWith("completed OK!", StringComparison.Ordinal)) return;
        throw new SourceException("mariadb.prepare", $"mariadb-backup --prepare ended with {exitCode}: "
            + (lines.LastOrDefault(line => line.Contains("rror", StringComparison.Ordinal)) ?? ToolProcess.LastOf(lines)),
            "See that it is of the version of the backup; name its folder with --programs.");
    }

    async Task Replay(MariaDbManifest manifest, BinlogRange range, BinlogStop stop, CancellationToken ct)
    {
        await using var server = await PrivateMariaDb.Start(_options.Folder, manifest, _owner, _options.Programs, _repository.Options.Clock,
            ct);
        if (stop.Transactions > 0) await BinlogReplay.Run(server, range, LogPath, stop, _options.Programs, ct);
        await server.Stop(ct);
    }

    /// <summary>Settings of a copy beside the original: reachable on this host only, without events and replication.</summary>
    string Settings(MariaDbManifest manifest)
    {
        var text = new StringBuilder("# Written by BackupDr for a restored copy. To go on with it as the server: stop the server, put this "
            + "folder in\n# the place of its data folder, and start it with its own settings.\n[mysqld]\n");
        void Line(string name, string value) => text.Append(CultureInfo.InvariantCulture, $"{name} = {value}\n");

        foreach (var (name, value) in manifest.Settings.OrderBy(entry => entry.Key, StringComparer.Ordinal)) Line(name, value);
        Line("datadir", _options.Folder);
        Line("socket", At(SocketName));
        Line("pid_file", At("copy.pid"));
        if (_options.Port is { } port)
        {
            Line("port", port.ToString(CultureInfo.InvariantCulture));
            Line("bind_address", "127.0.0.1");
        }
        else text.Append("skip_networking\n");
        Line("event_scheduler", "OFF");
        text.Append("skip_slave_start\nskip_log_bin\n");
        return text.ToString();
    }
}
