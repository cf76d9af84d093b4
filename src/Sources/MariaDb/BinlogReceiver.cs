using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.MariaDb;

/// <summary>Receives a server's binary log as it is written, and stores it. Runs until it is cancelled; may be killed at any moment.
/// </summary>
/// <remarks>
/// mariadb-binlog is the replica: it knows every way of signing in, and writes each event to the journal as it comes. What is in the
/// journal
/// and is not stored is received again by the next start, so nothing is lost while the server has it; what came twice is equal.
/// </remarks>
public sealed partial class BinlogReceiver : IDisposable
{
    const int LargestPiece = 16 << 20;
    static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(1), LongestWait = TimeSpan.FromSeconds(30),
        Farewell = TimeSpan.FromSeconds(60), LongestTick = TimeSpan.FromSeconds(1);

    readonly Repository _repository;
    readonly MariaDbAddress _address;
    readonly BinlogReceiverOptions _options;
    readonly IProgress<BinlogProgress>? _progress;
    readonly TimeProvider _clock;
    readonly OptionFile _file;
    readonly MariaDbClient _client;
    readonly BinlogJournal _journal;
    readonly BinlogStore _store;
    readonly string _server;

    readonly Dictionary<BinlogFile, BinlogExtent> _known = [];   // in snapshots and pieces
    readonly Dictionary<BinlogFile, long> _snapshotted = [];
    readonly List<Coming> _coming = [];
    string _baseFile = "";
    bool _startsOldest, _isReceiving;
    DateTimeOffset? _settledAt;
    long _snapshots, _publishedAt, _lookedAt, _notedAt, _idle;

    BinlogReceiver(Repository repository, MariaDbAddress address, BinlogReceiverOptions options, OptionFile file, MariaDbClient client,
        string server, BinlogJournal journal, IProgress<BinlogProgress>? progress)
    {
        (_repository, _address, _options, _progress) = (repository, address, options, progress);
        (_clock, _file, _client, _journal, _server) = (repository.Options.Clock, file, client, journal, server);
        _store = new BinlogStore(repository, server);
    }

    /// <summary>A file that comes into the journal.</summary>
    sealed record Coming(string Name, BinlogReader Reader) : IDisposable
    {
        public BinlogFile? File { get; set; }
        public long Stored { get; set; }
        public long Published { get; set; }
        public bool IsWhole { get; set; }
        public bool FollowsGap { get; set; }
        public bool IsCompared { get; set; }
        public bool IsMeasured { get; set; }
        public Dictionary<(uint Domain, uint Server), ulong> Last { get; } = [];
        public long Received => Reader.Position;
        public BinlogExtent Extent => new(File!.Value, Received, IsWhole, FollowsGap);
        public void Dispose() => Reader.Dispose();
    }

    /// <summary>Receives until cancelled; then what came is stored and it returns.</summary>
    /// <param name="repository">Where to.</param>
    /// <param name="address">The server; the user needs REPLICATION SLAVE and BINLOG MONITOR.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told of each step and event.</param>
    /// <param name="ct">Ends it.</param>
    /// <exception cref="UnavailableException">The server cannot be reached at the start. Later on it is tried again and again.</exception>
    /// <exception cref="DeniedException">The user may not receive.</exception>
    /// <exception cref="ConflictException">Another receiver works with the journal, or it is another server's.</exception>
    /// <exception cref="SourceException">The server keeps no binary log.</exception>
    public static async Task Run(Repository repository, MariaDbAddress address, BinlogReceiverOptions options,
        IProgress<BinlogProgress>? progress, CancellationToken ct)
    {
        using var file = new OptionFile(address);
        var client = new MariaDbClient(address, file);
        var facts = await MariaDbFacts.Read(client, ct);
        if (!facts.HasBinlog)
            throw new SourceException("mariadb.no_binlog", $"{address} keeps no binary log.",
                "log_bin = bin   -- under [mysqld], then restart the server");
        await client.Rows("show binary logs", ct);   // says at once that the right is missing
        using var journal = BinlogJournal.Open(options.Journal, facts.Name);
        using var receiver = new BinlogReceiver(repository, address, options, file, client, facts.Name, journal, progress);
        await receiver.LoadKnown(ct);
        await receiver.ReceiveAlways(ct);
    }

