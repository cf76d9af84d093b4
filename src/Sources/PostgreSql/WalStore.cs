using System.Globalization;
using BackupDr.Engine;
using BackupDr.Storage;

namespace BackupDr.Sources.PostgreSql;

/// <summary>The end of a cluster's log that no snapshot holds yet: pieces of segments, and until when the log is known.</summary>
/// <remarks>
/// Objects below <c>x-backupdr/wal/SYSTEM</c>: <c>SEGMENT/FROM-TO</c> holds the bytes between two positions; <c>seen/TIMELINE-LSN-TIME</c>
/// says that at that time of the server's clock there was no log behind that position. A log is written once: two pieces that overlap
/// are equal where they do.
/// </remarks>
sealed class WalStore(Repository repository, string systemIdentifier, int segmentBytes)
{
    string Folder => $"x-backupdr/wal/{systemIdentifier}";

    /// <summary>Stores the bytes between two positions of one segment.</summary>
    public Task PutTail(WalSegment segment, Lsn from, Lsn to, ReadOnlyMemory<byte> bytes, CancellationToken ct)
        => SealedObjects.Put(repository, new ObjectName($"{Folder}/{segment.Name(segmentBytes)}/{from.Value:x16}-{to.Value:x16}"),
            bytes, ct);

    /// <summary>Says that the log was known up to a position at a time, and takes back what was said before.</summary>
    public async Task PutSeen(WalSeen seen, CancellationToken ct)
    {
        var name = new ObjectName(string.Create(CultureInfo.InvariantCulture,
            $"{Folder}/seen/{seen.Timeline:x8}-{seen.Position.Value:x16}-{seen.At.ToUnixTimeMilliseconds()}"));
        await SealedObjects.Put(repository, name, "{}"u8.ToArray(), ct);
        await foreach (var listed in repository.Store.List($"{Folder}/seen", ct))
            if (listed.Name != name) await repository.Store.Delete(listed.Name, ct);
    }

    /// <summary>What there is.</summary>
    public async Task<(IReadOnlyList<WalTail> Tails, WalSeen? Seen)> List(CancellationToken ct)
    {
        var (tails, seen) = (new List<WalTail>(), (WalSeen?)null);
        await foreach (var listed in repository.Store.List(Folder, ct))
        {
            var parts = listed.Name.Value.Split('/');
            var numbers = parts[^1].Split('-');
            if (parts[^2] == "seen" && numbers.Length == 3 && Hex(numbers[0]) is { } timeline && Hex(numbers[1]) is { } at
                && long.TryParse(numbers[2], NumberStyles.None, CultureInfo.InvariantCulture, out var time))
            {
                var found = new WalSeen((uint)timeline, new Lsn(at), DateTimeOffset.FromUnixTimeMilliseconds(time));
                if (seen is null || found.At > seen.At) seen = found;
            }
            else if (WalSegment.TryParse(parts[^2], segmentBytes, out var segment) && numbers.Length == 2
                && Hex(numbers[0]) is { } from && Hex(numbers[1]) is { } to && from < to
                && from >= segment.Start(segmentBytes).Value && to <= segment.End(segmentBytes).Value)
                tails.Add(new WalTail(segment, new Lsn(from), new Lsn(to), listed));
        }
        return ([.. tails.OrderBy(tail => tail.Segment.Timeline).ThenBy(tail => tail.From.Value).ThenByDescending(tail => tail.To.Value)],
            seen);
    }

    static ulong? Hex(string text)
        => ulong.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number) ? number : null;

    /// <summary>Removes the pieces of segments that snapshots hold now.</summary>
    public async Task Remove(Func<WalSegment, bool> isCovered, CancellationToken ct)
    {
        foreach (var tail in (await List(ct)).Tails)
            if (isCovered(tail.Segment)) await repository.Store.Delete(tail.Object.Name, ct);
    }

    /// <summary>How far the pieces of a segment reach without a gap from its beginning.</summary>
    public static Lsn Reach(WalSegment segment, IEnumerable<WalTail> tails, int segmentBytes)
    {
        var end = segment.Start(segmentBytes);
        foreach (var tail in tails.Where(tail => tail.Segment == segment).OrderBy(tail => tail.From.Value))
        {
            if (tail.From > end) break;
            if (tail.To > end) end = tail.To;
        }
        return end;
    }

    /// <summary>A whole segment's bytes from its pieces; zeros where there is nothing.</summary>
    public async Task<byte[]> Assemble(WalSegment segment, IEnumerable<WalTail> tails, CancellationToken ct)
    {
        var bytes = new byte[segmentBytes];
        var begin = segment.Start(segmentBytes).Value;
        foreach (var tail in tails.Where(tail => tail.Segment == segment))
        {
            if (await SealedObjects.Read(repository, tail.Object, ct) is not { } piece) continue;
            if ((ulong)piece.Length != tail.To.Value - tail.From.Value)
                throw RepositoryException.Damaged(tail.Object.Name.Value, $"it holds {piece.Length} bytes.");
            piece.Span.CopyTo(bytes.AsSpan((int)(tail.From.Value - begin)));
        }
        return bytes;
    }
}

/// <summary>A stored piece of a segment.</summary>
/// <param name="Segment">Of which.</param>
/// <param name="From">Its first position.</param>
/// <param name="To">The position behind it.</param>
/// <param name="Object">Where it is.</param>
sealed record WalTail(WalSegment Segment, Lsn From, Lsn To, StoredObject Object);

/// <summary>That there was no more of the log at a time.</summary>
/// <param name="Timeline">Timeline.</param>
/// <param name="Position">Its end then.</param>
/// <param name="At">When, by the server's clock.</param>
public sealed record WalSeen(uint Timeline, Lsn Position, DateTimeOffset At);
