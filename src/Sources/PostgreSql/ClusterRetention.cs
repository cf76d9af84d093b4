namespace BackupDr.Sources.PostgreSql;

/// <summary>A snapshot of the log as far as retention goes.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Ranges">Unbroken runs of segments in it.</param>
/// <param name="Histories">Timelines whose histories are in it.</param>
public sealed record LogSnapshot(string Id, IReadOnlyList<(WalSegment First, WalSegment Last)> Ranges, IReadOnlyList<uint> Histories);

/// <summary>What is no longer needed.</summary>
/// <param name="Bases">Base backups that go.</param>
/// <param name="Logs">Snapshots of the log that go.</param>
/// <param name="KeptBases">Base backups that stay, oldest first.</param>
public sealed record RetentionPlan(IReadOnlyList<BaseBackup> Bases, IReadOnlyList<LogSnapshot> Logs, IReadOnlyList<BaseBackup> KeptBases);

/// <summary>Decides which base backups and which log may go, so that what stays has no gap. Pure.</summary>
public static class ClusterRetention
{
    /// <summary>Plans.</summary>
    /// <param name="bases">The base backups.</param>
    /// <param name="logs">The snapshots of the log.</param>
    /// <param name="keepLast">Sound base backups that stay at least, 1 or more. One with broken pages stays while it is newer than one
    /// that stays, and counts for none.</param>
    /// <param name="window">For any moment from then on until now there must be a way back; null for none.</param>
    /// <param name="now">Now, by the server's clock.</param>
    /// <param name="segmentBytes">Bytes of a segment.</param>
    public static RetentionPlan Plan(IReadOnlyList<BaseBackup> bases, IReadOnlyList<LogSnapshot> logs, int keepLast, TimeSpan? window,
        DateTimeOffset now, int segmentBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keepLast, 1);
        var newest = bases.OrderByDescending(from => from.Stop.Value).ToList();
        var sound = newest.Where(from => from.IsSound).ToList();
        // Too few sound ones: everything stays.
        if (sound.Count < keepLast) return new RetentionPlan([], [], [.. newest.AsEnumerable().Reverse()]);
        var oldest = sound[keepLast - 1];
        if (window is { } length)
        {
            // The moment at the window's beginning is reached from the base backup before it.
            var first = sound.FirstOrDefault(from => from.StoppedAt <= now - length) ?? newest[^1];
            if (first.Stop < oldest.Stop) oldest = first;
        }
        var kept = newest.Where(from => from.Stop >= oldest.Stop).Reverse().ToList();
        var floor = kept.Min(from => WalSegment.Of(from.Timeline, from.Start, segmentBytes).Number);
        // A base backup holds the histories up to its own timeline.
        var known = kept.Min(from => from.Timeline);
        return new RetentionPlan([.. newest.Where(from => from.Stop < oldest.Stop).Reverse()],
            [.. logs.Where(log => log.Ranges.All(range => range.Last.Number < floor) && log.Histories.All(timeline => timeline <= known))],
            kept);
    }
}
