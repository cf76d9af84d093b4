namespace BackupDr.Engine.Compression;

/// <summary>Compresses and decompresses one blob at a time into zstd frames. Not thread safe; each worker has its own.</summary>
/// <remarks>Any implementation must pass the contract suite in tests/Engine.Tests/Compression.</remarks>
public interface IBlobCodec : IDisposable
{
    /// <summary>Most bytes that <paramref name="plainLength"/> bytes can become.</summary>
    int Bound(int plainLength);

    /// <summary>Writes one frame with its content size and without checksum; gives its length. <paramref name="target"/> holds at least
    /// <see cref="Bound"/>.</summary>
    int Compress(ReadOnlySpan<byte> plain, Span<byte> target);

    /// <summary>
    /// Fills <paramref name="plain"/> exactly; false where the frame is damaged, truncated, or holds more or fewer bytes.
    /// </summary>
    bool TryDecompress(ReadOnlySpan<byte> frame, Span<byte> plain);

    /// <summary>
    /// Content size of a frame whose length nobody else told; null where it is not in the frame or above <paramref name="limit"/>.
    /// </summary>
    int? ContentLength(ReadOnlySpan<byte> frame, int limit);
}
