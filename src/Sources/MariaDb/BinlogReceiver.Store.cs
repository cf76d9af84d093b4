using BackupDr.Engine;
using BackupDr.Storage;

namespace BackupDr.Sources.MariaDb;

/// <summary>The part that decides where to begin, looks whether all is well, and stores.</summary>
public sealed partial class BinlogReceiver
{
    string? _gapBefore;
    BinlogFile? _expected;   // that the first file is this one, where it is begun again

    /// <summary>Where to go on: the last file that is not whole, or the one after it; where the server does not have it, at what it has.
    /// </summary>
    async Task<string> Begin(CancellationToken ct)
    {
        _removed.Clear();
        (_gapBefore, _expected) = (null, null);
        var names = (await Files(ct)).Select(entry => entry.Name).ToList();
        if (_startsOldest)
        {
            _startsOldest = false;
            return _gapBefore = names[0];
        }
        if (_known.Count == 0) return names.Contains(_baseFile) ? _baseFile : _baseFile.Length == 0 ? names[^1] : SkipTo(names, _baseFile);
        var inOrder = _known.Values.OrderBy(extent => extent.File.CreatedAt).ThenBy(extent => extent.File.Number).ToList();
        var at = inOrder.Count - 1;
        while (at > 0 && inOrder[at - 1] is { IsWhole: false } before && before.File.Number == inOrder[at].File.Number - 1
            && names.Contains(before.File.Name)) at--;
        var last = inOrder[at];
        var wanted = last.IsWhole ? names.Find(name => BinlogFile.NumberOf(name) == last.File.Number + 1) ?? last.File.Name
            : last.File.Name;
        if (!names.Contains(wanted)) return SkipTo(names, wanted);
        if (wanted == last.File.Name) _expected = last.File;
        return wanted;
    }

    string SkipTo(List<string> names, string wanted)
    {
        var isReset = BinlogFile.NumberOf(names[^1]) < BinlogFile.NumberOf(wanted);
        Tell(isReset
            ? new BinlogEvent("binlog.reset",
                $"The server began its log anew (RESET MASTER): it has no {wanted}, and goes up to {names[^1]}. "
                + "Take a new base backup; what lies before stays restorable.", IsAlarm: true)
            : new BinlogEvent("binlog.gap", $"The server no longer has {wanted}; its log begins with {names[0]}. Take a new base backup; "
                + "what lies before the gap stays restorable.", IsAlarm: true));
        return _gapBefore = names[0];
    }

    async Task<List<(string Name, long Size)>> Files(CancellationToken ct)
    {
        var files = (await _client.Rows("show binary logs", ct)).Select(row => (Name: row[0]!, Size: long.Parse(row[1]!,
            System.Globalization.CultureInfo.InvariantCulture))).ToList();
        if (files.Count == 0) throw new SourceException("mariadb.no_binlog", $"{_address} has no file of a binary log.");
        if (files.Find(file => !BinlogFile.IsName(file.Name)).Name is { } odd)
            throw new SourceException("mariadb.binlog_name", $"'{odd}' is no name of a binary log that can be stored.",
                "log_bin = bin   -- letters, digits, '-' and '_', under [mysqld]; then restart the server");
        return files;
    }

    /// <summary>Compares with what the server has. False where receiving has to be begun anew.</summary>
    async Task<bool> Look(CancellationToken ct)
    {
        _lookedAt = _clock.GetTimestamp();
        var results = await _client.Results(["select utc_timestamp(6)", "show binary logs"], ct);
        var now = MariaDbFacts.Time(results[0][0][0]);
        var sizes = results[1].ToDictionary(row => row[0]!, row => long.Parse(row[1]!, System.Globalization.CultureInfo.InvariantCulture));
        for (var at = 0; at < _coming.Count - 1; at++)
        {
            var one = _coming[at];
            if (one.IsMeasured || one.File is null) continue;
            // One that the server has removed already cannot be measured any more.
            one.IsMeasured = sizes.TryGetValue(one.Name, out var size) ? size == one.Received : one.IsWhole;
            one.IsWhole |= one.IsMeasured;
            if (one.IsMeasured || size == 0) continue;
            Tell(new BinlogEvent("binlog.size", $"{one.Name} came with {one.Received} bytes, and the server's has {size}: it is received "
                + "again.", IsAlarm: true));
            return false;
        }
        if (_coming.LastOrDefault() is not { File: not null } current) return ++_idle < 3;
        if (!sizes.TryGetValue(current.Name, out var there) || there < current.Received)
        {
            Tell(new BinlogEvent("binlog.changed", $"The server's {current.Name} is not the one that was received: it is begun anew."));
            return false;
        }
        var isBehind = sizes.Keys.Max(BinlogFile.NumberOf) > BinlogFile.NumberOf(current.Name) || there > current.Received;
        _idle = isBehind && current.Received == _lookedReceived ? _idle + 1 : 0;
        _lookedReceived = current.Received;
        _reached ??= (BinlogFile.NumberOf(results[1][^1][0]!), sizes[results[1][^1][0]!], now);
        await Note(ct);
        if (_idle < 3) return true;
        Tell(new BinlogEvent("binlog.silent", $"The server is ahead of {current.Name} {current.Received}, and nothing comes: it is begun "
            + "anew."));
        return false;
    }

