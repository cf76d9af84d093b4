using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>A regular file that stood in the target before: read to be compared, written in place where only parts of it differ.</summary>
/// <remarks>
/// A file that is being mended has an attribute that says so, set and synced before its first byte changes and taken away after its
/// content is synced. After a kill or a power cut at any moment it is therefore either what it was, or whole, or known to be neither.
/// </remarks>
sealed class StandingFile(FileTarget target, Descriptor file, bool isWritable, IReadOnlyList<FilePath> path) : IExistingFile
{
    const string Mark = "user.backupdr.restoring";
    bool _isMending = HasMark(file);

    /// <summary>Whether a restore that did not end left the file between old and new.</summary>
    public static bool HasMark(Descriptor file)
    {
        foreach (var (name, _) in file.Attributes())
            if (name == Mark) return true;
        return false;
    }

    public long SizeBytes => file.Stat().SizeBytes;

    public bool IsShared => file.Stat().Links != 1;

    public int Read(long offset, Span<byte> bytes) => file.FillAt(offset, bytes);

    public bool TryBeginMending()
    {
        if (!isWritable) return false;
        if (_isMending) return true;
        if (file.TrySetAttribute(Mark, "1"u8) != Errno.None) return false;   // a file system without attributes: written anew instead
        if (target.IsDurable) file.Sync();
        return _isMending = true;
    }

    public void Write(long offset, ReadOnlySpan<byte> data) => file.WriteAt(offset, data);

    public void Finish(Node node)
    {
        if (_isMending)
        {
            file.SetLength((long)node.SizeBytes);
            if (target.IsDurable) file.SyncContent();
        }
        // Times come last there, and taking the mark away does not change the modification time.
        Metadata.TakeOver(target, path, file, node);
    }

    public void Dispose() => file.Dispose();
}