    async Task LoadKnown(CancellationToken ct)
    {
        var path = MariaDbSource.PathOf(_server);
        foreach (var snapshot in await _repository.Snapshots(new SnapshotFilter
        {
            Paths = [$"{path}/binlog"],
            Tags = [MariaDbManifest.BinlogTag]
        }, ct))
            foreach (var extent in BinlogTags.Read(snapshot))
            {
                Know(extent);
                _snapshotted[extent.File] = Math.Max(_snapshotted.GetValueOrDefault(extent.File), extent.LengthBytes);
            }
        var (tails, _) = await _store.List(ct);
        foreach (var file in tails.Select(tail => tail.File).Distinct())
            Know(new BinlogExtent(file, BinlogStore.Reach(file, _known.TryGetValue(file, out var known) ? known.LengthBytes : 0, tails),
                false, false));
        if (await _repository.Snapshots(new SnapshotFilter { Paths = [path.ToString()], Tags = [MariaDbManifest.BaseTag] }, ct)
            is [.., var newest])
        {
            var reader = new Engine.Blobs.BlobReader(_repository, await _repository.LoadIndex(ct));
            _baseFile = (await MariaDbManifest.Of(new Engine.Browse.TreeBrowser(reader), reader, newest, ct)).BinlogFile;
        }
    }

    void Know(BinlogExtent extent)
    {
        var before = _known.GetValueOrDefault(extent.File);
        _known[extent.File] = new BinlogExtent(extent.File, Math.Max(extent.LengthBytes, before?.LengthBytes ?? 0),
            extent.IsWhole || before?.IsWhole == true, extent.FollowsGap || before?.FollowsGap == true);
    }