    long _lookedReceived;

    // How far the server's log reached at a time of its clock: number of the file, bytes of it.
    (long Number, long Bytes, DateTimeOffset At)? _reached;

    /// <summary>Notes that whatever was committed before a time is stored, once it is: under load there is always more of the log than what
    /// came.</summary>
    async Task Note(CancellationToken ct)
    {
        if (_reached is not { } reached || _coming.LastOrDefault() is not { File: { } file } current) return;
        var number = BinlogFile.NumberOf(current.Name);
        if (number < reached.Number || (number == reached.Number && current.Stored < reached.Bytes)) return;
        _reached = null;
        if (_notedAt != 0 && _clock.GetElapsedTime(_notedAt) < _options.NoteEvery) return;
        _notedAt = _clock.GetTimestamp();
        try
        {
            await _store.PutSeen(new BinlogSeen(file, current.Stored, reached.At), ct);
            _settledAt = reached.At;
        }
        catch (StoreException) { _notedAt = 0; }   // said by what stores the log
    }

    async Task StoreTolerant(bool publishAll, CancellationToken ct)
    {
        try { await StoreOnce(publishAll, ct); }
        // A store that is away, or a lock held by somebody: the server keeps what is not stored, and the next turn tries again.
        catch (BackupDr.Contracts.BackupDrException e) when (e is StoreException or RepositoryException
        {
            Fault: RepositoryFault.Locked or RepositoryFault.LockLost
        })
        {
            Tell(new BinlogEvent("binlog.store", $"What came is not stored yet: {e.Message}", IsAlarm: true));
        }
    }

    /// <summary>Publishes what came where it is time or much, and stores it as pieces otherwise.</summary>
    async Task StoreOnce(bool publishAll, CancellationToken ct)
    {
        var files = _coming.Where(one => one.File is not null).ToList();
        var pending = files.Sum(one => Math.Max(0, one.Received - one.Stored));
        var unpublished = files.Where(one => one.Received > one.Published || (one.IsWhole && !IsKnownWhole(one))).ToList();
        if (unpublished.Count > 0 && (publishAll || pending > LargestPiece || unpublished.Any(one => one.IsWhole)
            || _clock.GetElapsedTime(_publishedAt) >= _options.PublishEvery))
            await Publish(unpublished, ct);
        foreach (var one in files)
            while (one.Stored < one.Received)
            {
                var count = (int)Math.Min(LargestPiece, one.Received - one.Stored);
                await _store.PutTail(one.File!.Value, one.Stored, one.Reader.Bytes(one.Stored, count), ct);
                one.Stored += count;
                Know(one.Extent with { LengthBytes = one.Stored, IsWhole = false });
            }
        await Note(ct);
        Tell();
        foreach (var done in _coming.SkipLast(1).Where(one => one is { IsWhole: true, IsMeasured: true }
            && one.Published == one.Received).ToList())
        {
            done.Dispose();
            _coming.Remove(done);
            _removed.Add(done.Name);
            _journal.Remove(done.Name);
        }
    }

    bool IsKnownWhole(Coming one) => _known.TryGetValue(one.File!.Value, out var known) && known.IsWhole;

    async Task Publish(List<Coming> files, CancellationToken ct)
    {
        var extents = files.Select(one => one.Extent).ToList();
        var run = await _journal.Publish(_repository, _server, _options.HostName, extents, ct);
        _publishedAt = _clock.GetTimestamp();
        _snapshots++;
        foreach (var (one, extent) in files.Zip(extents))
        {
            one.Stored = one.Published = _snapshotted[extent.File] = extent.LengthBytes;
            Know(extent);
        }
        Tell(new BinlogEvent("binlog.published",
            $"Snapshot {run.SnapshotId.ToString()[..8]}: {files.Count} files, {run.BytesStored} bytes."));
        await _store.Remove(tail => _snapshotted.TryGetValue(tail.File, out var length) && tail.To <= length, ct);
    }
}
