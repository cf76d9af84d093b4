using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace BackupDr.Engine.Crypto;

/// <summary>AES-256 in counter mode in managed code: the twin of libcrypto's, byte for byte.</summary>
/// <remarks>Source: NIST SP 800-38A; docs/format/restic-v2.md, F-3.2.</remarks>
public static class AesCtr
{
    const int Block = 16, Batch = 4096;

    /// <summary>Encrypts or decrypts <paramref name="data"/> in place.</summary>
    /// <param name="key">32 bytes.</param>
    /// <param name="iv">16 bytes: the first counter block, a big-endian number that wraps.</param>
    /// <param name="data">Any length.</param>
    public static void Apply(ReadOnlySpan<byte> key, ReadOnlySpan<byte> iv, Span<byte> data)
    {
        using var aes = Aes.Create();
        aes.Key = key.ToArray();
        Span<byte> counters = stackalloc byte[Batch], stream = stackalloc byte[Batch];
        var counter = BinaryPrimitives.ReadUInt128BigEndian(iv);
        while (!data.IsEmpty)
        {
            var blocks = Math.Min(Batch / Block, (data.Length + Block - 1) / Block);
            for (var i = 0; i < blocks; i++)
            {
                BinaryPrimitives.WriteUInt128BigEndian(counters[(i * Block)..], counter);
                counter = unchecked(counter + 1);   // wraps by definition
            }
            var used = blocks * Block;
            aes.EncryptEcb(counters[..used], stream[..used], PaddingMode.None);
            var length = Math.Min(used, data.Length);
            Xor(data[..length], stream);
            data = data[length..];
        }
    }

    static void Xor(Span<byte> data, ReadOnlySpan<byte> stream)
    {
        var vectors = MemoryMarshal.Cast<byte, Vector<byte>>(data);
        var keys = MemoryMarshal.Cast<byte, Vector<byte>>(stream);
        for (var i = 0; i < vectors.Length; i++) vectors[i] ^= keys[i];
        for (var i = vectors.Length * Vector<byte>.Count; i < data.Length; i++) data[i] ^= stream[i];
    }
}
