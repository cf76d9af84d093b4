using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Everything that a repository holds of one cluster: base backups, log, histories.</summary>
public sealed class RecoverySet
{
    readonly Repository _repository;
    readonly BlobReader _reader;
    readonly TreeBrowser _browser;
    readonly Dictionary<string, (Snapshot Snapshot, ClusterManifest Manifest)> _bases = [];
    readonly Dictionary<WalSegment, (Snapshot Snapshot, string Folder)> _places = [];
    readonly Dictionary<uint, (Snapshot Snapshot, string Folder)> _historyPlaces = [];
    readonly List<LogSnapshot> _logs = [];
    IReadOnlyList<WalTail> _tails = [];

    RecoverySet(Repository repository, BlobReader reader, string systemIdentifier, int segmentBytes)
    {
        (_repository, _reader, _browser) = (repository, reader, new TreeBrowser(reader));
        (SystemIdentifier, Log) = (systemIdentifier, new WalInventory(segmentBytes));
    }

    /// <summary>Which cluster.</summary>
    public string SystemIdentifier { get; }
    /// <summary>What there is of the log.</summary>
    public WalInventory Log { get; }
    /// <summary>The base backups, oldest first.</summary>
    public IReadOnlyList<BaseBackup> Bases => [.. _bases.Select(entry => new BaseBackup(entry.Key, entry.Value.Manifest.Timeline,
        entry.Value.Manifest.Start, entry.Value.Manifest.Stop, entry.Value.Manifest.StoppedAt,
        entry.Value.Manifest.BrokenPages.Count == 0)).OrderBy(from => from.Stop.Value)];
    /// <summary>The snapshots of the log.</summary>
    public IReadOnlyList<LogSnapshot> Logs => _logs;
    /// <summary>Until when the log is known to be whole; null where no receiver said so.</summary>
    public WalSeen? Seen { get; private set; }

    internal (Snapshot Snapshot, ClusterManifest Manifest) this[string id] => _bases[id];
    internal TreeBrowser Browser => _browser;
    internal BlobReader Reader => _reader;

    /// <summary>Looks through a repository.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="systemIdentifier">Which cluster; null where there is only one.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="NotFoundException">There is no base backup of it.</exception>
    /// <exception cref="BadInputException">There are several clusters and none was named.</exception>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public static async Task<RecoverySet> Load(Repository repository, string? systemIdentifier, CancellationToken ct)
    {
        var snapshots = await repository.Snapshots(SnapshotFilter.All, ct);
        var found = snapshots.Where(snapshot => snapshot.Tags.Contains(ClusterManifest.BaseTag)).Select(SystemOf).Distinct().ToList();
        if (systemIdentifier is null && found.Count > 1)
            throw new BadInputException("--cluster", $"The repository holds {found.Count} clusters: {string.Join(", ", found)}.",
                "Name one of them with --cluster.");
        var system = systemIdentifier ?? found.FirstOrDefault();
        if (system is null || !found.Contains(system))
            throw new NotFoundException(system is null ? "A base backup in this repository" : $"A base backup of the cluster {system}",
                "Take one with 'backupdr pg backup'.");
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        var browser = new TreeBrowser(reader);
        var bases = new List<(Snapshot Snapshot, ClusterManifest Manifest)>();
        foreach (var snapshot in snapshots.Where(snapshot => snapshot.Tags.Contains(ClusterManifest.BaseTag)
            && SystemOf(snapshot) == system))
            bases.Add((snapshot, await ClusterManifest.Of(browser, reader, snapshot, ct)));
        var set = new RecoverySet(repository, reader, system, bases[0].Manifest.SegmentBytes);
        foreach (var (snapshot, manifest) in bases) set.Add(snapshot, manifest);
        foreach (var snapshot in snapshots.Where(snapshot => snapshot.Tags.Contains(ClusterManifest.WalTag)
            && SystemOf(snapshot) == system))
            set.Add(snapshot);
        await set.AddTails(ct);
        foreach (var timeline in set._historyPlaces.Keys)
            set.Log.Add(TimelineHistory.Parse(timeline, Encoding.UTF8.GetString((await set.History(timeline, ct))!)));
        return set;
    }

