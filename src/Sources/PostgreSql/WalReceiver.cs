using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Storage;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Receives a cluster's log as the server writes it, and stores it. Runs until it is cancelled; may be killed at any
/// moment.</summary>
/// <remarks>
/// Three tasks: one receives into the journal, one stores what came and tells the server how far the store has it, one watches the slot.
/// The server keeps log until it was told that it is stored, so nothing is lost whoever dies; what came twice is equal.
/// </remarks>
public sealed partial class WalReceiver : IDisposable
{
    static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromSeconds(30),
        Farewell = TimeSpan.FromSeconds(60);
    static readonly TimeSpan CommitMargin = TimeSpan.FromSeconds(2);

    readonly Repository _repository;
    readonly ServerAddress _address;
    readonly WalReceiverOptions _options;
    readonly IProgress<WalProgress>? _progress;
    readonly TimeProvider _clock;
    readonly WalJournal _journal;
    readonly WalStore _store;
    readonly string _system;
    readonly int _segmentBytes;
    readonly SemaphoreSlim _gate = new(1), _wake = new(0);

    // Under the gate: where receiving and storing are. One timeline at a time.
    uint _timeline;
    Lsn _received, _stored;
    long _heldBytes, _published;
    Lsn? _begin;
    DateTimeOffset? _settledAt;
    readonly HashSet<WalSegment> _snapshotted = [];
    readonly Dictionary<uint, Lsn> _known = [];   // up to where each timeline's segments are whole, in a snapshot or in the journal

    WalReceiver(Repository repository, ServerAddress address, WalReceiverOptions options, ClusterFacts facts, WalJournal journal,
        IProgress<WalProgress>? progress)
    {
        (_repository, _address, _options, _progress) = (repository, address, options, progress);
        (_clock, _journal) = (repository.Options.Clock, journal);
        (_system, _segmentBytes) = (facts.SystemIdentifier, facts.SegmentBytes);
        _store = new WalStore(repository, _system, _segmentBytes);
    }

    /// <summary>Receives until cancelled; then what came is stored and it returns.</summary>
    /// <param name="repository">Where to.</param>
    /// <param name="address">The server; the role needs REPLICATION.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told of each step and event.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="UnavailableException">The server cannot be reached at the start. Later on it is tried again and again.</exception>
    /// <exception cref="DeniedException">The role may not receive.</exception>
    /// <exception cref="ConflictException">Another receiver works with the journal or the slot.</exception>
    /// <exception cref="SourceException">The slot is over its limit, and the options say to stop or to drop it; or the log is not that of
    /// the journal's cluster.</exception>
    public static async Task Run(Repository repository, ServerAddress address, WalReceiverOptions options,
        IProgress<WalProgress>? progress, CancellationToken ct)
    {
        ClusterFacts facts;
        await using (var session = await ServerSession.Open(address, ct))
        {
            facts = await ClusterFacts.Read(session, ct);
            await EnsureSlot(session, options.Slot, ct);
        }
        using var journal = WalJournal.Open(options.Journal, facts.SystemIdentifier, facts.SegmentBytes);
        using var receiver = new WalReceiver(repository, address, options, facts, journal, progress);
        await receiver.LoadKnown(ct);
        await receiver.Run(ct);
    }

    static async Task EnsureSlot(ServerSession session, string name, CancellationToken ct)
    {
        var states = await session.Rows("select coalesce(wal_status, '') from pg_replication_slots where slot_name = $1",
            row => row.GetString(0), ct, name);
        if (states is ["lost"])
        {
            await session.Execute("select pg_drop_replication_slot($1)", ct, name);
            states = [];
        }
        if (states.Count == 0) await session.Execute("select pg_create_physical_replication_slot($1, true)", ct, name);
    }

    async Task LoadKnown(CancellationToken ct)
    {
        var path = $"{ClusterSource.PathOf(_system)}/wal";
        foreach (var snapshot in await _repository.Snapshots(new SnapshotFilter { Paths = [path], Tags = [ClusterManifest.WalTag] }, ct))
            foreach (var (first, last) in WalTags.Ranges(snapshot, _segmentBytes))
            {
                for (var at = first; at.Number <= last.Number; at = at.Next) _snapshotted.Add(at);
                Know(last);
            }
        _journal.Remove(_journal.Whole().Where(_snapshotted.Contains), []);   // published, and killed before it was forgotten
        _journal.DropPartial();
        foreach (var segment in _journal.Whole()) Know(segment);
        _begin = Unbroken();
    }

    /// <summary>Where the run of segments begins that ends with the last one which is known; null where none is.</summary>
    Lsn? Unbroken()
    {
        if (_known.Count == 0) return null;
        var have = _snapshotted.Concat(_journal.Whole()).Select(segment => segment.Number).ToHashSet();
        var first = _known[_known.Keys.Max()].Value / (ulong)_segmentBytes;
        while (first > 0 && have.Contains(first - 1)) first--;
        return new Lsn(first * (ulong)_segmentBytes);
    }

    void Know(WalSegment segment)
    {
        var end = segment.End(_segmentBytes);
        if (!_known.TryGetValue(segment.Timeline, out var known) || known < end) _known[segment.Timeline] = end;
    }

