using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Tiers;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What is restored, and where to.</summary>
public sealed record ClusterRestoreOptions
{
    /// <summary>Absolute path of the data folder to be.</summary>
    public required string Folder { get; init; }
    /// <summary>The moment.</summary>
    public RecoveryTarget Target { get; init; } = RecoveryTarget.Latest;
    /// <summary>Which cluster; null where the repository holds only one.</summary>
    public string? SystemIdentifier { get; init; }
    /// <summary>The beginning of the id of the base backup to use; null for the best.</summary>
    public string? Base { get; init; }
    /// <summary>Folders of tablespaces by number or name; others go to <c>FOLDER.tablespaces/OID</c>.</summary>
    public IReadOnlyDictionary<string, string> Tablespaces { get; init; } = new Dictionary<string, string>();
    /// <summary>Whether an old data folder is made equal to the backup: what is right in it stays, what is not in the backup is removed.
    /// </summary>
    public bool Over { get; init; }
    /// <summary>Whether the cluster keeps its own settings; otherwise those of a copy beside the original are written.</summary>
    public bool KeepsSettings { get; init; }
    /// <summary>Port of a copy; names its socket.</summary>
    public int Port { get; init; } = 54320;
    /// <summary>Folder of a copy's socket.</summary>
    public string SocketFolder { get; init; } = "/tmp";
    /// <summary>Makes a standby of this primary (a connection string); null for a cluster of its own.</summary>
    public string? StandbyOf { get; init; }
    /// <summary>What the server does at the target: promote, pause or shutdown.</summary>
    public string Action { get; init; } = "promote";
    /// <summary>False for a test restore that is thrown away.</summary>
    public bool IsDurable { get; init; } = true;
    /// <summary>Bytes that must stay free beside what is restored.</summary>
    public long Reserve { get; init; }
    /// <summary>What is done about packs in an archive.</summary>
    public ThawRequest Thaw { get; init; } = new();
}

/// <summary>What was restored. The folder is ready to be started in; recovery happens then.</summary>
/// <param name="BaseId">Snapshot of the base backup.</param>
/// <param name="Manifest">What that backup says of itself.</param>
/// <param name="Target">What the server is told to recover to.</param>
/// <param name="Range">What could have been reached.</param>
/// <param name="Files">Counts of the files.</param>
/// <param name="Segments">Segments of the log laid beside them.</param>
/// <param name="Owner">Whose the folder is.</param>
/// <param name="Remarks">What a person should know.</param>
public sealed record ClusterRestoreSummary(string BaseId, ClusterManifest Manifest, RecoveryTarget Target, RecoverableRange Range,
    RestoreSummary Files, int Segments, (uint Uid, uint Gid) Owner, IReadOnlyList<string> Remarks)
{
    /// <summary>The segment of the log at which it ends though more is stored behind, and no base backup was taken since: what was
    /// committed later cannot be restored. Null for none.</summary>
    public string? LostSegment { get; init; }
}

/// <summary>Puts a cluster back: chooses base backup and log for a moment, and lays them into a folder that a server can start
/// in.</summary>
public sealed partial class ClusterRestore
{
    static readonly FilePath Data = FilePath.FromText("/data"), Control = FilePath.FromText("/data/global/pg_control");

    readonly Repository _repository;
    readonly ClusterRestoreOptions _options;
    readonly IProgress<RestoreProgress>? _progress;
    readonly RecoverySet _set;
    readonly List<string> _remarks = [];
    (uint Uid, uint Gid) _owner;

    ClusterRestore(Repository repository, ClusterRestoreOptions options, RecoverySet set, IProgress<RestoreProgress>? progress)
        => (_repository, _options, _set, _progress) = (repository, options, set, progress);

    /// <summary>Restores. Run again after a failure or a kill it goes on where <see cref="ClusterRestoreOptions.Over"/> is set.</summary>
    /// <exception cref="NotFoundException">There is no base backup.</exception>
    /// <exception cref="BadInputException">The folder is not fit, or the options contradict each other.</exception>
    /// <exception cref="SourceException">The moment cannot be reached, or the backup is not whole.</exception>
    /// <exception cref="RepositoryException">Damaged, Archived or Thawing.</exception>
    public static async Task<ClusterRestoreSummary> Run(Repository repository, ClusterRestoreOptions options,
        IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        Check(options);
        var set = await RecoverySet.Load(repository, options.SystemIdentifier, ct);
        return await new ClusterRestore(repository, options, set, progress).Run(ct);
    }

