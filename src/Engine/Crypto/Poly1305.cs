using System.Buffers.Binary;

namespace BackupDr.Engine.Crypto;

/// <summary>Poly1305 in managed code: the twin of libcrypto's, byte for byte.</summary>
/// <remarks>Source: RFC 8439, section 2.5. Two 64-bit limbs and a small third one.</remarks>
public static class Poly1305
{
    /// <summary>Length of a tag in bytes.</summary>
    public const int TagSize = 16;

    /// <summary>Computes the tag of <paramref name="message"/>.</summary>
    /// <param name="r">16 bytes; clamped here.</param>
    /// <param name="s">16 bytes, added at the end.</param>
    /// <param name="message">Any length.</param>
    /// <param name="tag">16 bytes.</param>
    public static void Tag(ReadOnlySpan<byte> r, ReadOnlySpan<byte> s, ReadOnlySpan<byte> message, Span<byte> tag)
    {
        unchecked   // limb arithmetic modulo 2^64 with explicit carries
        {
            var r0 = BinaryPrimitives.ReadUInt64LittleEndian(r) & 0x0FFFFFFC0FFFFFFF;
            var r1 = BinaryPrimitives.ReadUInt64LittleEndian(r[8..]) & 0x0FFFFFFC0FFFFFFC;
            ulong h0 = 0, h1 = 0, h2 = 0;
            while (message.Length >= 16)
            {
                Absorb(ref h0, ref h1, ref h2, message, 1);
                Multiply(ref h0, ref h1, ref h2, r0, r1);
                message = message[16..];
            }
            if (!message.IsEmpty)
            {
                Span<byte> last = stackalloc byte[16];
                last.Clear();
                message.CopyTo(last);
                last[message.Length] = 1;
                Absorb(ref h0, ref h1, ref h2, last, 0);
                Multiply(ref h0, ref h1, ref h2, r0, r1);
            }
            Finish(h0, h1, h2, s, tag);
        }
    }

    static void Absorb(ref ulong h0, ref ulong h1, ref ulong h2, ReadOnlySpan<byte> block, ulong top)
    {
        unchecked
        {
            var sum = (UInt128)h0 + BinaryPrimitives.ReadUInt64LittleEndian(block);
            h0 = (ulong)sum;
            sum = (UInt128)h1 + BinaryPrimitives.ReadUInt64LittleEndian(block[8..]) + (ulong)(sum >> 64);
            h1 = (ulong)sum;
            h2 += (ulong)(sum >> 64) + top;
        }
    }

    static void Multiply(ref ulong h0, ref ulong h1, ref ulong h2, ulong r0, ulong r1)
    {
        unchecked
        {
            UInt128 d0 = (UInt128)h0 * r0;
            UInt128 d1 = (UInt128)h0 * r1 + (UInt128)h1 * r0;
            UInt128 d2 = (UInt128)h1 * r1 + (UInt128)h2 * r0;
            var d3 = h2 * r1;
            d1 += (ulong)(d0 >> 64);
            d2 += (ulong)(d1 >> 64);
            d3 += (ulong)(d2 >> 64);
            (h0, h1) = ((ulong)d0, (ulong)d1);
            var high = (ulong)d2;
            h2 = high & 3;
            // What lies above 2^130 counts five times: once as it stands (times 4/4) and a quarter of it.
            UInt128 carry = ((UInt128)d3 << 64) | (high & ~3UL);
            UInt128 low = ((UInt128)h1 << 64) | h0;
            var sum = low + carry;
            if (sum < low) h2++;
            low = sum;
            sum += carry >> 2;
            if (sum < low) h2++;
            (h0, h1) = ((ulong)sum, (ulong)(sum >> 64));
        }
    }

    static void Finish(ulong h0, ulong h1, ulong h2, ReadOnlySpan<byte> s, Span<byte> tag)
    {
        unchecked
        {
            // h - p, chosen without a branch where it is not negative.
            UInt128 sum = (UInt128)h0 + 5;
            var g0 = (ulong)sum;
            sum = (UInt128)h1 + (ulong)(sum >> 64);
            var g1 = (ulong)sum;
            var take = 0UL - ((h2 + (ulong)(sum >> 64)) >> 2 & 1);
            UInt128 low = ((UInt128)((h1 & ~take) | (g1 & take)) << 64) | ((h0 & ~take) | (g0 & take));
            BinaryPrimitives.WriteUInt128LittleEndian(tag, low + BinaryPrimitives.ReadUInt128LittleEndian(s));
        }
    }
}
