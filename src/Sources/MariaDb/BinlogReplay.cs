using BackupDr.Sources.Tools;

namespace BackupDr.Sources.MariaDb;

/// <summary>Where a replay stopped, or would.</summary>
/// <param name="File">Name of the file of the log.</param>
/// <param name="Position">Position in it.</param>
/// <param name="Last">The last transaction that is in; null where none was replayed.</param>
/// <param name="LastAt">When that was committed.</param>
/// <param name="Transactions">How many were replayed.</param>
public sealed record BinlogStop(string File, long Position, Gtid? Last, DateTimeOffset? LastAt, long Transactions);

/// <summary>Finds where the log has to stop for a moment, and replays it up to there.</summary>
/// <remarks>The log is read by us: the tool's own stop at a time breaks transactions and knows whole seconds of the local clock; we stop
/// between two transactions, and give the tool a position.</remarks>
static class BinlogReplay
{
    /// <summary>Finds the stop.</summary>
    /// <param name="range">Base backup and files.</param>
    /// <param name="folder">Folder in which the files lie.</param>
    /// <param name="target">The moment.</param>
    /// <param name="seen">Until when the log is known; null where nobody said so.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>Null where the moment is not in this log.</returns>
    /// <exception cref="SourceException">The log breaks off before the moment, or its files do not follow each other.</exception>
    public static BinlogStop? Find(BinlogRange range, string folder, BinlogTarget target, BinlogSeen? seen, CancellationToken ct)
    {
        var stop = new BinlogStop(range.Base.File, range.Base.Position, null, null, 0);
        Dictionary<(uint, uint), ulong>? state = null;
        DateTimeOffset? newest = null;
        foreach (var extent in range.Files)
        {
            ct.ThrowIfCancellationRequested();
            using var reader = BinlogReader.Open(Path.Combine(folder, extent.File.Name), extent.LengthBytes);
            var isFirst = extent == range.Files[0];
            if (!isFirst) stop = stop with { File = extent.File.Name, Position = 4 };
            if (target.Kind == BinlogTargetKind.Position && target.File == extent.File.Name && !isFirst
                && target.Position <= 4) return stop;
            var last = new Dictionary<(uint, uint), ulong>();
            while (reader.Next() is { } group)
            {
                last[(group.Gtid.Domain, group.Gtid.Server)] = group.Gtid.Sequence;
                newest = newest is { } before && before > group.At ? before : group.At;
                if (isFirst && group.End <= range.Base.Position) continue;
                if (isFirst && group.Start < range.Base.Position)
                    throw new SourceException("mariadb.binlog_foreign",
                        $"The base backup goes on at {range.Base.File}:{range.Base.Position}, "
                        + "and there the stored log is in the middle of a transaction: it is not this server's log.",
                        "Use another base backup.");
                if (Stops(target, extent, group)) return stop;
                stop = new BinlogStop(extent.File.Name, group.End, group.Gtid, group.At, stop.Transactions + 1);
                if (target.Kind == BinlogTargetKind.Gtid && target.IsInclusive && group.Gtid == target.Gtid) return stop;
            }
            MustFollow(state, reader.Head?.Before, extent);
            foreach (var gtid in reader.Head?.Before ?? new HashSet<Gtid>()) last.TryAdd((gtid.Domain, gtid.Server), gtid.Sequence);
            state = last;
            if (target.Kind == BinlogTargetKind.Position && target.File == extent.File.Name
                && target.Position <= reader.Position) return stop;
        }
        return target.Kind switch
        {
            BinlogTargetKind.Latest => stop,
            BinlogTargetKind.Time => IsKnownAt(target.Time, range, seen, newest) ? stop : throw TooLate(range, target, newest, seen),
            _ => null,
        };
    }

    static bool Stops(BinlogTarget target, BinlogExtent extent, BinlogGroup group) => target.Kind switch
    {
        BinlogTargetKind.Time => group.At >= target.Time,
        BinlogTargetKind.Gtid => !target.IsInclusive && group.Gtid == target.Gtid,
        BinlogTargetKind.Position => target.File == extent.File.Name && group.End > target.Position,
        _ => false,
    };

    static void MustFollow(Dictionary<(uint Domain, uint Server), ulong>? state, IReadOnlySet<Gtid>? before, BinlogExtent extent)
    {
        if (state is null || before is null) return;
        if (!before.SetEquals(state.Select(entry => new Gtid(entry.Key.Domain, entry.Key.Server, entry.Value))))
            throw new SourceException("mariadb.gap",
                $"{extent.File.Name} does not go on where the file before it ended: the log has a gap.",
                "Restore to a moment before it, or from a later base backup.");
    }

    static bool IsKnownAt(DateTimeOffset time, BinlogRange range, BinlogSeen? seen, DateTimeOffset? newest)
        => newest >= time || (seen is not null && range.Files.Count > 0 && seen.File == range.Files[^1].File && seen.At >= time);

    static SourceException TooLate(BinlogRange range, BinlogTarget target, DateTimeOffset? newest, BinlogSeen? seen)
    {
        var known = newest ?? range.Base.StoppedAt;
        if (seen is not null && range.Files.Count > 0 && seen.File == range.Files[^1].File && seen.At > known) known = seen.At;
        return new SourceException("mariadb.unreachable_target", $"The log is known up to {known:yyyy-MM-dd HH:mm:ss} UTC"
            + (range.EndsInGap ? ", where it has a gap" : "") + $", and {target} is later.",
            "Restore to the end of the log by giving no time, or wait until the receiver has stored more.");
    }

    /// <summary>Replays what lies between the base backup and the stop.</summary>
    /// <exception cref="SourceException">The log could not be read, or the server refused a part of it.</exception>
    public static async Task Run(PrivateMariaDb server, BinlogRange range, string folder, BinlogStop stop, string? programs,
        CancellationToken ct)
    {
        var files = range.Files.TakeWhile(extent => extent.File.Name != stop.File).Append(range.Files.First(extent
            => extent.File.Name == stop.File)).Select(extent => Path.Combine(folder, extent.File.Name));
        // One pipe for all files: temporary tables live as long as its connection.
        await using var log = ToolProcess.Start(MariaDbTools.Find(MariaDbTools.Binlog, programs), ["--no-defaults",
            "--loose-gtid-strict-mode=0", $"--start-position={range.Base.Position}", $"--stop-position={stop.Position}", .. files],
            environment: new Dictionary<string, string> { ["TZ"] = "UTC" }, isGuarded: true, pipes: ToolPipes.Output);
        await using var client = ToolProcess.Start(MariaDbTools.Find(MariaDbTools.Client, programs), [server.Options.Argument,
            "--binary-mode", "--batch", "--skip-reconnect"], environment: new Dictionary<string, string> { ["TZ"] = "UTC" },
            pipes: ToolPipes.Input);
        try
        {
            await log.Output.CopyToAsync(client.Input, ct);
            client.Input.Close();
        }
        catch (IOException) { ct.ThrowIfCancellationRequested(); }   // the client ended first, and says why
        if (await client.End(ct) is not 0 and var code)
            throw new SourceException("mariadb.replay", $"The server refused a part of the log ({code}): "
                + (client.Lines.LastOrDefault(line => line.StartsWith("ERROR", StringComparison.Ordinal)) ?? client.LastLine),
                "Restore to a moment before it, with --to-gtid or --to-position.");
        if (await log.End(ct) is not 0 and var other)
            throw new SourceException("mariadb.replay", $"mariadb-binlog ended with {other}: {log.LastLine}",
                "The log cannot be read.");
    }
}