    static void Check(ClusterRestoreOptions options)
    {
        if (!options.Folder.StartsWith('/')) throw new BadInputException("--target", $"'{options.Folder}' is no absolute path.");
        if (options.Action is not ("promote" or "pause" or "shutdown"))
            throw new BadInputException("--action", $"--action: '{options.Action}' is not known.", "Write promote, pause or shutdown.");
        if (options.StandbyOf is not null && options.Target.Kind != TargetKind.Latest)
            throw new BadInputException("--standby-of", "A standby follows its primary and has no other target.", "Leave the target out.");
        var entries = Disk.List(options.Folder);
        if (entries.Count == 0) return;
        if (!options.Over)
            throw new BadInputException("--target", $"{options.Folder} is not empty.",
                "Choose an empty folder, or add --over to make it equal to the backup: what is not in the backup is removed then.");
        if (!entries.Any(entry => entry.Name is "PG_VERSION" or WalFolder.Name))
            throw new BadInputException("--target", $"{options.Folder} holds something, and it is no data folder of PostgreSQL.",
                "Choose another folder.");
        if (ClusterDiscovery.RunningIn(options.Folder) is { } pid)
            throw new ConflictException("postgres.running", $"A server runs in {options.Folder} (process {pid}).", "Stop it first.");
    }

    async Task<ClusterRestoreSummary> Run(CancellationToken ct)
    {
        var bases = _options.Base is { } wanted ? Named(wanted) : _set.Bases;
        var candidates = RecoveryPlanner.Candidates(bases, _set.Log, _options.Target);
        Disk.MakeFolder(_options.Folder);
        MustFit(candidates[0]);
        var (range, target) = await LayLog(candidates, ct);
        var (snapshot, manifest) = _set[range.Base.Id];
        var root = await _set.Browser.Find(snapshot, Data, ct) ?? throw RepositoryException.Damaged("base backup", "it has no data.");
        _owner = AccountNames.IsRoot ? (root.Uid, root.Gid) : Self();
        var label = await Small(snapshot, "/data/backup_label", ct) ?? throw new SourceException("postgres.no_label",
            $"The base backup {snapshot.ShortId} has no backup_label: a server would start in it and be silently corrupt.",
            "Use another base backup.");
        var control = await Small(snapshot, Control.ToString(), ct) ?? throw RepositoryException.Damaged("base backup", "no pg_control.");
        if (!ControlFile.IsWhole(control)) throw RepositoryException.Damaged("base backup", "its pg_control has no right checksum.");
        if (Disk.Exists(At(Control.Name.ToString(), "global"))) Disk.Remove(At(Control.Name.ToString(), "global"));   // not to be started
        if (_options.Over) await RemoveOthers(snapshot, ct);
        var files = await Restore(snapshot, Data, _options.Folder, new Without(Control), ct);
        var spaces = new List<(uint, string)>();
        foreach (var space in manifest.Tablespaces) spaces.Add((space.Oid, await RestoreTablespace(snapshot, space, ct)));
        Own(root);
        WriteRecovery(snapshot, manifest, label, spaces, target, range);
        await WriteConfig(snapshot, manifest, ct);
        Disk.Write(At(Control.Name.ToString(), "global"), control, _owner);   // last: without it no server starts here
        return new ClusterRestoreSummary(snapshot.Id.ToString(), manifest, target, range, files, range.Segments.Count, _owner, _remarks)
        { LostSegment = Lost(range, manifest.SegmentBytes) };
    }

    string? Lost(RecoverableRange range, int segmentBytes) => !range.HasGap || _set.Bases.Any(from => from.Start >= range.End) ? null
        : WalSegment.Of(range.Timeline, range.End, segmentBytes).Name(segmentBytes);

    // Of a delta restore most is there already, and tablespaces may go elsewhere.
    void MustFit(RecoverableRange range)
    {
        if (_options.Over || _set[range.Base.Id].Snapshot.Numbers().Bytes is not { } bytes || _options.Tablespaces.Count > 0) return;
        var free = new DriveInfo(_options.Folder).AvailableFreeSpace;
        var needed = bytes + (long)range.Segments.Count * _set.Log.SegmentBytes;
        if (free - _options.Reserve < needed)
            throw new SourceException("postgres.space", $"{_options.Folder} has {free >> 20} MiB free, and {needed >> 20} MiB are needed "
                + $"for the base backup {range.Base.Id[..8]} and {range.Segments.Count} segments of the log"
                + (_options.Reserve > 0 ? $"; {_options.Reserve >> 20} MiB must stay free." : "."),
                "Free space there, or choose another folder.");
    }

