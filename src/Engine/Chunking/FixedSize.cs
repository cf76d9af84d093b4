namespace BackupDr.Engine.Chunking;

/// <summary>Chunks of one size at multiples of that size, for files whose pages change in place.</summary>
/// <remarks>A changed page costs one chunk, and nothing shifts; content-defined chunks would store a mebibyte around it.</remarks>
public sealed class FixedSize : IChunker
{
    /// <summary>Default size in bytes: eight pages of PostgreSQL, four of InnoDB, one cluster of qcow2.</summary>
    public const int DefaultBytes = 64 << 10;

    /// <summary>Smallest and largest size in bytes; smaller ones would cost more in the index than they save.</summary>
    public const int SmallestBytes = 16 << 10, LargestBytes = 8 << 20;

    /// <summary>Chunks of <paramref name="sizeBytes"/>, a power of two within the bounds.</summary>
    public FixedSize(int sizeBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizeBytes, SmallestBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(sizeBytes, LargestBytes);
        Minimum = sizeBytes;
    }

    /// <inheritdoc/>
    public int Minimum { get; }

    /// <inheritdoc/>
    public int Maximum => Minimum;

    /// <inheritdoc/>
    public int ZeroChunk => Minimum;

    /// <inheritdoc/>
    public int FindCut(ReadOnlySpan<byte> data, int scanned, ref ulong state) => data.Length >= Minimum ? Minimum : 0;
}
