using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace BackupDr.Storage.Posix;

/// <summary>Memory for one write past the page cache: aligned to a page, used again and again.</summary>
public sealed unsafe class AlignedPiece : IDisposable
{
    /// <summary>What offsets, lengths and addresses of direct writes are multiples of, in bytes.</summary>
    public const int Alignment = 4096;
    /// <summary>Bytes of a piece.</summary>
    public const int Size = 1 << 20;

    static readonly ConcurrentBag<AlignedPiece> Free = [];
    readonly void* _memory = NativeMemory.AlignedAlloc(Size, Alignment);

    /// <summary>The bytes, with any content.</summary>
    public Span<byte> Span => new(_memory, Size);

    /// <summary>A piece; dispose it to give it back.</summary>
    public static AlignedPiece Rent() => Free.TryTake(out var piece) ? piece : new AlignedPiece();

    /// <summary>The largest multiple of <see cref="Alignment"/> that is not above <paramref name="length"/>.</summary>
    public static int RoundDown(int length) => length & -Alignment;

    /// <summary>The smallest multiple of <see cref="Alignment"/> that is not below <paramref name="length"/>.</summary>
    public static int RoundUp(int length) => (length + Alignment - 1) & -Alignment;

    /// <summary>Gives it back.</summary>
    public void Dispose() => Free.Add(this);
}