    /// <summary>The cluster that a snapshot of a base backup or of the log is of; "" for other snapshots.</summary>
    public static string SystemOf(Snapshot snapshot)
        => snapshot.Paths is [var path, ..] && path.Split('/') is ["", "postgresql", var system, ..] ? system : "";

    // Its last segment counts up to the stop position only: a standby's goes on in it.
    void Add(Snapshot snapshot, ClusterManifest manifest)
    {
        _bases[snapshot.Id.ToString()] = (snapshot, manifest);
        foreach (var name in manifest.Wal)
        {
            if (WalSegment.TryParseHistory(name, out var timeline)) _historyPlaces.TryAdd(timeline, (snapshot, "/data/pg_wal"));
            if (!WalSegment.TryParse(name, Log.SegmentBytes, out var segment)) continue;
            var end = segment.End(Log.SegmentBytes);
            Log.Add(segment, end < manifest.Stop ? end : manifest.Stop);
            _places.TryAdd(segment, (snapshot, "/data/pg_wal"));
        }
    }

    void Add(Snapshot snapshot)
    {
        _logs.Add(new LogSnapshot(snapshot.Id.ToString(), [.. WalTags.Ranges(snapshot, Log.SegmentBytes)],
            [.. WalTags.Histories(snapshot)]));
        foreach (var timeline in WalTags.Histories(snapshot)) _historyPlaces[timeline] = (snapshot, $"/wal/{timeline:X8}");
        foreach (var (first, last) in WalTags.Ranges(snapshot, Log.SegmentBytes))
            for (var at = first; at.Number <= last.Number; at = at.Next)
            {
                Log.Add(at);
                _places[at] = (snapshot, $"/wal/{at.Timeline:X8}");
            }
    }

    async Task AddTails(CancellationToken ct)
    {
        (_tails, Seen) = await new WalStore(_repository, SystemIdentifier, Log.SegmentBytes).List(ct);
        foreach (var segment in _tails.Select(tail => tail.Segment).Distinct())
            if (WalStore.Reach(segment, _tails, Log.SegmentBytes) is var end && end > segment.Start(Log.SegmentBytes)) Log.Add(segment,
                end);
    }

    /// <summary>A history file's bytes; null where there is none.</summary>
    internal async Task<byte[]?> History(uint timeline, CancellationToken ct)
        => _historyPlaces.TryGetValue(timeline, out var place) ? await File(place, WalSegment.HistoryName(timeline), ct) : null;

    /// <summary>A segment's bytes, as many as a segment has: from the snapshot that holds it or from its pieces, whichever is more.
    /// </summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    internal async Task<byte[]> Segment(WalSegment segment, CancellationToken ct)
    {
        var tail = WalStore.Reach(segment, _tails, Log.SegmentBytes);
        if (_places.TryGetValue(segment, out var place) && (place.Folder != "/data/pg_wal" || tail < Log.EndOf(segment)!.Value))
            return await File(place, segment.Name(Log.SegmentBytes), ct);
        return await new WalStore(_repository, SystemIdentifier, Log.SegmentBytes).Assemble(segment, _tails, ct);
    }

    async Task<byte[]> File((Snapshot Snapshot, string Folder) place, string name, CancellationToken ct)
    {
        var path = $"{place.Folder}/{name}";
        if (await _browser.Find(place.Snapshot, FilePath.FromText(path), ct) is not { Type: NodeType.File } node)
            throw RepositoryException.Damaged($"snapshot {place.Snapshot.ShortId}", $"it does not hold {path}.");
        return await Content(node, ct);
    }

    internal Task<byte[]> Content(Node node, CancellationToken ct) => StoredBytes.Of(_reader, node, ct);
}