    async Task ReceiveAlways(CancellationToken ct)
    {
        _publishedAt = _clock.GetTimestamp();
        var wait = FirstWait;
        try
        {
            while (true)
            {
                var before = _coming.LastOrDefault()?.Received;
                try { await ReceiveOnce(ct); }
                catch (UnavailableException e)
                {
                    _isReceiving = false;
                    Tell(new BinlogEvent("binlog.disconnected", $"{e.Message} It is tried again."));
                }
                catch (SourceException e) when (e.Code == BinlogReader.Unsound)
                {
                    Tell(new BinlogEvent("binlog.unsound", $"{e.Message} It is received again.", IsAlarm: true));
                }
                _isReceiving = false;
                if (_coming.LastOrDefault()?.Received > before) wait = FirstWait;
                await Task.Delay(wait, _clock, ct);
                wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            using var farewell = new CancellationTokenSource(Farewell, _clock);
            Scan();
            await StoreTolerant(publishAll: true, farewell.Token);
        }
    }

    void Tell(BinlogEvent? happened = null)
    {
        var at = _coming.LastOrDefault();
        _progress?.Report(new BinlogProgress(at?.Name ?? "", at?.Received ?? 0, at?.Stored ?? 0, _snapshots, happened)
        {
            Server = _server,
            Unbroken = Unbroken(),
            SettledAt = _settledAt,
            IsReceiving = _isReceiving,
        });
    }

    // Of a file that was not compared yet nobody knows whether it goes on from the one before.
    BinlogUnbroken? Unbroken() => _coming.LastOrDefault(one => one is { File: not null, IsCompared: true, Stored: > 0 }) is { } last
        && BinlogPlanner.BeginOf(last.File!.Value, _known.Values) is { } begin
        ? new BinlogUnbroken(begin, last.File.Value, last.Stored, last.Received) : null;

    /// <summary>One connection: from the beginning of the last file that is not whole, until it ends or has to be begun anew.</summary>
    async Task ReceiveOnce(CancellationToken ct)
    {
        var from = await Begin(ct);
        foreach (var one in _coming) one.Dispose();
        _coming.Clear();
        _journal.Clear();
        var id = _options.ServerId ?? 0x8000_0000 | (uint)RandomNumberGenerator.GetInt32(int.MaxValue);
        await using var tool = ToolProcess.Start(MariaDbTools.Find(MariaDbTools.Binlog, _address.Programs),
            [_file.Argument, "--read-from-remote-server", "--raw", "--stop-never",
                $"--stop-never-slave-server-id={id.ToString(CultureInfo.InvariantCulture)}", $"--result-file={_journal.Folder}/", from],
            isGuarded: true);
        _isReceiving = true;
        Tell(new BinlogEvent("binlog.streaming", $"Receiving from {from}."));
        (_lookedAt, _idle, _reached) = (_clock.GetTimestamp(), 0, null);
        var flushedAt = _clock.GetTimestamp();
        var tick = _options.FlushEvery < LongestTick ? _options.FlushEvery : LongestTick;
        while (true)
        {
            await Task.Delay(tick, _clock, ct);
            var hasEnded = tool.HasEnded;
            if (!Scan()) return;
            if (_clock.GetElapsedTime(flushedAt) >= _options.FlushEvery)
            {
                await StoreTolerant(publishAll: false, ct);
                flushedAt = _clock.GetTimestamp();
            }
            if (hasEnded) throw MariaDbClient.Explain(_address.ToString(), tool.Lines) switch
            {
                DeniedException denied => denied,
                var other => new UnavailableException("mariadb.unreachable", $"The stream of the log ended: {other.Message}", null, other),
            };
            if (_clock.GetElapsedTime(_lookedAt) >= _options.LookEvery && !await Look(ct)) return;
        }
    }

    /// <summary>Reads what came. False where the log is not the one that is known, so that it has to be begun anew.</summary>
    bool Scan()
    {
        foreach (var name in _journal.Names())
            if (_coming.All(one => one.Name != name) && !_removed.Contains(name))
                _coming.Add(new Coming(name, BinlogReader.Open(_journal.PathOf(name))));
        for (var at = 0; at < _coming.Count; at++)
        {
            var one = _coming[at];
            one.Reader.Refresh();
            if (one.Reader.LengthBytes < one.Received) return false;   // begun anew under its name
            while (one.Reader.Next() is { } group) one.Last[(group.Gtid.Domain, group.Gtid.Server)] = group.Gtid.Sequence;
            if (one.File is null && one.Reader.Head is { } head && !Recognise(one, head)) return false;
            if (!one.IsCompared && one.Reader.Head?.Before is { } before)
            {
                one.IsCompared = true;
                Compare(at > 0 ? _coming[at - 1] : null, one, before);
            }
        }
        return true;
    }

    readonly HashSet<string> _removed = [];

    /// <summary>Which file it is; false where a file of that name is known and is another one, so that others came before it.</summary>
    bool Recognise(Coming one, BinlogHead head)
    {
        one.File = new BinlogFile(one.Name, head.CreatedAt);
        if (_known.TryGetValue(one.File.Value, out var known))
        {
            (one.Stored, one.FollowsGap) = (known.LengthBytes, known.FollowsGap);
            one.Published = _snapshotted.GetValueOrDefault(one.File.Value);
            return true;
        }
        if (_coming[0] != one || _expected is not { } expected || expected == one.File) return true;
        Tell(new BinlogEvent("binlog.reset",
            $"The server began its log anew (RESET MASTER): {one.Name} is another file than the stored one. "
            + "Take a new base backup; what lies before stays restorable.", IsAlarm: true));
        _startsOldest = true;
        return false;
    }

    /// <summary>A file begins with the last transactions of those before it.</summary>
    void Compare(Coming? previous, Coming one, IReadOnlySet<Gtid> before)
    {
        if (previous is not null && before.SetEquals(previous.Last.Select(entry
            => new Gtid(entry.Key.Domain, entry.Key.Server, entry.Value))))
            previous.IsWhole = true;
        else if (previous is not null)
        {
            one.FollowsGap = true;
            Tell(new BinlogEvent("binlog.gap", $"{one.Name} does not go on where {previous.Name} ended. Take a new base backup; what lies "
                + "before stays restorable.", IsAlarm: true));
        }
        if (previous is null && _gapBefore == one.Name) one.FollowsGap = true;
        foreach (var gtid in before) one.Last.TryAdd((gtid.Domain, gtid.Server), gtid.Sequence);
    }

    /// <summary>Frees what is held.</summary>
    public void Dispose()
    {
        foreach (var one in _coming) one.Dispose();
    }
}
