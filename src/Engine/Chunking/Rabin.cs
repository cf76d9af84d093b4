namespace BackupDr.Engine.Chunking;

/// <summary>Stock restic's chunks, by the repository's own polynomial: 512 KiB at least, 8 MiB at most, a cut at 20 zero bits.</summary>
/// <remarks>
/// Source: docs/format/restic-v2.md, F-10.4; M. O. Rabin, "Fingerprinting by random polynomials", 1981. The window needs no buffer of
/// its own: what leaves it lies 64 bytes back in the same chunk.
/// </remarks>
public sealed class Rabin : IChunker
{
    const int Window = 64;
    const ulong CutMask = (1 << 20) - 1;

    readonly ulong[] _leaving = new ulong[256], _reduction = new ulong[256];
    readonly int _shift;

    /// <summary>Prepares the tables of one polynomial.</summary>
    /// <param name="polynomial">Irreducible, degree 53; the repository's.</param>
    public Rabin(ulong polynomial)
    {
        var degree = Polynomial.Degree(polynomial);
        _shift = degree - 8;
        for (var b = 0UL; b < 256; b++) _reduction[b] = Polynomial.Modulo(b << degree, polynomial) ^ (b << degree);
        for (var b = 0; b < 256; b++)
        {
            var digest = Append(_reduction, _shift, 0, (byte)b);
            for (var i = 1; i < Window; i++) digest = Append(_reduction, _shift, digest, 0);
            _leaving[b] = digest;
        }
    }

    /// <inheritdoc/>
    public int Minimum => 512 << 10;

    /// <inheritdoc/>
    public int Maximum => 8 << 20;

    /// <inheritdoc/>
    public int ZeroChunk => Minimum;   // the digest of 64 zeros is 0 by every polynomial, and that is a cut

    /// <inheritdoc/>
    public int FindCut(ReadOnlySpan<byte> data, int scanned, ref ulong state)
    {
        var minimum = Minimum;
        var at = Math.Max(scanned, minimum - Window);
        if (data.Length <= at) return 0;
        var (leaving, reduction, shift) = (_leaving, _reduction, _shift);
        // A chunk's window starts as 63 zeros behind a single 1, whose digest is 1.
        var digest = at == minimum - Window ? 1 : state;
        for (var end = Math.Min(minimum - 1, data.Length); at < end; at++) digest = Append(reduction, shift, digest, data[at]);
        if (at == minimum - 1 && at < data.Length)
        {
            digest = Append(reduction, shift, digest ^ leaving[1], data[at++]);
            if ((digest & CutMask) == 0) return at;
        }
        for (var end = Math.Min(Maximum, data.Length); at < end; at++)
        {
            digest = Append(reduction, shift, digest ^ leaving[data[at - Window]], data[at]);
            if ((digest & CutMask) == 0) return at + 1;
        }
        state = digest;
        return at >= Maximum ? Maximum : 0;
    }

    static ulong Append(ulong[] reduction, int shift, ulong digest, byte value)
        => unchecked((digest << 8) | value) ^ reduction[digest >> shift];
}
