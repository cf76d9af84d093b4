namespace BackupDr.Sources.MariaDb;

/// <summary>A base backup as far as planning goes.</summary>
/// <param name="Id">Snapshot.</param>
/// <param name="File">File of the log that goes on from it; "" without a log.</param>
/// <param name="Position">Where in that file.</param>
/// <param name="Gtid">The last transactions in it.</param>
/// <param name="StoppedAt">From then on any time can be restored to.</param>
public sealed record BaseBackupOfServer(string Id, string File, long Position, string Gtid, DateTimeOffset StoppedAt);

/// <summary>What can be reached from a base backup.</summary>
/// <param name="Base">Where it begins.</param>
/// <param name="Files">The files of the log from there on, in order, without a gap between them.</param>
/// <param name="EndsInGap">Whether there is more log behind a gap.</param>
public sealed record BinlogRange(BaseBackupOfServer Base, IReadOnlyList<BinlogExtent> Files, bool EndsInGap)
{
    /// <summary>Where the log ends, "bin.000017:4711"; null without a log.</summary>
    public string? End => Files.Count == 0 ? null : $"{Files[^1].File.Name}:{Files[^1].LengthBytes}";
}

/// <summary>Chooses base backups and files of the log. Pure.</summary>
public static class BinlogPlanner
{
    /// <summary>What can be reached from a base backup.</summary>
    public static BinlogRange RangeOf(BaseBackupOfServer from, IEnumerable<BinlogExtent> known)
    {
        var files = known.OrderBy(extent => extent.File.CreatedAt).ThenBy(extent => extent.File.Number).ToList();
        // After RESET MASTER there are several of a name: the one that was there when the backup ended.
        var at = from.File.Length == 0 ? -1 : files.FindLastIndex(extent => extent.File.Name == from.File
            && DateTimeOffset.FromUnixTimeSeconds(extent.File.CreatedAt) <= from.StoppedAt);
        if (at < 0 || files[at].LengthBytes < from.Position) return new BinlogRange(from, [], files.Count > 0);
        var range = new List<BinlogExtent> { files[at] };
        for (var next = at + 1; next < files.Count; next++)
        {
            var last = range[^1];
            if (!last.IsWhole || files[next].FollowsGap || files[next].File.Number != last.File.Number + 1)
                return new BinlogRange(from, range, true);
            range.Add(files[next]);
        }
        return new BinlogRange(from, range, false);
    }

    /// <summary>The file in which the unbroken log begins that a file belongs to; null where nothing of that file is known.</summary>
    public static BinlogFile? BeginOf(BinlogFile file, IEnumerable<BinlogExtent> known)
    {
        var files = known.OrderBy(extent => extent.File.CreatedAt).ThenBy(extent => extent.File.Number).ToList();
        var at = files.FindIndex(extent => extent.File == file);
        while (at > 0 && !files[at].FollowsGap && files[at - 1].IsWhole && files[at - 1].File.Number + 1 == files[at].File.Number) at--;
        return at < 0 ? null : files[at].File;
    }

    /// <summary>The ranges that may hold a moment, the one with the least to replay first.</summary>
    /// <exception cref="SourceException">None does.</exception>
    public static IReadOnlyList<BinlogRange> Candidates(IReadOnlyList<BaseBackupOfServer> bases, IReadOnlyCollection<BinlogExtent> known,
        BinlogTarget target)
    {
        var ranges = bases.OrderByDescending(from => from.StoppedAt).Select(from => RangeOf(from, known)).ToList();
        var fitting = target.Kind switch
        {
            BinlogTargetKind.Time => ranges.Where(range => range.Base.StoppedAt <= target.Time).ToList(),
            BinlogTargetKind.Position => [.. ranges.Where(range => Holds(range, target))],
            BinlogTargetKind.Gtid => [.. ranges.Where(range => range.Files.Count > 0 && !IsPast(range.Base, target))],
            _ => ranges,
        };
        if (fitting.Count > 0) return fitting;
        throw new SourceException("mariadb.unreachable_target", target.Kind == BinlogTargetKind.Time && bases.Count > 0
            ? $"The oldest base backup can be restored from {bases.Min(from => from.StoppedAt):yyyy-MM-dd HH:mm:ss.fff} UTC on, and not to "
                + $"{target}."
            : $"No base backup leads to {target}.", "See what can be restored with 'backupdr mariadb list'.");
    }

    static bool Holds(BinlogRange range, BinlogTarget target)
    {
        var file = range.Files.FirstOrDefault(extent => extent.File.Name == target.File);
        return file is not null && file.LengthBytes >= target.Position
            && (file != range.Files[0] || range.Base.Position <= target.Position);
    }

    /// <summary>Whether a base backup holds a transaction already, or what comes after it.</summary>
    static bool IsPast(BaseBackupOfServer from, BinlogTarget target)
    {
        var last = from.Gtid.Split(',').Select(text => Gtid.TryParse(text.Trim(), out var gtid) ? gtid : default)
            .Where(gtid => gtid.Domain == target.Gtid.Domain).Select(gtid => gtid.Sequence).DefaultIfEmpty().Max();
        return last >= target.Gtid.Sequence + (target.IsInclusive ? 1ul : 0);
    }
}
