using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>An open file on disk.</summary>
sealed class DiskFile : ISourceFile
{
    readonly Descriptor _file;
    readonly FilePath _name;

    DiskFile(Descriptor file, FilePath name) => (_file, _name) = (file, name);

    /// <summary>Opens a child of <paramref name="folder"/> that was listed as a file; null (reported) where it is none any more.</summary>
    public static DiskFile? Open(Descriptor folder, FilePath folderPath, Node node, ISourceProblems problems)
    {
        // Non-blocking: should a fifo stand there now, opening it must not wait for a writer.
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;
        var errno = AccountNames.IsRoot ? folder.TryOpenAt(node.Name.Bytes, flags | OpenFlags.NoAccessTime, 0, out var file)
            : folder.TryOpenAt(node.Name.Bytes, flags, 0, out file);
        // root of a container is no owner of everything
        if (errno == Errno.EPERM) errno = folder.TryOpenAt(node.Name.Bytes, flags, 0, out file);
        if (errno != Errno.None)
        {
            Report(folderPath.Join(node.Name.Bytes), errno, problems);
            return null;
        }
        if (file!.Stat().Kind == FileKind.File) return new DiskFile(file, node.Name);
        file.Dispose();
        problems.Missing(folderPath.Join(node.Name.Bytes), "No longer a file: replaced by something else while the backup ran.");
        return null;
    }

    /// <summary>Tells why an entry cannot be opened. One that is gone is nobody's loss; everything else is missing from the
    /// snapshot.</summary>
    public static void Report(FilePath path, Errno errno, ISourceProblems problems)
    {
        if (errno == Errno.ENOENT) problems.Remark(path, "Vanished before it was read.");
        else problems.Missing(path, $"open: {PosixException.Describe(errno)}");
    }

    public long SizeBytes => _file.Stat().SizeBytes;

    public int Read(long offset, Span<byte> target) => _file.ReadAt(offset, target);

    public Node Stat() => NodeReader.OfOpen(_file, _name);

    public void Dispose() => _file.Dispose();
}
