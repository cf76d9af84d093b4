namespace BackupDr.Sources.MariaDb;

/// <summary>What is no longer needed.</summary>
/// <param name="Bases">Base backups that go.</param>
/// <param name="Logs">Snapshots of the log that go.</param>
/// <param name="KeptBases">Base backups that stay, oldest first.</param>
public sealed record MariaDbRetentionPlan(IReadOnlyList<BaseBackupOfServer> Bases, IReadOnlyList<string> Logs,
    IReadOnlyList<BaseBackupOfServer> KeptBases);

/// <summary>Decides which base backups and which log may go, so that what stays has no gap. Pure.</summary>
public static class MariaDbRetention
{
    /// <summary>Plans.</summary>
    /// <param name="bases">The base backups.</param>
    /// <param name="logs">The snapshots of the log, oldest first.</param>
    /// <param name="keepLast">Base backups that stay at least, 1 or more.</param>
    /// <param name="window">For any moment from then on until now there must be a way back; null for none.</param>
    /// <param name="now">Now.</param>
    public static MariaDbRetentionPlan Plan(IReadOnlyList<BaseBackupOfServer> bases,
        IReadOnlyList<(string Id, IReadOnlyList<BinlogExtent> Extents)> logs, int keepLast, TimeSpan? window, DateTimeOffset now)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keepLast, 1);
        var newest = bases.OrderByDescending(from => from.StoppedAt).ToList();
        if (newest.Count == 0) return new MariaDbRetentionPlan([], [], []);
        var oldest = newest[Math.Min(keepLast, newest.Count) - 1];
        if (window is { } length && (newest.Find(from => from.StoppedAt <= now - length) ?? newest[^1]) is var first
            && first.StoppedAt < oldest.StoppedAt) oldest = first;
        var kept = newest.Where(from => from.StoppedAt >= oldest.StoppedAt).Reverse().ToList();
        return new MariaDbRetentionPlan([.. newest.Where(from => from.StoppedAt < oldest.StoppedAt).Reverse()],
            [.. logs.Where((log, at) => log.Extents.All(extent => !IsNeeded(extent, kept) || logs.Skip(at + 1).Any(later
                => later.Extents.Any(other => other.File == extent.File && other.LengthBytes >= extent.LengthBytes
                    && (other.IsWhole || !extent.IsWhole)))))
                .Select(log => log.Id)], kept);
    }

    // What a base backup goes on from was there before the backup ended, and is the last of its name that was.
    static bool IsNeeded(BinlogExtent extent, List<BaseBackupOfServer> kept) => kept.Any(from => from.File.Length > 0
        && (DateTimeOffset.FromUnixTimeSeconds(extent.File.CreatedAt) > from.StoppedAt
            || extent.File.Number >= BinlogFile.NumberOf(from.File)));
}
