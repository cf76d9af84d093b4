using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace BackupDr.Engine.Chunking;

/// <summary>Content-defined chunks by a gear hash with normalised cut rules: 512 KiB at least, 1 MiB on average, 8 MiB at most.</summary>
/// <remarks>
/// Source: Xia et al., "FastCDC", USENIX ATC 2016; docs/format/restic-v2.md, F-10. The gear table is SHA-256 of a fixed text and a
/// counter, so that every build cuts alike. Long runs of one byte settle to a hash that is no cut, and so give largest chunks, not
/// smallest.
/// </remarks>
public sealed class FastCdc : IChunker
{
    const int Normal = 1 << 20;

    // Two more bits before the normal size, two fewer after it (normalisation level 2). High bits, because they depend on all 64 bytes of
    // the window.
    const ulong HardMask = 0xFFFFFC0000000000, EasyMask = 0xFFFFC00000000000;

    static readonly ulong[] Gear = MakeGear();

    /// <inheritdoc/>
    public int Minimum => 512 << 10;

    /// <inheritdoc/>
    public int Maximum => 8 << 20;

    /// <inheritdoc/>
    public int ZeroChunk => Maximum;   // the hash of 64 zeros is no cut

    /// <inheritdoc/>
    public int FindCut(ReadOnlySpan<byte> data, int scanned, ref ulong state)
    {
        // The hash depends on the last 64 bytes only, so the bytes well before the first possible cut need not be read.
        var at = Math.Max(scanned, Minimum - 64);
        if (data.Length <= at) return 0;
        var hash = state;
        var end = Math.Min(Maximum, data.Length);
        if (at < Minimum - 1) hash = Hash(hash, data[at..Math.Min(Minimum - 1, end)]);
        at = Math.Min(Math.Max(at, Minimum - 1), end);
        var normal = Math.Min(Normal, end);
        if (at < normal && Scan(ref hash, data[at..normal], HardMask) is var hard and > 0) return at + hard;
        at = Math.Max(at, normal);
        if (Scan(ref hash, data[at..end], EasyMask) is var easy and > 0) return at + easy;
        state = hash;
        return end >= Maximum ? Maximum : 0;
    }

    // These are compiled in full at the first call: one call scans up to 8 MiB, so there are few calls to learn from.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static ulong Hash(ulong hash, ReadOnlySpan<byte> data)
    {
        foreach (var next in data) hash = unchecked((hash << 1) + Gear[next]);
        return hash;
    }

    /// <summary>How many bytes lead up to the first cut, that byte with them; 0 where there is none.</summary>
    /// <remarks>
    /// Two bytes a step: what a step waits for is the hash of the step before, and this way that is one shift and one sum for both.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static int Scan(ref ulong state, ReadOnlySpan<byte> data, ulong mask)
    {
        var hash = state;
        ref var gear = ref MemoryMarshal.GetArrayDataReference(Gear);
        ref var bytes = ref MemoryMarshal.GetReference(data);
        var at = 0;
        unchecked   // the hash forgets by shifting out
        {
            for (; at + 1 < data.Length; at += 2)
            {
                var first = Unsafe.Add(ref gear, (nuint)Unsafe.Add(ref bytes, at));   // a byte cannot leave the table of 256
                var second = Unsafe.Add(ref gear, (nuint)Unsafe.Add(ref bytes, at + 1));
                if ((((hash << 1) + first) & mask) == 0) return at + 1;
                hash = (hash << 2) + ((first << 1) + second);
                if ((hash & mask) == 0) return at + 2;
            }
            if (at < data.Length)
            {
                hash = (hash << 1) + Gear[data[at]];
                if ((hash & mask) == 0) return at + 1;
            }
        }
        state = hash;
        return 0;
    }

    static ulong[] MakeGear()
    {
        var gear = new ulong[256];
        Span<byte> text = stackalloc byte[32];
        var length = Encoding.ASCII.GetBytes("backupdr gear table ", text);
        Span<byte> hash = stackalloc byte[32];
        for (var i = 0; i < 256; i++)
        {
            text[length] = (byte)i;
            SHA256.HashData(text[..(length + 1)], hash);
            gear[i] = BinaryPrimitives.ReadUInt64LittleEndian(hash);
        }
        return gear;
    }
}
