using System.Security.Cryptography;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Upkeep;

/// <summary>Which packs a check reads.</summary>
public readonly record struct CheckScope
{
    readonly int _part, _of;
    readonly double _percent;

    CheckScope(int part, int of, double percent) => (_part, _of, _percent) = (part, of, percent);

    /// <summary>None: structure only.</summary>
    public static CheckScope None => default;
    /// <summary>All of them.</summary>
    public static CheckScope All { get; } = new(1, 1, 0);
    /// <summary>One of several parts that together are all; which packs are in it depends on their names alone.</summary>
    public static CheckScope Part(int part, int of) => new(part, of, 0);
    /// <summary>A random share, more than 0 to 100.</summary>
    public static CheckScope Percent(double percent) => new(0, 0, percent);

    internal bool IsNone => _of == 0 && _percent == 0;

    internal IEnumerable<IndexedPack> Of(IReadOnlyCollection<IndexedPack> packs)
    {
        var (part, of) = (_part, _of);
        if (of > 0) return packs.Where(pack => unchecked((uint)pack.Id.GetHashCode()) % (uint)of == part - 1);
        var all = packs.ToArray();
        RandomNumberGenerator.Shuffle(all.AsSpan());
        return all.Take((int)Math.Ceiling(all.Length * _percent / 100));
    }
}
