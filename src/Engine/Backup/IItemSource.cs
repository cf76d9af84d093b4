using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>What a backup reads from: a tree of folders and files. Implemented by each source; the engine owns the interface.</summary>
/// <remarks>
/// The engine walks it depth first, sorts what a folder lists by name bytes, opens files from several threads at once and closes everything
/// it opened. Problems with single entries are reported through <see cref="ISourceProblems"/> and make the run incomplete, never end it.
/// </remarks>
public interface IItemSource : IDisposable
{
    /// <summary>Absolute paths as the snapshot names them (restic's <c>paths</c>).</summary>
    IReadOnlyList<FilePath> Paths { get; }

    /// <summary>The root of the snapshot: for absolute targets a folder whose entries lead down to them ("srv" of "/srv/data").</summary>
    /// <exception cref="BackupDrException">A target does not exist or cannot be read at all.</exception>
    ISourceFolder OpenRoot(ISourceProblems problems);

    /// <summary>Whether a file whose size, times and inode are those of the parent snapshot may be taken over without being read. Asked
    /// only for such files.</summary>
    /// <param name="path">Its path in the snapshot.</param>
    /// <param name="file">The file as it is now.</param>
    bool IsSettled(FilePath path, Node file) => true;
}

/// <summary>A source with files that come into being, or may only be read, when all the others have been read: what ends a database's
/// backup.</summary>
public interface IClosingSource : IItemSource
{
    /// <summary>Whether a listed file or folder is such a one. It is then left to <see cref="OpenClosing"/>.</summary>
    /// <param name="path">Its path in the snapshot.</param>
    bool IsClosing(FilePath path);

    /// <summary>Called once, when every other file has been read to its end. What it throws ends the run, and nothing is published.
    /// </summary>
    Task Close(ISourceProblems problems, CancellationToken ct);

    /// <summary>Opens such a file, after <see cref="Close"/>; null where it did not come into being.</summary>
    ISourceFile? OpenClosing(FilePath path, ISourceProblems problems);

    /// <summary>Opens such a folder, after <see cref="Close"/>. It holds files only.</summary>
    ISourceFolder OpenClosingFolder(FilePath path, ISourceProblems problems);
}

/// <summary>An open folder of a source. Used by one thread at a time; folders of one source may be used in parallel.</summary>
public interface ISourceFolder : IDisposable
{
    /// <summary>Everything in the folder that the selection takes, with metadata, in no order. Entries that vanished meanwhile are left
    /// out; entries that cannot be read are reported and left out.</summary>
    IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct);

    /// <summary>Opens a child folder; null where it vanished or cannot be opened (reported).</summary>
    ISourceFolder? OpenFolder(Node folder, ISourceProblems problems);

    /// <summary>Opens a child file for reading; null where it vanished or cannot be opened (reported).</summary>
    ISourceFile? OpenFile(Node file, ISourceProblems problems);
}

/// <summary>An open file of a source. Reads at any offset, from several threads at once.</summary>
public interface ISourceFile : IDisposable
{
    /// <summary>Length now, in bytes; a file may grow or shrink while it is read.</summary>
    long SizeBytes { get; }

    /// <summary>Fills as much of <paramref name="target"/> as there is from <paramref name="offset"/>; 0 at the end.</summary>
    /// <exception cref="BackupDrException">The read failed; the engine reports the file as a problem.</exception>
    int Read(long offset, Span<byte> target);

    /// <summary>How many bytes from <paramref name="offset"/> on are known to be zeros without reading them, because the file has a hole
    /// there; 0 where that is not known.</summary>
    long ZerosAt(long offset) => 0;

    /// <summary>Bytes of the fixed chunks that the file is cut into, a power of two from 16 KiB to 8 MiB; null where the engine chooses.
    /// </summary>
    int? ChunkBytes => null;

    /// <summary>Whether a mix of old and new will do, because a log that is stored too mends it. Such a file is not read a second time
    /// where it changed while it was read, and nobody is told.</summary>
    bool MayBeTorn => false;

    /// <summary>Metadata as it is now, read from the open file: the engine stores this one, so size and times fit what was read.</summary>
    Node Stat();
}

/// <summary>Where a source says what it could not take. Safe for concurrent use.</summary>
public interface ISourceProblems
{
    /// <summary>Something of the selection is missing from the snapshot: the run becomes incomplete and lists it.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="message">What happened, for example "open: Permission denied".</param>
    void Missing(FilePath path, string message);

    /// <summary>Worth telling, but nothing is missing: a socket was skipped, a file changed while it was read.</summary>
    void Remark(FilePath path, string message);

    /// <summary>The selection leaves something out, and that is right so: nothing is missing.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="reason">By which rule, for example "matches '*.tmp' (--exclude)".</param>
    void LeftOut(FilePath path, string reason) { }
}
