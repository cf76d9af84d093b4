using BackupDr.Engine.Compression;
using BackupDr.Engine.Crypto;

namespace BackupDr.Engine.Format;

/// <summary>Index files, snapshots and locks as they are stored: sealed, JSON compressed behind the byte 2.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-6.1.</remarks>
public static class UnpackedFile
{
    const byte CompressedMark = 2;
    const int MaximumPlain = 256 << 20;

    // zstd's own bounds of a block, stored and plain, in bytes: what promises more lies, and gets no memory.
    const int SmallestBlock = 4, LargestBlockContent = 128 << 10;

    /// <summary>The stored bytes of a JSON text.</summary>
    public static byte[] Write(ReadOnlySpan<byte> json, SealedBox box, IBlobCodec codec)
    {
        var scratch = new byte[1 + codec.Bound(json.Length)];
        scratch[0] = CompressedMark;
        var length = 1 + codec.Compress(json, scratch.AsSpan(1));
        return box.Seal(scratch.AsSpan(0, length), out _);
    }

    /// <summary>The JSON text of stored bytes, which are opened in place.</summary>
    /// <exception cref="RepositoryException">Damaged: not sealed with our key, an unknown encoding, or a broken frame.</exception>
    public static ReadOnlyMemory<byte> Read(byte[] stored, SealedBox box, IBlobCodec codec, string where)
    {
        if (!box.TryOpen(stored, out var plain))
            throw RepositoryException.Damaged(where, "it does not open with the repository's key; bytes were changed.");
        if (plain.IsEmpty) throw RepositoryException.Damaged(where, "it is empty.");
        if (plain[0] is (byte)'{' or (byte)'[') return stored.AsMemory(SealedBox.IvSize, plain.Length);
        if (plain[0] != CompressedMark) throw RepositoryException.Damaged(where, $"unknown encoding {plain[0]}.");
        var frame = plain[1..];
        if (codec.ContentLength(frame, MaximumPlain) is { } length)
        {
            if (length > (frame.Length / SmallestBlock + 1L) * LargestBlockContent)
                throw RepositoryException.Damaged(where, $"its zstd frame of {frame.Length} bytes claims to hold {length}.");
            var json = new byte[length];
            if (!codec.TryDecompress(frame, json)) throw RepositoryException.Damaged(where, "its zstd frame is broken.");
            return json;
        }
        return Growing(frame, codec, where);
    }

    /// <summary>Frames without a content size are legal: try doubling buffers up to the bound.</summary>
    static ReadOnlyMemory<byte> Growing(ReadOnlySpan<byte> frame, IBlobCodec codec, string where)
    {
        using var stream = new ZstdStream();
        return stream.TryDecompress(frame, MaximumPlain, out var json) ? json
            : throw RepositoryException.Damaged(where, "its zstd frame is broken or too large.");
    }
}
