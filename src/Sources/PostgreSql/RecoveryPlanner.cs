namespace BackupDr.Sources.PostgreSql;

/// <summary>What there is of a cluster's log: segments, how far each reaches, and the histories of its timelines.</summary>
/// <param name="segmentBytes">Bytes of a segment.</param>
public sealed class WalInventory(int segmentBytes)
{
    readonly Dictionary<WalSegment, Lsn> _ends = [];
    readonly Dictionary<uint, TimelineHistory> _histories = new() { [1] = TimelineHistory.First };

    /// <summary>Bytes of a segment.</summary>
    public int SegmentBytes => segmentBytes;

    /// <summary>Timelines that are known.</summary>
    public IEnumerable<uint> Timelines => _histories.Keys.Union(_ends.Keys.Select(segment => segment.Timeline)).Order();

    /// <summary>A whole segment is there.</summary>
    public void Add(WalSegment segment) => Add(segment, segment.End(segmentBytes));

    /// <summary>A segment is there up to a position.</summary>
    public void Add(WalSegment segment, Lsn end)
    {
        if (!_ends.TryGetValue(segment, out var known) || known < end) _ends[segment] = end;
    }

    /// <summary>A history is there.</summary>
    public void Add(TimelineHistory history) => _histories[history.Timeline] = history;

    /// <summary>The history of a timeline; null where it is not there.</summary>
    public TimelineHistory? History(uint timeline) => _histories.GetValueOrDefault(timeline);

    /// <summary>How far a segment reaches; null where it is not there.</summary>
    public Lsn? EndOf(WalSegment segment) => _ends.TryGetValue(segment, out var end) ? end : null;

    /// <summary>Whether anything of the log lies at or behind a position on the timelines of a history.</summary>
    public bool HasAnythingAfter(Lsn position, TimelineHistory history)
        => _ends.Any(entry => entry.Value > position && (entry.Key.Timeline == history.Timeline
            || history.Branches.Any(branch => branch.Parent == entry.Key.Timeline && branch.Switch > position)));
}

/// <summary>A base backup as far as planning goes.</summary>
/// <param name="Id">Its snapshot.</param>
/// <param name="Timeline">Timeline that it began on.</param>
/// <param name="Start">Where recovery begins to read.</param>
/// <param name="Stop">Where it is consistent at the earliest.</param>
/// <param name="StoppedAt">The server's clock then.</param>
/// <param name="IsSound">Whether no page of it was found broken.</param>
public sealed record BaseBackup(string Id, uint Timeline, Lsn Start, Lsn Stop, DateTimeOffset StoppedAt, bool IsSound = true);

/// <summary>An unbroken stretch of the log behind a base backup: everything in it can be restored to.</summary>
/// <param name="Base">The base backup.</param>
/// <param name="Timeline">The timeline at its end.</param>
/// <param name="End">The position up to which the log is there.</param>
/// <param name="Segments">The segments, in order.</param>
/// <param name="HasGap">Whether there is more of the log behind the end, out of reach.</param>
public sealed record RecoverableRange(BaseBackup Base, uint Timeline, Lsn End, IReadOnlyList<WalSegment> Segments, bool HasGap);

/// <summary>Decides from which base backup and along which log a moment is reached. Pure: no clock, no input or output.</summary>
public static class RecoveryPlanner
{
    /// <summary>What can be restored from a base backup.</summary>
    /// <param name="from">The base backup.</param>
    /// <param name="log">What there is of the log.</param>
    /// <param name="timeline">Timeline to follow; null for the newest that leads on from the backup.</param>
    /// <returns>Null where the timeline does not lead on from this backup.</returns>
    public static RecoverableRange? RangeOf(BaseBackup from, WalInventory log, uint? timeline = null)
    {
        var history = timeline is { } wanted ? log.History(wanted) ?? (wanted == from.Timeline ? Bare(from, log) : null)
            : log.Timelines.Where(number => number >= from.Timeline).OrderDescending().Select(log.History)
                .FirstOrDefault(known => known is not null && known.Contains(from.Timeline, from.Stop)) ?? Bare(from, log);
        if (history is null || !history.Contains(from.Timeline, from.Stop)) return null;
        var (segments, at) = (new List<WalSegment>(), from.Start);
        while (Next(log, history, at) is var (segment, end) && end > at)
        {
            segments.Add(segment);
            at = end;
        }
        return new RecoverableRange(from, history.TimelineAt(new Lsn(at.Value - 1)), at, segments, log.HasAnythingAfter(at, history));
    }

