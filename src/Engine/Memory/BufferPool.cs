using System.Collections.Concurrent;
using System.Numerics;

namespace BackupDr.Engine.Memory;

/// <summary>
/// Byte buffers that are given back and used again, so that a long run touches no fresh memory. Bounded by what its users hold at once.
/// </summary>
/// <remarks>
/// Sizes are powers of two from 16 KiB to 32 MiB. A longer one (the tree of a folder with a hundred thousand entries) is made as it is
/// asked for, and forgotten when it comes back.
/// </remarks>
public sealed class BufferPool
{
    const int SmallestBits = 14, LargestBits = 25;
    readonly ConcurrentStack<byte[]>[] _free = [.. Enumerable.Range(0, LargestBits - SmallestBits + 1)
        .Select(_ => new ConcurrentStack<byte[]>())];

    /// <summary>A buffer of at least <paramref name="length"/> bytes with any content.</summary>
    public byte[] Rent(int length)
    {
        if (length > 1 << LargestBits) return GC.AllocateUninitializedArray<byte>(length);
        var bits = BitsFor(length);
        return _free[bits - SmallestBits].TryPop(out var buffer) ? buffer
            : GC.AllocateUninitializedArray<byte>(1 << bits, pinned: bits >= 20);
    }

    /// <summary>Gives a rented buffer back; it must not be touched afterwards.</summary>
    public void Return(byte[] buffer)
    {
        if (buffer.Length <= 1 << LargestBits) _free[BitsFor(buffer.Length) - SmallestBits].Push(buffer);
    }

    static int BitsFor(int length) => Math.Max(SmallestBits, 32 - BitOperations.LeadingZeroCount((uint)Math.Max(length, 1) - 1));
}
