using BackupDr.Contracts;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Whether a standby has all that its primary had.</summary>
/// <remarks>A primary that is stopped in order sends its standbys the record of that as the last one, and waits until they have it. What
/// ends with this record has everything; where the primary was killed nothing says so.</remarks>
static class StandbyLog
{
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200), Longest = TimeSpan.FromSeconds(30),
        Settling = TimeSpan.FromSeconds(3);

    sealed record Place(bool IsReceiving, Lsn Received, Lsn Replayed, string Data, int SegmentBytes);

    /// <summary>Waits until the standby has applied what it received, and makes sure that nothing is missing.</summary>
    /// <exception cref="SourceException">It receives still, or something may be missing.</exception>
    public static async Task MustHaveAll(ServerSession session, ServerAddress address, TimeSpan limit, CancellationToken ct)
    {
        Place place;
        var most = limit / 2 < Longest ? limit / 2 : Longest;
        for (var waited = TimeSpan.Zero; ; waited += LookEvery)
        {
            place = await Look(session, ct);
            if (!place.IsReceiving && place.Replayed >= place.Received) break;
            if (waited > most || (place.IsReceiving && waited > Settling))
                throw new SourceException("postgres.not_stopped", place.IsReceiving
                    ? $"The primary that {address} follows is at work." : $"{address} has not applied yet all that it received.",
                    "Stop the primary in order first, and its writers before.");
            await Task.Delay(LookEvery, ct);
        }
        if (!await IsEnd(session, place, ct))
            throw new SourceException("postgres.may_lack", $"{address} may lack something: what it received last is not the record by "
                + "which a primary that is stopped in order ends its log.", "Start the primary again, let the standby follow, stop it with "
                + "'pg_ctl stop -m fast' or its service; or promote without isLossless and lose what may be missing.");
    }

    static Task<Place> Look(ServerSession session, CancellationToken ct) => session.Row("""
        select exists (select from pg_stat_wal_receiver where status = 'streaming'),
            coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::text, pg_last_wal_replay_lsn()::text,
            current_setting('data_directory'), (select setting::integer from pg_settings where name = 'wal_segment_size')
        """, row => new Place(row.GetBoolean(0), Lsn.Parse(row.GetString(1)), Lsn.Parse(row.GetString(2)), row.GetString(3),
            row.GetInt32(4)), ct);

    static async Task<bool> IsEnd(ServerSession session, Place place, CancellationToken ct)
    {
        var (log, number) = (Path.Combine(place.Data, "pg_wal"), (place.Replayed.Value - 1) / (ulong)place.SegmentBytes);
        var all = Disk.List(log).Select(entry => WalSegment.TryParse(entry.Name, place.SegmentBytes, out var segment) ? segment : default)
            .Where(segment => segment.Timeline > 0).ToHashSet();
        var last = all.Where(segment => segment.Number == number).OrderBy(segment => segment.Timeline).LastOrDefault();
        if (last.Timeline == 0) return false;
        // A record may begin in the segment before.
        var first = all.Contains(last with { Number = number - 1 }) ? last with { Number = number - 1 } : last;
        var status = Descriptor.StatOf(FilePath.FromText(place.Data));
        var program = Path.Combine(ClusterStart.Programs(session.Version), "pg_waldump");
        // It ends with an error wherever the log ends.
        var (_, lines) = await ToolProcess.Run(program, ["-p", log, first.Name(place.SegmentBytes)], (status.Uid, status.Gid), ct);
        return lines.LastOrDefault(line => line.StartsWith("rmgr:", StringComparison.Ordinal)) is { } end
            && end.Contains("CHECKPOINT_SHUTDOWN", StringComparison.Ordinal);
    }
}
