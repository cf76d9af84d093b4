using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace BackupDr.Engine.Chunking;

/// <summary>Polynomials over GF(2) as bit strings, as far as a repository's config needs them.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-2.3; irreducibility by Ben-Or's test.</remarks>
public static class Polynomial
{
    const int ConfigDegree = 53;

    /// <summary>Highest power with a coefficient; -1 for zero.</summary>
    public static int Degree(ulong polynomial) => 63 - BitOperations.LeadingZeroCount(polynomial);

    /// <summary>A random irreducible one of degree 53.</summary>
    public static ulong RandomIrreducible()
    {
        Span<byte> bytes = stackalloc byte[8];
        while (true)
        {
            RandomNumberGenerator.Fill(bytes);
            var candidate = BinaryPrimitives.ReadUInt64LittleEndian(bytes) & ((1UL << ConfigDegree) - 1) | (1UL << ConfigDegree) | 1;
            if (IsIrreducible(candidate)) return candidate;
        }
    }

    /// <summary>Whether it has no factor but itself and 1.</summary>
    public static bool IsIrreducible(ulong polynomial)
    {
        var degree = Degree(polynomial);
        if (degree < 1) return false;
        var power = 2UL;   // x
        for (var i = 1; i <= degree / 2; i++)
        {
            power = MultiplyModulo(power, power, polynomial);   // x^(2^i)
            if (GreatestCommonDivisor(polynomial, power ^ 2UL) != 1) return false;
        }
        return true;
    }

    /// <summary>Remainder of a division.</summary>
    public static ulong Modulo(ulong a, ulong modulus)
    {
        var degree = Degree(modulus);
        for (var d = Degree(a); d >= degree; d = Degree(a)) a ^= modulus << (d - degree);
        return a;
    }

    static ulong MultiplyModulo(ulong a, ulong b, ulong modulus)
    {
        var degree = Degree(modulus);
        a = Modulo(a, modulus);
        ulong product = 0;
        for (; b != 0; b >>= 1)
        {
            if ((b & 1) != 0) product ^= a;
            a <<= 1;
            if ((a >> degree & 1) != 0) a ^= modulus;
        }
        return product;
    }

    static ulong GreatestCommonDivisor(ulong a, ulong b)
    {
        while (b != 0) (a, b) = (b, Modulo(a, b));
        return a;
    }
}
