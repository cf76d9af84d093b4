using System.Globalization;

namespace BackupDr.Sources.PostgreSql;

/// <summary>How a timeline came about: the branches from the first one to it.</summary>
/// <param name="Timeline">The timeline that the file is of.</param>
/// <param name="Branches">Parents, oldest first, each with the position at which it was left.</param>
public sealed record TimelineHistory(uint Timeline, IReadOnlyList<(uint Parent, Lsn Switch)> Branches)
{
    /// <summary>The first timeline, which has no file.</summary>
    public static TimelineHistory First { get; } = new(1, []);

    /// <summary>Reads a history file: lines of parent, switch position and a reason; '#' begins a remark.</summary>
    /// <exception cref="SourceException">A line is none of these.</exception>
    public static TimelineHistory Parse(uint timeline, string text)
    {
        var branches = new List<(uint, Lsn)>();
        foreach (var line in text.Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] != '#'))
        {
            var words = line.Split((char[])['\t', ' '], StringSplitOptions.RemoveEmptyEntries);
            if (words.Length < 2 || !uint.TryParse(words[0], CultureInfo.InvariantCulture, out var parent)
                || !Lsn.TryParse(words[1], out var at) || parent >= timeline)
                throw new SourceException("postgres.history", $"The history of timeline {timeline} holds the line '{line}', which is none.",
                    "Take the file from the server's pg_wal again.");
            branches.Add((parent, at));
        }
        return new TimelineHistory(timeline, branches);
    }

    /// <summary>The timeline that the log is on at a position, on the way to <see cref="Timeline"/>.</summary>
    public uint TimelineAt(Lsn lsn)
    {
        foreach (var (parent, at) in Branches)
            if (lsn < at) return parent;
        return Timeline;
    }

    /// <summary>Whether the state of a timeline at a position is part of this history.</summary>
    public bool Contains(uint timeline, Lsn lsn)
    {
        if (timeline == Timeline) return Branches.Count == 0 || lsn >= Branches[^1].Switch;
        var begin = new Lsn(0);
        foreach (var (parent, at) in Branches)
        {
            if (parent == timeline) return lsn >= begin && lsn <= at;
            begin = at;
        }
        return false;
    }
}
