using System.Security.Cryptography;
using BackupDr.Engine.Compression;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Memory;

namespace BackupDr.Engine.Blobs;

/// <summary>What one worker needs to make and open sealed blobs: cipher and codec contexts, and scratch memory that is reused.</summary>
sealed class BlobWorkbench(MasterKey key, int compressionLevel, BufferPool buffers) : IDisposable
{
    /// <summary>What to do where something does not read back as it was written.</summary>
    public const string BadMemory = "Test this machine's memory before anything else is backed up.";

    byte[] _scratch = [];

    public SealedBox Box { get; } = new(key);
    public IBlobCodec Codec { get; } = new ZstdCodec(compressionLevel);

    /// <summary>
    /// Makes the sealed form of a blob in this bench's scratch memory; valid until the next call. It was opened again and compared with
    /// the bytes that went in: a codec bug or bad memory must not leave this machine as a good-looking blob.
    /// </summary>
    /// <param name="type">Trees are always compressed; data only where it shrinks.</param>
    /// <param name="plain">The bytes, at least one.</param>
    /// <param name="plainLength">The header's field: 0 where stored as it is.</param>
    /// <exception cref="InvalidOperationException">It does not read back as it was.</exception>
    public ReadOnlySpan<byte> Seal(BlobType type, ReadOnlySpan<byte> plain, out uint plainLength)
    {
        var bound = Codec.Bound(plain.Length);
        Grow(Math.Max(bound, plain.Length) + SealedBox.Overhead);
        var length = 0;
        plainLength = 0;
        if (type == BlobType.Tree || !LooksIncompressible(plain))
        {
            length = Codec.Compress(plain, _scratch.AsSpan(SealedBox.IvSize, bound));
            plainLength = (uint)plain.Length;
        }
        if (plainLength == 0 || (type == BlobType.Data && length >= plain.Length))
        {
            plain.CopyTo(_scratch.AsSpan(SealedBox.IvSize));
            (length, plainLength) = (plain.Length, 0);
        }
        var box = _scratch.AsSpan(0, length + SealedBox.Overhead);
        Box.Seal(box);
        if (!ReadsBack(box, plainLength, plain))
            throw new InvalidOperationException($"A new blob of {plain.Length} bytes does not read back as it was. {BadMemory}");
        return box;
    }

    bool ReadsBack(ReadOnlySpan<byte> box, uint plainLength, ReadOnlySpan<byte> plain)
    {
        var copy = buffers.Rent(box.Length);
        var decoded = buffers.Rent(plainLength == 0 ? 0 : plain.Length);
        try
        {
            box.CopyTo(copy);
            if (!Box.TryOpen(copy.AsSpan(0, box.Length), out var opened)) return false;
            if (plainLength == 0) return opened.SequenceEqual(plain);
            var target = decoded.AsSpan(0, plain.Length);
            return Codec.TryDecompress(opened, target) && target.SequenceEqual(plain);
        }
        finally
        {
            buffers.Return(copy);
            buffers.Return(decoded);
        }
    }

    /// <summary>Opens a sealed blob and checks that it is what the index says.</summary>
    /// <param name="box">The sealed bytes; opened in place.</param>
    /// <param name="entry">What it must be.</param>
    /// <param name="target">At least <see cref="PackEntry.DecodedLength"/> bytes; filled with the plain bytes.</param>
    /// <param name="wrong">What is wrong, or null.</param>
    public bool TryOpen(Span<byte> box, PackEntry entry, Span<byte> target, out string? wrong)
    {
        wrong = null;
        var plain = target[..(int)entry.DecodedLength];
        if (!Box.TryOpen(box, out var opened)) wrong = "it does not open with the repository's key; bytes were changed";
        else if (entry.PlainLength == 0) opened.CopyTo(plain);
        else if (!Codec.TryDecompress(opened, plain)) wrong = "its zstd frame is broken or has another length";
        if (wrong is not null) return false;
        Span<byte> hash = stackalloc byte[BlobId.Size];
        SHA256.HashData(plain, hash);
        if (new BlobId(hash) == entry.Id) return true;
        wrong = "its content does not match its id";
        return false;
    }

    /// <summary>A probe of 4 KiB in the middle that does not shrink by 2 % speaks for media, archives and encrypted files.</summary>
    bool LooksIncompressible(ReadOnlySpan<byte> plain)
    {
        const int Probe = 4096;
        if (plain.Length < 16 * Probe) return false;
        var scratch = _scratch.AsSpan(0, Codec.Bound(Probe));
        for (var part = 1; part <= 3; part++)
            if (Codec.Compress(plain.Slice(plain.Length / 4 * part, Probe), scratch) < Probe - Probe / 50) return false;
        return true;
    }

    void Grow(int length)
    {
        if (_scratch.Length < length)
            _scratch = GC.AllocateUninitializedArray<byte>((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)length));
    }

    public void Dispose()
    {
        Box.Dispose();
        Codec.Dispose();
    }
}
