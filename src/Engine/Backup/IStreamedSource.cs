using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>A source whose files come one after another or mixed, as a program writes them, instead of being walked and opened.</summary>
public interface IStreamedSource : IDisposable
{
    /// <summary>Absolute paths as the snapshot names them (restic's <c>paths</c>).</summary>
    IReadOnlyList<FilePath> Paths { get; }

    /// <summary>Hands everything to <paramref name="target"/>. Where it returns, the snapshot is published; what it throws ends the run,
    /// and
    /// nothing is.</summary>
    Task Stream(IStreamTarget target, ISourceProblems problems, CancellationToken ct);
}

/// <summary>Takes what an <see cref="IStreamedSource"/> has. For one thread.</summary>
public interface IStreamTarget
{
    /// <summary>A folder of the snapshot; the folders above it come first.</summary>
    /// <param name="path">Its path in the snapshot.</param>
    /// <param name="node">Its metadata.</param>
    void AddFolder(FilePath path, Node node);

    /// <summary>Begins a file in a folder that was added. Any number of files may be open at a time.</summary>
    /// <param name="path">Its path in the snapshot.</param>
    /// <param name="chunkBytes">Bytes of the fixed chunks that it is cut into, a power of two from 16 KiB to 8 MiB; null where the engine
    /// chooses.</param>
    /// <returns>The file; it takes the place of an earlier one of that path.</returns>
    IStreamedFile Begin(FilePath path, int? chunkBytes);

    /// <summary>Takes a file back; false where there is none.</summary>
    bool Remove(FilePath path);

    /// <summary>Gives a file another path, in place of what was there; false where there is none.</summary>
    bool Rename(FilePath path, FilePath to);
}

/// <summary>A file that comes. For one thread.</summary>
public interface IStreamedFile
{
    /// <summary>Bytes so far.</summary>
    long LengthBytes { get; }

    /// <summary>What comes next; waits where the store is slower than the source.</summary>
    ValueTask Append(ReadOnlyMemory<byte> bytes, CancellationToken ct);

    /// <summary>So many zeros come next.</summary>
    ValueTask AppendZeros(long count, CancellationToken ct);

    /// <summary>It is whole. Files that are not ended are no part of the snapshot.</summary>
    /// <param name="node">Its metadata; name and length are filled in.</param>
    /// <param name="ct">Cancels.</param>
    ValueTask End(Node node, CancellationToken ct);
}