    string At(string name, string below = "") => Path.Combine(_options.Folder, below, name);

    static (uint, uint) Self()
    {
        var status = Descriptor.StatOf(FilePath.FromText("/proc/self"), follow: true);
        return (status.Uid, status.Gid);
    }

    List<BaseBackup> Named(string wanted)
    {
        var fitting = _set.Bases.Where(from => from.Id.StartsWith(wanted, StringComparison.Ordinal)).ToList();
        return fitting.Count == 1 ? fitting
            : throw new BadInputException("--base", $"'{wanted}' fits {fitting.Count} base backups.", "See them with 'backupdr pg list'.");
    }

    async Task<byte[]?> Small(Snapshot snapshot, string path, CancellationToken ct)
    {
        try { return await _set.Browser.Find(snapshot, FilePath.FromText(path), ct) is { } node ? await _set.Content(node, ct) : null; }
        catch (NotFoundException) { return null; }
    }

    async Task<RestoreSummary> Restore(Snapshot snapshot, FilePath from, string folder, IRestoreFilter? filter, CancellationToken ct)
    {
        using var target = FileTarget.Open(FilePath.FromText(folder), new FileTargetOptions
        {
            Overwrite = OverwritePolicy.Always,
            IsDurable = _options.IsDurable,
            Owners = AccountNames.IsRoot ? OwnerRules.AsStored : OwnerRules.None,
        });
        var request = new RestoreRequest { From = from, Filter = filter, Thaw = _options.Thaw };
        var summary = await RestoreRun.Execute(_repository, snapshot, request, target, _progress, ct);
        if (summary.Failed.Count == 0) return summary;
        throw new SourceException("postgres.restore_incomplete",
            $"{summary.Failed.Count} entries could not be restored, {summary.Failed[0].Path} for example: {summary.Failed[0].Message}",
            "The folder cannot be started in. Mend the cause and run the restore again with --over.");
    }

    async Task<string> RestoreTablespace(Snapshot snapshot, TablespaceEntry space, CancellationToken ct)
    {
        var number = space.Oid.ToString(System.Globalization.CultureInfo.InvariantCulture);
        var folder = _options.Tablespaces.GetValueOrDefault(number) ?? _options.Tablespaces.GetValueOrDefault(space.Name)
            ?? Path.Combine(_options.Folder + ".tablespaces", number);
        if (!folder.StartsWith('/')) throw new BadInputException("--tablespace", $"'{folder}' is no absolute path.");
        // Two clusters in one folder destroy each other: the second one's recovery drops the first one's tables.
        if (!_options.Over && Disk.List(folder).Count > 0)
            throw new BadInputException("--tablespace", $"{folder}, for tablespace {space.Name}, is not empty.",
                $"Give another one with --tablespace {number}=FOLDER.");
        Disk.MakeFolder(folder, _owner);
        await Restore(snapshot, FilePath.FromText($"/tablespaces/{number}"), folder, null, ct);
        OwnFolder(folder, Disk.FolderPermissions);
        return folder;
    }

    void Own(Node root) => OwnFolder(_options.Folder, (root.Permissions & 0x28) == 0x28 ? 0x1E8 : Disk.FolderPermissions);   // 0750, 0700

    void OwnFolder(string path, int permissions)
    {
        using var folder = Descriptor.OpenFolder(FilePath.FromText(path));
        var errno = AccountNames.IsRoot ? folder.TrySetOwner(_owner.Uid, _owner.Gid) : Errno.None;
        if (errno == Errno.None) errno = folder.TrySetPermissions(permissions);
        if (errno != Errno.None) throw new PosixException("chown", FilePath.FromText(path), errno);
    }

    /// <summary>Leaves one path of a snapshot out.</summary>
    sealed class Without(FilePath path) : IRestoreFilter
    {
        readonly IReadOnlyList<FilePath> _parts = path.Parts();

        public RestoreMatch Match(IReadOnlyList<FilePath> at, bool isFolder)
            => at.SequenceEqual(_parts) ? new RestoreMatch(false, false) : new RestoreMatch(true, true);

        public IReadOnlyList<Engine.Backup.Problem> Unmatched => [];
    }
}
