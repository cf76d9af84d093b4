using System.Globalization;
using BackupDr.Engine;
using BackupDr.Storage;

namespace BackupDr.Sources.MariaDb;

/// <summary>The end of a server's binary log that no snapshot holds yet: pieces of files, and until when the log is known.</summary>
/// <remarks>
/// Objects below <c>x-backupdr/binlog/SERVER</c>: <c>NAME.CREATED/FROM-TO</c> holds the bytes between two positions of a file;
/// <c>seen/NAME.CREATED-POSITION-TIME</c> says that at that time of the server's clock there was no log behind that position.
/// </remarks>
sealed class BinlogStore(Repository repository, string server)
{
    string Folder { get; } = "x-backupdr/binlog/" + string.Concat(server.Select(letter
        => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.' ? letter : '_'));

    /// <summary>Stores the bytes between two positions of a file.</summary>
    public Task PutTail(BinlogFile file, long from, ReadOnlyMemory<byte> bytes, CancellationToken ct)
        => SealedObjects.Put(repository, new ObjectName(string.Create(CultureInfo.InvariantCulture,
            $"{Folder}/{file}/{from:x16}-{from + bytes.Length:x16}")), bytes, ct);

    /// <summary>Says that the log was known up to a position at a time, and takes back what was said before.</summary>
    public async Task PutSeen(BinlogSeen seen, CancellationToken ct)
    {
        var name = new ObjectName(string.Create(CultureInfo.InvariantCulture,
            $"{Folder}/seen/{seen.File}-{seen.Position:x16}-{seen.At.ToUnixTimeMilliseconds()}"));
        await SealedObjects.Put(repository, name, "{}"u8.ToArray(), ct);
        await foreach (var listed in repository.Store.List($"{Folder}/seen", ct))
            if (listed.Name != name) await repository.Store.Delete(listed.Name, ct);
    }

    /// <summary>What there is.</summary>
    public async Task<(IReadOnlyList<BinlogTail> Tails, BinlogSeen? Seen)> List(CancellationToken ct)
    {
        var (tails, seen) = (new List<BinlogTail>(), (BinlogSeen?)null);
        await foreach (var listed in repository.Store.List(Folder, ct))
        {
            var parts = listed.Name.Value.Split('/');
            if (parts[^2] == "seen") seen = Later(seen, Seen(parts[^1]));
            else if (BinlogFile.TryParse(parts[^2], out var file) && parts[^1].Split('-') is [var from, var to]
                && Hex(from) is { } begin && Hex(to) is { } end && begin < end)
                tails.Add(new BinlogTail(file, begin, end, listed));
        }
        return ([.. tails.OrderBy(tail => tail.From).ThenByDescending(tail => tail.To)], seen);
    }

    static BinlogSeen? Later(BinlogSeen? one, BinlogSeen? other) => one is null || other?.At > one.At ? other ?? one : one;

    // The name may hold dashes; the rest does not.
    static BinlogSeen? Seen(string name)
    {
        var parts = name.Split('-');
        return parts.Length >= 3 && BinlogFile.TryParse(string.Join('-', parts[..^2]), out var file) && Hex(parts[^2]) is { } position
            && long.TryParse(parts[^1], NumberStyles.None, CultureInfo.InvariantCulture, out var time)
            ? new BinlogSeen(file, position, DateTimeOffset.FromUnixTimeMilliseconds(time)) : null;
    }

    static long? Hex(string text)
        => long.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var number) && number >= 0 ? number : null;

    /// <summary>Removes the pieces that snapshots hold now.</summary>
    public async Task Remove(Func<BinlogTail, bool> isCovered, CancellationToken ct)
    {
        foreach (var tail in (await List(ct)).Tails)
            if (isCovered(tail)) await repository.Store.Delete(tail.Object.Name, ct);
    }

    /// <summary>How far the pieces of a file reach without a gap from a position on.</summary>
    public static long Reach(BinlogFile file, long from, IEnumerable<BinlogTail> tails)
    {
        var end = from;
        foreach (var tail in tails.Where(tail => tail.File == file))
        {
            if (tail.From > end) break;
            if (tail.To > end) end = tail.To;
        }
        return end;
    }

    /// <summary>The bytes of a piece; null where it went since it was listed.</summary>
    public async Task<ReadOnlyMemory<byte>?> Read(BinlogTail tail, CancellationToken ct)
    {
        if (await SealedObjects.Read(repository, tail.Object, ct) is not { } bytes) return null;
        return bytes.Length == tail.To - tail.From ? bytes
            : throw RepositoryException.Damaged(tail.Object.Name.Value, $"it holds {bytes.Length} bytes.");
    }
}

/// <summary>A stored piece of a file.</summary>
/// <param name="File">Of which.</param>
/// <param name="From">Its first position.</param>
/// <param name="To">The position behind it.</param>
/// <param name="Object">Where it is.</param>
sealed record BinlogTail(BinlogFile File, long From, long To, StoredObject Object);

/// <summary>That there was no more of the log at a time.</summary>
/// <param name="File">File.</param>
/// <param name="Position">Its end then.</param>
/// <param name="At">When, by the server's clock.</param>
public sealed record BinlogSeen(BinlogFile File, long Position, DateTimeOffset At);
