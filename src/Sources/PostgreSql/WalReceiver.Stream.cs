using System.Globalization;
using BackupDr.Contracts;
using Npgsql;
using Npgsql.Replication;
using NpgsqlTypes;

namespace BackupDr.Sources.PostgreSql;

/// <summary>The part that speaks with the server: the stream, timelines, and the slot.</summary>
public sealed partial class WalReceiver
{
    const int PageBytes = 8192, ShortHeader = 24, LongHeader = 40;
    static readonly TimeSpan LongestStatus = TimeSpan.FromSeconds(10);

    const string FileGone = "58P01";   // "requested WAL segment has already been removed"

    PhysicalReplicationConnection? _connection;
    bool _dropsSlot;
    Lsn _confirmed;

    async Task ReceiveAlways(CancellationToken ct)
    {
        var wait = FirstWait;
        while (true)
        {
            var before = _received;
            try { await ReceiveOnce(ct); }
            catch (UnavailableException e)
            {
                Tell(new WalEvent("wal.disconnected", $"{e.Message} It is tried again."));
            }
            if (_received > before) wait = FirstWait;
            await Task.Delay(wait, _clock, ct);
            wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
        }
    }

    /// <summary>One connection: from where we are to the end of the stream, which comes with a failure or with a change of
    /// timeline.</summary>
    async Task ReceiveOnce(CancellationToken ct)
    {
        await using var connection = new PhysicalReplicationConnection(_address.ConnectionString())
        {
            // Not by a call of our own: the driver fails where that meets the beginning or the end of a stream.
            WalReceiverStatusInterval = _options.FlushEvery < LongestStatus ? _options.FlushEvery : LongestStatus,
        };
        try
        {
            await connection.Open(ct);
            var identity = await connection.IdentifySystem(ct);
            if (identity.SystemId != _system)
                throw new ConflictException("postgres.other_cluster", $"The server is now the cluster {identity.SystemId}, not {_system}.",
                    "Give each cluster a receiver of its own.");
            var (timeline, from) = await Begin(identity.Timeline, ct);
            (_connection, _confirmed) = (connection, default);
            Tell(new WalEvent("wal.streaming", $"Receiving from {from} on timeline {timeline}."));
            await foreach (var message in connection.StartReplication(new PhysicalReplicationSlot(_options.Slot),
                new NpgsqlLogSequenceNumber(from.Value), ct, timeline))
            {
                // The message and its stream are used again for the next one: what is in it is taken now. Its WalEnd is where the server
                // is, not where the message ends.
                var bytes = new byte[message.Data.Length];
                await message.Data.ReadExactlyAsync(bytes, ct);
                await Take(new Lsn((ulong)message.WalStart), bytes, ct);
            }
        }
        catch (PostgresException e) when (e.SqlState == FileGone) { await SkipGap(e.MessageText, ct); }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse)
        {
            throw new ConflictException("postgres.slot_taken", $"The slot {_options.Slot} is in use: {e.MessageText}.",
                "Stop the other receiver, or name another slot with --slot.");
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new DeniedException($"{_address} may not receive the log: {e.MessageText}.", "ALTER ROLE … REPLICATION, and a line for "
                + "'replication' in pg_hba.conf.");
        }
        // A read that is cancelled comes out as a failure of the stream.
        catch (NpgsqlException) when (ct.IsCancellationRequested) { throw new OperationCanceledException(ct); }
        // Also the end of a timeline: the driver takes the server's CopyDone for a failure and closes the connection.
        catch (Exception e) when (e is NpgsqlException or IOException or ObjectDisposedException)
        {
            throw new UnavailableException("postgres.unreachable", $"The stream of the log ended: {e.Message}", null, e);
        }
        finally { _connection = null; }
    }

    /// <summary>Where to go on, and on which timeline: from the beginning of the first segment that is not whole.</summary>
    async Task<(uint Timeline, Lsn From)> Begin(uint current, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(_address, ct);
        var history = current == 1 ? TimelineHistory.First : await FetchHistory(session, current, ct);
        var (timeline, from) = _known.Count == 0 ? (current, await SlotStart(session, ct)) : Continue(history);
        await _gate.WaitAsync(ct);
        try
        {
            _journal.DropPartial();
            // What only the journal holds is stored from there: the server must not be told before that it may forget it.
            var first = OnlyInJournal(timeline, from);
            // Bytes that are received again and are stored already need not be stored again.
            var isThere = _timeline == timeline && _stored > first && _stored.Value <= from.Value + (ulong)_segmentBytes;
            if (!isThere) _stored = first;
            (_timeline, _received) = (timeline, from);
            _begin ??= from;
        }
        finally { _gate.Release(); }
        return (timeline, from);
    }

    /// <summary>Where the run of whole segments begins that ends where we go on and that lies in no snapshot.</summary>
    Lsn OnlyInJournal(uint timeline, Lsn from)
    {
        var ends = _journal.Whole().Where(segment => segment.Timeline == timeline && !_snapshotted.Contains(segment))
            .Select(segment => segment.End(_segmentBytes)).ToHashSet();
        while (ends.Contains(from)) from = new Lsn(from.Value - (ulong)_segmentBytes);
        return from;
    }

    (uint, Lsn) Continue(TimelineHistory history)
    {
        var newest = _known.Keys.Max();
        if (newest > history.Timeline)
            throw new ConflictException("postgres.other_cluster", $"The server is on timeline {history.Timeline}, and the stored log is "
                + $"on {newest}.", "This is an older copy of the cluster: receive its log into another repository.");
        var from = _known[newest];
        foreach (var (parent, left) in history.Branches)
            if (parent == newest && left < from) from = new Lsn(left.Value / (ulong)_segmentBytes * (ulong)_segmentBytes);
        // Of a segment in which timelines meet, the newest holds all of it.
        return (history.TimelineAt(new Lsn(from.Value + (ulong)_segmentBytes - 1)), from);
    }

    async Task<Lsn> SlotStart(ServerSession session, CancellationToken ct)
    {
        var text = await session.Text("select restart_lsn::text from pg_replication_slots where slot_name = $1", ct, _options.Slot);
        return Lsn.TryParse(text, out var lsn) ? new Lsn(lsn.Value / (ulong)_segmentBytes * (ulong)_segmentBytes)
            : throw new SourceException("postgres.slot_lost", $"The slot {_options.Slot} holds no log.",
                "Drop it; the next start makes it.");
    }

    /// <summary>The server no longer has what comes next. Receiving goes on where it has log, and everybody is told of the gap.</summary>
    async Task SkipGap(string words, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(_address, ct);
        await EnsureSlot(session, _options.Slot, ct);
        var from = await SlotStart(session, ct);
        Tell(new WalEvent("wal.gap",
            $"The log has a gap: {words}. It goes on from {from}. Take a new base backup; what lies before the gap "
            + "stays restorable.", IsAlarm: true));
        _known.Clear();
        (_begin, _settledAt) = (null, null);
    }

    /// <summary>Drops the slot by which a cluster's log was received; the server keeps no log for us any more.</summary>
    /// <param name="address">The server.</param>
    /// <param name="slot">Its name; one that is not there is no failure.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="UnavailableException">The server cannot be reached.</exception>
    public static async Task DropSlot(ServerAddress address, string slot, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(address, ct);
        await session.Execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1 and not active",
            ct, slot);
        if (await session.Row("select count(*) from pg_replication_slots where slot_name = $1", row => row.GetInt64(0), ct, slot) > 0)
            throw new ConflictException("postgres.slot_taken", $"The slot {slot} is in use still.", "Stop the other receiver.");
    }

    /// <summary>A timeline's history, kept for the next snapshot. The driver cannot ask for it in the replication protocol.</summary>
    async Task<TimelineHistory> FetchHistory(ServerSession session, uint timeline, CancellationToken ct)
    {
        var name = WalSegment.HistoryName(timeline);
        string? text = null;
        try { text = Disk.TryReadText(Path.Combine(await session.Text("show data_directory", ct), "pg_wal", name)); }
        catch (BackupDrException e) when (e is DeniedException or Storage.Posix.PosixException) { text = null; }   // not on this host
        text ??= await session.Text("select pg_read_file($1)", ct, $"pg_wal/{name}");
        var history = TimelineHistory.Parse(timeline, text);
        if (!_histories.Add(timeline)) return history;
        _journal.AddHistory(timeline, System.Text.Encoding.UTF8.GetBytes(text));
        return history;
    }

    readonly HashSet<uint> _histories = [];

    async Task Take(Lsn start, byte[] bytes, CancellationToken ct)
    {
        var isFull = false;
        await _gate.WaitAsync(ct);
        try
        {
            if (start > _received || start.Value + (ulong)bytes.Length < _received.Value)
                throw new SourceException("postgres.stream", $"The log came from {start} on, and {_received} was next.");
            var skipped = (int)(_received.Value - start.Value);
            for (var at = skipped; at < bytes.Length;)
            {
                var segment = WalSegment.Of(_timeline, _received, _segmentBytes);
                var offset = (long)(_received.Value - segment.Start(_segmentBytes).Value);
                var taken = (int)Math.Min(bytes.Length - at, _segmentBytes - offset);
                _journal.Write(segment, offset, bytes.AsSpan(at, taken));
                at += taken;
                _received = new Lsn(_received.Value + (ulong)taken);
                if (offset + taken < _segmentBytes) continue;
                _journal.Finish();
                Know(segment);
                isFull = true;
            }
        }
        finally { _gate.Release(); }
        if (!isFull) return;
        var waiting = _journal.Whole().Count;
        if (waiting >= _options.SegmentsOfSnapshot && _wake.CurrentCount == 0) _wake.Release();
        // The server keeps what we do not take: the journal's disk must not fill instead of the server's.
        for (; waiting >= _options.JournalSegments; waiting = _journal.Whole().Count) await Task.Delay(FirstWait, _clock, ct);
    }

    /// <summary>What the connection tells the server at its next status: how far the store has it. Before that the server keeps the log,
    /// whatever we received.</summary>
    void Confirm()
    {
        if (_connection is not { } connection || _stored <= _confirmed) return;
        try
        {
            connection.SetReplicationStatus(new NpgsqlLogSequenceNumber(_stored.Value));
            _confirmed = _stored;
        }
        catch (ObjectDisposedException) { return; }   // the stream ended meanwhile: the next one tells it
        finally { Tell(); }
    }

    // --- watching ---

    async Task WatchAlways(CancellationToken ct)
    {
        var (isOver, notedAt, noted) = (false, DateTimeOffset.MinValue, new Lsn(0));
        (Lsn End, DateTimeOffset At)? open = null;
        while (true)
        {
            await Task.Delay(_options.FlushEvery, _clock, ct);
            try
            {
                var (end, at) = await Look(ct);
                var isLimit = Interlocked.Read(ref _heldBytes) > _options.SlotLimitBytes;
                if (isLimit && !isOver) OverLimit();
                isOver = isLimit;
                open ??= (end, at);
                if (_stored < open.Value.End) continue;
                var settled = open.Value.At;
                open = null;
                if (_stored == noted && at - notedAt < _options.NoteEvery) continue;
                await _store.PutSeen(new WalSeen(_timeline, _stored, settled - CommitMargin), ct);
                (notedAt, noted, _settledAt) = (at, _stored, settled - CommitMargin);
                Tell();
            }
            catch (BackupDrException e) when (e is UnavailableException or Storage.StoreException or ServerException)
            {
                open = null;   // the stream and the store tell it themselves
            }
        }
    }

    /// <summary>Where the server's log ends, when that was so, and how much of it the slot holds back.</summary>
    async Task<(Lsn End, DateTimeOffset At)> Look(CancellationToken ct)
    {
        await using var session = await ServerSession.Open(_address, ct);
        var (at, text, held, state) = await session.Row("""
            select clock_timestamp(), e::text, coalesce(pg_wal_lsn_diff(e, s.restart_lsn), 0)::bigint, coalesce(s.wal_status, 'absent')
            from (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end e) w
            left join pg_replication_slots s on s.slot_name = $1
            """, row => (row.GetFieldValue<DateTimeOffset>(0), row.GetString(1), row.GetInt64(2), row.GetString(3)), ct, _options.Slot);
        Interlocked.Exchange(ref _heldBytes, held);
        if (state is "lost" or "absent")
            throw new SourceException("postgres.slot_lost", $"The slot {_options.Slot} is {state}: the log has a gap where it ended.",
                "Start the receiver again, then take a new base backup. Raise max_slot_wal_keep_size if the server dropped it.");
        var end = Lsn.Parse(text);
        // Right behind a page's header nothing was written yet.
        var header = end.Value % (ulong)_segmentBytes < PageBytes ? LongHeader : ShortHeader;
        return (end.Value % PageBytes == (ulong)header ? new Lsn(end.Value - (ulong)header) : end, at);
    }

    void OverLimit()
    {
        var words = string.Create(CultureInfo.InvariantCulture, $"The slot {_options.Slot} holds back {_heldBytes} bytes of log on the "
            + $"server; {_options.SlotLimitBytes} are allowed.");
        if (_options.OnSlotLimit == SlotLimitAction.Alarm)
        {
            Tell(new WalEvent("wal.slot_limit", words, IsAlarm: true));
            return;
        }
        _dropsSlot = _options.OnSlotLimit == SlotLimitAction.DropSlot;
        throw new SourceException("postgres.slot_limit", words + (_dropsSlot ? " It is dropped, as configured: the log has a gap now."
            : " Receiving ends, as configured; the slot stays."),
            _dropsSlot ? "Mend what kept the log from being stored, start the receiver again, then take a new base backup."
                : "Mend what keeps the log from being stored, and start the receiver again.");
    }

    async Task DropSlotIfAsked(Exception? first)
    {
        if (!_dropsSlot || first is not SourceException { Code: "postgres.slot_limit" }) return;
        using var limit = new CancellationTokenSource(Farewell, _clock);
        await using var session = await ServerSession.Open(_address, limit.Token);
        while (true)   // until the server noticed that we left
        {
            try
            {
                await session.Execute("select pg_drop_replication_slot($1)", limit.Token, _options.Slot);
                return;
            }
            catch (ServerException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse) { await Task.Delay(100, limit.Token); }
        }
    }
}
