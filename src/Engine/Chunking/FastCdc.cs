using System.Buffers.Binary;
using System.Runtime.CompilerServices;
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
    // Compiled in full at the first call: one call scans up to 8 MiB, so there are few calls to learn from.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int FindCut(ReadOnlySpan<byte> data, int scanned, ref ulong state)
    {
        // The hash depends on the last 64 bytes only, so the bytes well before the first possible cut need not be read.
        var at = Math.Max(scanned, Minimum - 64);
        if (data.Length <= at) return 0;
        var hash = state;
        var gear = Gear;
        var normal = Math.Min(Normal, data.Length);
        unchecked   // the hash forgets by shifting out
        {
            for (; at < normal; at++)
            {
                hash = (hash << 1) + gear[data[at]];
                if ((hash & HardMask) == 0 && at + 1 >= 512 << 10) return at + 1;
            }
            var end = Math.Min(Maximum, data.Length);
            for (; at < end; at++)
            {
                hash = (hash << 1) + gear[data[at]];
                if ((hash & EasyMask) == 0) return at + 1;
            }
        }
        state = hash;
        return at >= Maximum ? Maximum : 0;
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
