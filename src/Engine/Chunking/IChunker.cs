namespace BackupDr.Engine.Chunking;

/// <summary>Decides where a stream is cut. Stateless between calls: a cut depends on the bytes of the chunk alone.</summary>
public interface IChunker
{
    /// <summary>Fewest bytes of a chunk that is not the last.</summary>
    int Minimum { get; }

    /// <summary>Most bytes of a chunk.</summary>
    int Maximum { get; }

    /// <summary>Length of the chunk that begins a run of at least as many zeros, so that nobody has to scan them.</summary>
    int ZeroChunk { get; }

    /// <summary>Looks for the end of the chunk that starts <paramref name="data"/>.</summary>
    /// <param name="data">Bytes from the chunk's start on, at most <see cref="Maximum"/>.</param>
    /// <param name="scanned">How many of them an earlier call for the same chunk saw; the state is carried in
    /// <paramref name="state"/>.</param>
    /// <param name="state">0 for a new chunk; else as the earlier call left it.</param>
    /// <returns>Length of the chunk, or 0 where more bytes are needed.</returns>
    int FindCut(ReadOnlySpan<byte> data, int scanned, ref ulong state);
}
