using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Restore;

/// <summary>Where a restore writes. Implemented by the files source; the engine owns the interface.</summary>
/// <remarks>
/// Paths are relative to the target: a list of names that the engine has checked (no slash, NUL, "." or ".."). An implementation never
/// leaves the target and never follows a link on the way. Folders come before what lies in them; <see cref="FinishFolder"/> comes after
/// all of it, children before parents. Files are written out of order and from several threads at once. Failures of single entries are
/// thrown as <see cref="BackupDrException"/>; the engine lists them and goes on.
/// </remarks>
public interface IRestoreTarget : IDisposable
{
    /// <summary>Makes the folder, or takes an existing one; usable by us whatever its final mode.</summary>
    void MakeFolder(IReadOnlyList<FilePath> path, Node folder);

    /// <summary>What the overwrite policy does with what stands where an entry belongs. Changes nothing.</summary>
    /// <remarks>Asked only below folders that stood there before, so that a restore into an empty place costs nothing.</remarks>
    RestoreChoice Look(IReadOnlyList<FilePath> path, Node node) => RestoreChoice.Create;

    /// <summary>Opens the regular file that stands where <paramref name="file"/> belongs; null where there is none that can be read.
    /// </summary>
    IExistingFile? OpenExisting(IReadOnlyList<FilePath> path, Node file) => null;

    /// <summary>Opens a file to be written; null where the overwrite policy keeps what is there.</summary>
    IRestoreFile? OpenFile(IReadOnlyList<FilePath> path, Node file);

    /// <summary>Makes a symbolic link, fifo or device node with its metadata.</summary>
    void MakeSpecial(IReadOnlyList<FilePath> path, Node node);

    /// <summary>Makes a further name of a file that was restored before.</summary>
    void MakeHardLink(IReadOnlyList<FilePath> path, IReadOnlyList<FilePath> existing, Node node);

    /// <summary>Applies owner, mode, attributes and times of a folder.</summary>
    void FinishFolder(IReadOnlyList<FilePath> path, Node folder);

    /// <summary>
    /// Called once, after everything else: makes what was restored durable. A restore that did not get here is not complete.
    /// </summary>
    /// <exception cref="BackupDrException">The device did not take all of it.</exception>
    void Complete() { }
}

/// <summary>A file being restored. Writes may come from several threads at once, each range once.</summary>
public interface IRestoreFile : IDisposable
{
    /// <summary>Writes all of <paramref name="data"/> at <paramref name="offset"/>.</summary>
    void Write(long offset, ReadOnlySpan<byte> data);

    /// <summary>All ranges are written: sets the length, applies metadata and puts the file under its name.</summary>
    void Finish(Node file);
}

/// <summary>What happens to the place of an entry.</summary>
public enum RestoreChoice
{
    /// <summary>Nothing stands there.</summary>
    Create,
    /// <summary>What stands there may be replaced or changed.</summary>
    Replace,
    /// <summary>What stands there stays.</summary>
    Keep,
}

/// <summary>A file that stood in the target before: compared, and where it pays mended in place instead of written anew.</summary>
public interface IExistingFile : IRestoreFile
{
    /// <summary>Fills <paramref name="target"/> from <paramref name="offset"/>; fewer bytes only at the end of the file.</summary>
    int Read(long offset, Span<byte> target);

    /// <summary>Its length in bytes.</summary>
    long SizeBytes { get; }

    /// <summary>Whether it has further names, so that a change would reach farther than this one.</summary>
    bool IsShared { get; }

    /// <summary>
    /// Marks the file, durably, as one that is being rewritten; whoever finds the mark after a crash takes it for neither old nor new.
    /// <see cref="IRestoreFile.Finish"/> takes the mark away. False where it cannot be changed in place or cannot be marked.
    /// </summary>
    bool TryBeginMending();
}
