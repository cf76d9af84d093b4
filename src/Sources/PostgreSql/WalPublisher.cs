using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What the tags of a snapshot of the log say is in it, so that nobody has to read its trees to know.</summary>
static class WalTags
{
    const string Beginning = "wal:";

    /// <summary>The tags of some segments and histories: a range for each unbroken run.</summary>
    public static List<string> Of(IReadOnlyList<WalSegment> segments, IEnumerable<uint> histories, int segmentBytes)
    {
        var tags = new List<string>();
        for (var at = 0; at < segments.Count; at++)
        {
            var first = segments[at];
            while (at + 1 < segments.Count && segments[at + 1] == segments[at].Next) at++;
            tags.Add($"{Beginning}{first.Name(segmentBytes)}-{segments[at].Name(segmentBytes)}");
        }
        tags.AddRange(histories.Select(timeline => Beginning + WalSegment.HistoryName(timeline)));
        return tags;
    }

    /// <summary>The unbroken runs in a snapshot.</summary>
    public static IEnumerable<(WalSegment First, WalSegment Last)> Ranges(Snapshot snapshot, int segmentBytes)
    {
        foreach (var tag in Tags(snapshot))
            if (tag.Split('-') is [var first, var last] && WalSegment.TryParse(first, segmentBytes, out var from)
                && WalSegment.TryParse(last, segmentBytes, out var to) && from.Timeline == to.Timeline && from.Number <= to.Number)
                yield return (from, to);
    }

    /// <summary>The timelines whose histories are in a snapshot.</summary>
    public static IEnumerable<uint> Histories(Snapshot snapshot)
    {
        foreach (var tag in Tags(snapshot))
            if (WalSegment.TryParseHistory(tag, out var timeline)) yield return timeline;
    }

    static IEnumerable<string> Tags(Snapshot snapshot) => snapshot.Tags
        .Where(tag => tag.StartsWith(Beginning, StringComparison.Ordinal)).Select(tag => tag[Beginning.Length..]);
}

/// <summary>Puts whole segments into one snapshot: <c>/wal/TIMELINE/SEGMENT</c>.</summary>
sealed class WalSource : IItemSource
{
    readonly WalJournal _journal;
    readonly IReadOnlyList<WalSegment> _segments;
    readonly IReadOnlyList<uint> _histories;
    readonly int _segmentBytes;

    WalSource(WalJournal journal, IReadOnlyList<WalSegment> segments, IReadOnlyList<uint> histories, int segmentBytes, FilePath path)
    {
        (_journal, _segments, _histories, _segmentBytes) = (journal, segments, histories, segmentBytes);
        Paths = [path];
    }

    /// <summary>Publishes segments and histories of the journal.</summary>
    /// <exception cref="SourceException">One of them could not be read: nothing of it counts.</exception>
    public static async Task<BackupSummary> Publish(Repository repository, WalJournal journal, IReadOnlyList<WalSegment> segments,
        IReadOnlyList<uint> histories, string systemIdentifier, int segmentBytes, string hostName, CancellationToken ct)
    {
        var path = FilePath.FromText($"{ClusterSource.PathOf(systemIdentifier)}/wal");
        using var source = new WalSource(journal, segments, histories, segmentBytes, path);
        return await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = hostName,
            UserName = repository.Options.UserName,
            Tags = [ClusterManifest.WalTag, .. WalTags.Of(segments, histories, segmentBytes)],
        }, null, ct);
    }

    public IReadOnlyList<FilePath> Paths { get; }

    public ISourceFolder OpenRoot(ISourceProblems problems)
    {
        var like = _journal.Like();
        var timelines = _segments.Select(segment => segment.Timeline).Union(_histories).Order()
            .Select(timeline => MadeEntry.OfFolder(timeline.ToString("X8", System.Globalization.CultureInfo.InvariantCulture), like,
            [
                .. _histories.Where(history => history == timeline).Select(history => _journal.Entry(WalSegment.HistoryName(history))),
                .. _segments.Where(segment => segment.Timeline == timeline).Select(segment => _journal.Entry(segment.Name(_segmentBytes))),
            ])).ToList();
        return new MadeFolder([MadeEntry.OfFolder("wal", like, timelines)]);
    }

    public void Dispose() => GC.SuppressFinalize(this);
}
