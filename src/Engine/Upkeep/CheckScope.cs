using System.Security.Cryptography;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Upkeep;

/// <summary>Which packs a check reads.</summary>
public readonly record struct CheckScope
{
    readonly int _part, _of;
    readonly double _percent;
    readonly PackRound? _round;

    CheckScope(int part, int of, double percent) => (_part, _of, _percent) = (part, of, percent);

    /// <summary>None: structure only.</summary>
    public static CheckScope None => default;
    /// <summary>All of them.</summary>
    public static CheckScope All { get; } = new(1, 1, 0);
    /// <summary>One of several parts that together are all; which packs are in it depends on their names alone.</summary>
    public static CheckScope Part(int part, int of) => new(part, of, 0);
    /// <summary>A random share, more than 0 to 100.</summary>
    public static CheckScope Percent(double percent) => new(0, 0, percent);

    /// <summary>The next part of a round through all packs.</summary>
    public static CheckScope Next(PackRound round) => new(round);

    CheckScope(PackRound round) : this(0, 0, 0) => _round = round;

    internal bool IsNone => _of == 0 && _percent == 0 && _round is null;

    /// <summary>The packs that are read, and the last of a round's part; null at its end, and without a round.</summary>
    internal (IEnumerable<IndexedPack> Packs, BlobId? Reached) Of(IReadOnlyCollection<IndexedPack> packs)
        => _round is null ? (Chosen(packs), null) : _round.Of(packs);

    IEnumerable<IndexedPack> Chosen(IReadOnlyCollection<IndexedPack> packs)
    {
        var (part, of) = (_part, _of);
        if (of > 0) return packs.Where(pack => unchecked((uint)pack.Id.GetHashCode()) % (uint)of == part - 1);
        var all = packs.ToArray();
        RandomNumberGenerator.Shuffle(all.AsSpan());
        return all.Take((int)Math.Ceiling(all.Length * _percent / 100));
    }
}

/// <summary>A part of a round through all packs of a repository, in the order of their names.</summary>
/// <param name="After">The last pack of the part before; null at the beginning.</param>
/// <param name="Share">How much of all bytes is read, more than 0 to 1.</param>
/// <param name="LeastBytes">How much is read at least, where there is as much.</param>
/// <param name="Also">Packs that are read besides, where they are still there.</param>
public sealed record PackRound(BlobId? After, double Share, long LeastBytes, IReadOnlyCollection<BlobId> Also)
{
    internal (IEnumerable<IndexedPack> Packs, BlobId? Reached) Of(IReadOnlyCollection<IndexedPack> packs)
    {
        var budget = Math.Max(LeastBytes, (long)(packs.Sum(BytesOf) * Share));
        var part = new List<IndexedPack>();
        BlobId? reached = null;
        foreach (var pack in packs.Where(pack => After is not { } after || pack.Id.CompareTo(after) > 0).OrderBy(pack => pack.Id))
        {
            if (budget <= 0) return (part.Concat(Others(packs, part)), reached);
            budget -= BytesOf(pack);
            part.Add(pack);
            reached = pack.Id;
        }
        return (part.Concat(Others(packs, part)), null);
    }

    IEnumerable<IndexedPack> Others(IReadOnlyCollection<IndexedPack> packs, List<IndexedPack> part)
    {
        var also = Also.Except(part.Select(pack => pack.Id)).ToHashSet();
        return packs.Where(pack => also.Contains(pack.Id));
    }

    static long BytesOf(IndexedPack pack) => pack.Blobs.Sum(blob => (long)blob.Length);
}
