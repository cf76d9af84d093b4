using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace BackupDr.Engine.Blobs;

/// <summary>SHA-256 of a plain blob: 32 bytes held inline, no array behind it.</summary>
public readonly record struct BlobId : IComparable<BlobId>
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 32;
    readonly ulong _a, _b, _c, _d;

    /// <summary>Copies 32 bytes.</summary>
    public BlobId(ReadOnlySpan<byte> hash)
    {
        if (hash.Length != Size) throw new ArgumentException($"A blob id is {Size} bytes, not {hash.Length}.", nameof(hash));
        var words = MemoryMarshal.Cast<byte, ulong>(hash);
        (_a, _b, _c, _d) = (words[0], words[1], words[2], words[3]);
    }

    /// <summary>Writes the 32 bytes.</summary>
    public void CopyTo(Span<byte> target) => MemoryMarshal.Write(target, in this);

    /// <summary>Reads 64 lower-case hex characters; false for anything else.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out BlobId id)
    {
        id = default;
        if (text is not { Length: 2 * Size }) return false;
        foreach (var letter in text)
            if (!char.IsAsciiHexDigitLower(letter)) return false;
        id = new BlobId(Convert.FromHexString(text));
        return true;
    }

    /// <summary>The first 8 bytes as a number that orders like the bytes.</summary>
    public ulong Prefix => BinaryPrimitives.ReverseEndianness(_a);

    /// <summary>Order of the bytes.</summary>
    public int CompareTo(BlobId other)
    {
        if (_a != other._a) return Order(_a, other._a);
        if (_b != other._b) return Order(_b, other._b);
        return _c != other._c ? Order(_c, other._c) : Order(_d, other._d);
    }

    static int Order(ulong left, ulong right)
        => BinaryPrimitives.ReverseEndianness(left).CompareTo(BinaryPrimitives.ReverseEndianness(right));

    /// <summary>64 lower-case hex characters.</summary>
    public override string ToString()
    {
        Span<byte> hash = stackalloc byte[Size];
        CopyTo(hash);
        return Convert.ToHexStringLower(hash);
    }

    /// <summary>The hash is uniform already; the index hashes millions of these.</summary>
    public override int GetHashCode() => unchecked((int)_a);
}