    async Task Run(CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        Exception? first = null;
        async Task Guarded(Func<CancellationToken, Task> body)
        {
            try { await body(stop.Token); }
            catch (OperationCanceledException) when (stop.IsCancellationRequested) { return; }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref first, e, null);
                await stop.CancelAsync();
            }
        }
        await Task.WhenAll(Guarded(ReceiveAlways), Guarded(StoreAlways), Guarded(WatchAlways));
        using (var farewell = new CancellationTokenSource(Farewell, _clock))
        {
            try { await StoreOnce(publishAll: true, farewell.Token); }
            catch (Exception e) when (e is BackupDrException or OperationCanceledException)
            {
                Tell(new WalEvent("wal.farewell", $"What came last could not be stored any more: {e.Message} The server keeps it."));
            }
        }
        await DropSlotIfAsked(first);
        if (first is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
    }

    void Tell(WalEvent? happened = null)
        => _progress?.Report(new WalProgress(_timeline, _received, _stored, Interlocked.Read(ref _heldBytes), _published, happened)
        {
            SystemIdentifier = _system,
            Begin = _begin,
            SettledAt = _settledAt,
            IsReceiving = _connection is not null,
        });

    // --- storing ---

    async Task StoreAlways(CancellationToken ct)
    {
        var publishedAt = _clock.GetTimestamp();
        while (true)
        {
            await _wake.WaitAsync(_options.FlushEvery, ct);
            try
            {
                var isDue = _clock.GetElapsedTime(publishedAt) >= _options.PublishEvery;
                if (await StoreOnce(isDue, ct)) publishedAt = _clock.GetTimestamp();
                else if (isDue) publishedAt = _clock.GetTimestamp();
            }
            // A store that is away, or a lock held by somebody: the server keeps what is not stored, and the next turn tries again.
            catch (BackupDrException e) when (e is StoreException or RepositoryException
            {
                Fault: RepositoryFault.Locked
                or RepositoryFault.LockLost
            })
            {
                Tell(new WalEvent("wal.store", $"What came is not stored yet: {e.Message}", IsAlarm: true));
            }
        }
    }

    /// <summary>Publishes whole segments where it is time, stores the rest as pieces, and tells the server. True where a snapshot was
    /// made.</summary>
    async Task<bool> StoreOnce(bool publishAll, CancellationToken ct)
    {
        var whole = _journal.Whole();
        var histories = _journal.Histories();
        var isPublished = (whole.Count > 0 && publishAll) || whole.Count >= _options.SegmentsOfSnapshot || histories.Count > 0;
        if (isPublished) await Publish(whole, histories, ct);
        await StorePieces(ct);
        // A change of timeline that came meanwhile: what the old one has in the journal alone is published with the history first.
        if (_journal.Histories().Count == 0) Confirm();
        return isPublished;
    }

    async Task Publish(List<WalSegment> whole, List<uint> histories, CancellationToken ct)
    {
        var run = await WalSource.Publish(_repository, _journal, whole, histories, _system, _segmentBytes, _options.HostName, ct);
        if (!run.IsComplete)
            throw new SourceException("postgres.stream", $"The journal cannot be read: {run.Missing[0].Path}: {run.Missing[0].Message}",
                "See the disk that the journal lies on.");
        await _gate.WaitAsync(ct);
        try
        {
            _snapshotted.UnionWith(whole);
            _journal.Remove(whole, histories);
            _published += whole.Count;
            if (whole.Where(segment => segment.Timeline == _timeline).Select(segment => segment.End(_segmentBytes))
                .Where(end => end > _stored).Cast<Lsn?>().Max(end => end) is { } covered) _stored = covered;
        }
        finally { _gate.Release(); }
        Tell(new WalEvent("wal.published", $"Snapshot {run.SnapshotId.ToString()[..8]}: {whole.Count} segments, {run.BytesStored} bytes."));
        await _store.Remove(_snapshotted.Contains, ct);
    }

    /// <summary>What came and is in no snapshot, a piece for each segment.</summary>
    async Task StorePieces(CancellationToken ct)
    {
        while (true)
        {
            await _gate.WaitAsync(ct);
            WalSegment segment;
            Lsn from, to;
            byte[] bytes;
            try
            {
                if (_stored >= _received) return;
                (from, segment) = (_stored, WalSegment.Of(_timeline, _stored, _segmentBytes));
                to = _received < segment.End(_segmentBytes) ? _received : segment.End(_segmentBytes);
                bytes = _journal.Read(segment, (long)(from.Value - segment.Start(_segmentBytes).Value), (int)(to.Value - from.Value));
            }
            finally { _gate.Release(); }
            await _store.PutTail(segment, from, to, bytes, ct);
            await _gate.WaitAsync(ct);
            try
            {
                if (_timeline == segment.Timeline && _stored == from) _stored = to;
            }
            finally { _gate.Release(); }
        }
    }

    /// <summary>Frees what is held.</summary>
    public void Dispose()
    {
        _gate.Dispose();
        _wake.Dispose();
    }
}