    // A later timeline whose history is lost is followed from a backup that was taken on it.
    static TimelineHistory Bare(BaseBackup from, WalInventory log) => log.History(from.Timeline) ?? new TimelineHistory(from.Timeline, []);

    /// <summary>The file that holds a position: of the timelines that share its segment the newest, as the server chooses.</summary>
    static (WalSegment Segment, Lsn End)? Next(WalInventory log, TimelineHistory history, Lsn at)
    {
        var number = WalSegment.Of(1, at, log.SegmentBytes).Number;
        var last = new Lsn((number + 1) * (ulong)log.SegmentBytes - 1);
        foreach (var timeline in history.Branches.Select(branch => branch.Parent).Append(history.Timeline).Reverse())
        {
            // From the segment in which it began, up to the position at which it was left.
            if (timeline > history.TimelineAt(last) || timeline < history.TimelineAt(at)) continue;
            var segment = new WalSegment(timeline, number);
            if (log.EndOf(segment) is not { } end) continue;
            foreach (var (parent, left) in history.Branches)
                if (parent == timeline && left < end) end = left;
            if (end > at) return (segment, end);
        }
        return null;
    }

    /// <summary>The base backups from which a target may be reached, the best first, each with its range.</summary>
    /// <exception cref="SourceException">There is none, with what there is instead.</exception>
    public static IReadOnlyList<RecoverableRange> Candidates(IReadOnlyList<BaseBackup> bases, WalInventory log, RecoveryTarget target)
    {
        if (bases.Count == 0)
            throw new SourceException("postgres.no_backup", "There is no base backup of this cluster.",
                "Take one with 'backupdr pg backup'.");
        var ranges = bases.OrderByDescending(from => from.Stop.Value).Select(from => RangeOf(from, log, target.Timeline))
            .Where(range => range is not null && range.End >= range.Base.Stop).Select(range => range!).ToList();
        if (ranges.Count == 0)
            throw new SourceException("postgres.unreachable_target", target.Timeline is { } timeline
                ? $"No base backup leads to timeline {timeline}." : "The log that the base backups need is not whole.",
                "See what can be restored with 'backupdr pg list'.");
        var fitting = ranges.Where(range => Fits(range, target)).ToList();
        return fitting.Count > 0 ? fitting : throw OutOfReach(ranges, target);
    }

    static bool Fits(RecoverableRange range, RecoveryTarget target) => target.Kind switch
    {
        TargetKind.Time => target.Time >= range.Base.StoppedAt,
        TargetKind.Position => target.Position >= range.Base.Stop && target.Position <= range.End,
        _ => true,
    };

    static SourceException OutOfReach(List<RecoverableRange> ranges, RecoveryTarget target)
    {
        var newest = ranges[0];
        var oldest = ranges[^1];
        var isEarly = target.Kind == TargetKind.Time ? target.Time < oldest.Base.StoppedAt : target.Position < oldest.Base.Stop;
        return new SourceException("postgres.unreachable_target", isEarly
            ? $"{target} lies before the end of the oldest base backup, {oldest.Base.Stop} at {oldest.Base.StoppedAt:u}."
            : $"{target} cannot be reached: the log is whole up to {newest.End} on timeline {newest.Timeline}"
                + (newest.HasGap ? ", and there is a gap behind it." : "."),
            "See what can be restored with 'backupdr pg list'.");
    }
}
