using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace BackupDr.Engine.Crypto;

/// <summary>scrypt: libcrypto's where it is there, else the managed twin that gives the same bytes.</summary>
/// <remarks>Source: RFC 7914.</remarks>
public static class Scrypt
{
    /// <summary>Derives <paramref name="length"/> bytes.</summary>
    public static unsafe byte[] Derive(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int n, int r, int p, int length)
    {
        if (!LibCrypto.IsPresent) return DeriveManaged(password, salt, n, r, p, length);
        var key = new byte[length];
        var memory = 128UL * (ulong)n * (ulong)r + 128UL * (ulong)r * (ulong)p + (1 << 20);
        byte none = 0;
        fixed (byte* passwordAt = password, saltAt = salt, keyAt = key)
        {
            var done = LibCrypto.EVP_PBE_scrypt(password.IsEmpty ? &none : passwordAt, (nuint)password.Length,
                salt.IsEmpty ? &none : saltAt, (nuint)salt.Length,
                (ulong)n, (ulong)r, (ulong)p, memory, keyAt, (nuint)length);
            if (done != 1) throw new CryptographicException($"scrypt with N={n}, r={r}, p={p} failed; it needs {memory >> 20} MiB.");
        }
        return key;
    }

    /// <summary>The managed twin.</summary>
    public static byte[] DeriveManaged(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int n, int r, int p, int length)
    {
        var blocks = Pbkdf2(password, salt, p * 128 * r);
        var words = new uint[32 * r];
        var memory = new uint[checked(32L * r * n)];
        for (var i = 0; i < p; i++)
        {
            var block = blocks.AsSpan(i * 128 * r, 128 * r);
            for (var w = 0; w < words.Length; w++) words[w] = BinaryPrimitives.ReadUInt32LittleEndian(block[(4 * w)..]);
            Mix(words, memory, n, r);
            for (var w = 0; w < words.Length; w++) BinaryPrimitives.WriteUInt32LittleEndian(block[(4 * w)..], words[w]);
        }
        return Pbkdf2(password, blocks, length);
    }

#pragma warning disable CA5387, CA5379 // scrypt itself asks for one PBKDF2 round; its strength lies in the memory between.
    static byte[] Pbkdf2(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int length)
        => Rfc2898DeriveBytes.Pbkdf2(password, salt, 1, HashAlgorithmName.SHA256, length);
#pragma warning restore CA5387, CA5379

    static void Mix(uint[] x, uint[] v, int n, int r)
    {
        var size = x.Length;
        var scratch = new uint[size];
        for (var i = 0; i < n; i++)
        {
            x.CopyTo(v.AsSpan(i * size));
            BlockMix(x, scratch, r);
        }
        for (var i = 0; i < n; i++)
        {
            var j = (int)(x[(2 * r - 1) * 16] & (uint)(n - 1));
            var other = v.AsSpan(j * size, size);
            for (var w = 0; w < size; w++) x[w] ^= other[w];
            BlockMix(x, scratch, r);
        }
    }

    static void BlockMix(uint[] b, uint[] y, int r)
    {
        Span<uint> x = stackalloc uint[16];
        b.AsSpan((2 * r - 1) * 16, 16).CopyTo(x);
        for (var i = 0; i < 2 * r; i++)
        {
            for (var w = 0; w < 16; w++) x[w] ^= b[i * 16 + w];
            Salsa8(x);
            x.CopyTo(y.AsSpan((i / 2 + (i & 1) * r) * 16));
        }
        y.CopyTo(b, 0);
    }

    static void Salsa8(Span<uint> b)
    {
        unchecked   // additions modulo 2^32 by definition
        {
            Span<uint> x = stackalloc uint[16];
            b.CopyTo(x);
            for (var round = 0; round < 4; round++)
            {
                for (var c = 0; c < 4; c++) Quarter(x, 5 * c, (5 * c + 4) & 15, (5 * c + 8) & 15, (5 * c + 12) & 15);
                for (var row = 0; row < 4; row++)
                    Quarter(x, 5 * row, 4 * row + ((row + 1) & 3), 4 * row + ((row + 2) & 3), 4 * row + ((row + 3) & 3));
            }
            for (var i = 0; i < 16; i++) b[i] += x[i];
        }
    }

    static void Quarter(Span<uint> x, int a, int b, int c, int d)
    {
        unchecked
        {
            x[b] ^= BitOperations.RotateLeft(x[a] + x[d], 7);
            x[c] ^= BitOperations.RotateLeft(x[b] + x[a], 9);
            x[d] ^= BitOperations.RotateLeft(x[c] + x[b], 13);
            x[a] ^= BitOperations.RotateLeft(x[d] + x[c], 18);
        }
    }
}
