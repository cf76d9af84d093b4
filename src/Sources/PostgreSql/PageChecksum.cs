using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What a page says of itself.</summary>
public enum PageState
{
    /// <summary>Its checksum is right, or it is a new page that has none.</summary>
    Sound,
    /// <summary>It is wrong, but the page was written after the backup began: the log mends it.</summary>
    Torn,
    /// <summary>It is wrong, and nothing mends it.</summary>
    Broken,
}

/// <summary>The checksum of PostgreSQL's pages: 32 interleaved FNV-like sums over the page, mixed with its block number.</summary>
/// <remarks>Source: the description in storage/checksum_impl.h; compared with pages of a real server by the tests.</remarks>
public static class PageChecksum
{
    const uint Prime = 16777619;
    const int Lanes = 32, ChecksumAt = 8, UpperAt = 14;

    static readonly uint[] Begin =
    [
        0x5B1F36E9, 0xB8525960, 0x02AB50AA, 0x1DE66D2A, 0x79FF467A, 0x9BB9F8A3, 0x217E7CD2, 0x83E13D2C,
        0xF8D4474F, 0xE39EB970, 0x42C6AE16, 0x993216FA, 0x7B093B5D, 0x98DAFF3C, 0xF718902A, 0x0B1C9CDB,
        0xE58F764B, 0x187636BC, 0x5D7B3BB1, 0xE73DE7DE, 0x92BEC979, 0xCCA6C0B2, 0x304A0979, 0x85AA43D4,
        0x783125BB, 0x6CA8EAA2, 0xE407EAC6, 0x4B5CFC3E, 0x9FBF8C76, 0x15CA20BE, 0xF2CA9FD3, 0x959BD756,
    ];

    /// <summary>Looks at a page.</summary>
    /// <param name="page">A whole page.</param>
    /// <param name="block">Its number in the relation, through all its segments.</param>
    /// <param name="start">Where the backup began: what was written later is mended by the log.</param>
    public static PageState Look(ReadOnlySpan<byte> page, uint block, Lsn start)
    {
        if (BinaryPrimitives.ReadUInt16LittleEndian(page[UpperAt..]) == 0) return PageState.Sound;   // a new page
        if (BinaryPrimitives.ReadUInt16LittleEndian(page[ChecksumAt..]) == Of(page, block)) return PageState.Sound;
        return LsnOf(page) >= start ? PageState.Torn : PageState.Broken;
    }

    /// <summary>Where the log describes the last change of a page.</summary>
    public static Lsn LsnOf(ReadOnlySpan<byte> page)
        => new((ulong)BinaryPrimitives.ReadUInt32LittleEndian(page) << 32 | BinaryPrimitives.ReadUInt32LittleEndian(page[4..]));

    /// <summary>The checksum that a page has to have: 1 to 65,535.</summary>
    public static ushort Of(ReadOnlySpan<byte> page, uint block)
    {
        if (page.Length % (Lanes * sizeof(uint)) != 0 || page.Length == 0)
            throw new ArgumentException($"A page has no {page.Length} bytes.", nameof(page));
        Span<uint> sums = stackalloc uint[Lanes];
        Begin.CopyTo(sums);
        Span<uint> first = stackalloc uint[Lanes];   // with the place of the checksum itself as zeros
        MemoryMarshal.Cast<byte, uint>(page[..(Lanes * sizeof(uint))]).CopyTo(first);
        first[ChecksumAt / sizeof(uint)] &= 0xFFFF0000;
        var words = MemoryMarshal.Cast<byte, uint>(page);
        Mix(sums, first);
        for (var at = Lanes; at < words.Length; at += Lanes) Mix(sums, words.Slice(at, Lanes));
        first.Clear();
        Mix(sums, first);
        Mix(sums, first);
        var all = 0u;
        foreach (var sum in sums) all ^= sum;
        return (ushort)((all ^ block) % 65535 + 1);
    }

    static void Mix(Span<uint> sums, ReadOnlySpan<uint> words)
    {
        if (!Vector256.IsHardwareAccelerated) { MixEach(sums, words); return; }
        var prime = Vector256.Create(Prime);
        for (var at = 0; at < Lanes; at += Vector256<uint>.Count)
        {
            var mixed = Vector256.Create(sums.Slice(at, 8)) ^ Vector256.Create(words.Slice(at, 8));
            (mixed * prime ^ Vector256.ShiftRightLogical(mixed, 17)).CopyTo(sums[at..]);
        }
    }

    static void MixEach(Span<uint> sums, ReadOnlySpan<uint> words)
    {
        for (var at = 0; at < Lanes; at++)
        {
            var mixed = sums[at] ^ words[at];
            sums[at] = unchecked(mixed * Prime) ^ (mixed >> 17);
        }
    }
}
