using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>An open file on disk. What lies in holes is not read.</summary>
sealed class DiskFile : ISourceFile
{
    /// <summary>Shorter holes are read like data: asking where they end costs as much.</summary>
    const int SmallestHole = 64 << 10;

    readonly Descriptor _file;
    readonly FilePath _name;
    volatile bool _hasHoles;

    DiskFile(Descriptor file, FilePath name, bool hasHoles) => (_file, _name, _hasHoles) = (file, name, hasHoles);

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
        var status = file!.Stat();
        if (status.Kind == FileKind.File) return new DiskFile(file, node.Name, status.AllocatedBytes < status.SizeBytes);
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

    public int Read(long offset, Span<byte> target)
    {
        if (ZerosAt(offset) is var zeros and > 0)
        {
            target = target[..(int)Math.Min(zeros, target.Length)];
            target.Clear();
            return target.Length;
        }
        return _file.ReadAt(offset, target[..(int)Math.Min(DataAt(offset), target.Length)]);
    }

    public long ZerosAt(long offset)
    {
        if (!_hasHoles) return 0;
        try
        {
            // No more data: a hole up to the end, unless that is behind us.
            var zeros = (_file.NextData(offset) ?? SizeBytes) - offset;
            return zeros >= SmallestHole ? zeros : 0;
        }
        catch (PosixException)   // the file system does not tell; what stands in the way of reading too, the reading will say
        {
            _hasHoles = false;
            return 0;
        }
    }

    // How many bytes are worth reading at once.
    long DataAt(long offset)
    {
        if (!_hasHoles) return long.MaxValue;
        try { return Math.Max(_file.NextHole(offset) - offset, SmallestHole); }
        catch (PosixException) { return long.MaxValue; }   // also at the end of the file: ENXIO
    }

    public Node Stat() => NodeReader.OfOpen(_file, _name);

    public void Dispose() => _file.Dispose();
}
