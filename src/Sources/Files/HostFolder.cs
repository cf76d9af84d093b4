using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>Lists a folder of this host for a person who chooses what to protect.</summary>
public static class HostFolder
{
    /// <summary>Most entries of one answer.</summary>
    public const int EntryLimit = 10_000;

    /// <summary>Folders first, then by name bytes; cut at <see cref="EntryLimit"/>. Entries that vanish meanwhile are left out.</summary>
    /// <exception cref="BadInputException">The path is not absolute, or no folder.</exception>
    /// <exception cref="NotFoundException">There is no such folder.</exception>
    /// <exception cref="DeniedException">It may not be read.</exception>
    public static FolderListing List(FilePath path, CancellationToken ct = default)
    {
        if (!path.IsAbsolute) throw new BadInputException("path", $"'{path}' is not an absolute path.", "Begin it with a slash.");
        try
        {
            using var folder = Descriptor.OpenFolder(path);
            return Read(folder, path, ct);
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT) { throw new NotFoundException($"The folder {path}"); }
        catch (PosixException e) when (e.Errno == Errno.ENOTDIR) { throw new BadInputException("path", $"{path} is not a folder."); }
        catch (PosixException e) when (e.Errno is Errno.EACCES or Errno.EPERM)
        {
            throw new DeniedException($"{path} may not be read by the agent's user.", "Run the agent as a user who may read it.");
        }
    }

    static FolderListing Read(Descriptor folder, FilePath path, CancellationToken ct)
    {
        var entries = new List<FolderEntry>();
        var isCut = false;
        var reader = new FolderReader(folder);
        try
        {
            while (reader.Next(out var name, out _))
            {
                ct.ThrowIfCancellationRequested();
                if (entries.Count == EntryLimit) { isCut = true; break; }
                if (folder.TryStatAt(name, follow: false, out var status) == Errno.None) entries.Add(Entry(folder, name, in status));
            }
        }
        finally { reader.Dispose(); }
        entries.Sort(static (a, b) => a.Kind == EntryKind.Folder != (b.Kind == EntryKind.Folder)
            ? (a.Kind == EntryKind.Folder ? -1 : 1)
            : a.Name.Bytes.SequenceCompareTo(b.Name.Bytes));
        return new FolderListing(path, entries, isCut);
    }

    static FolderEntry Entry(Descriptor folder, ReadOnlySpan<byte> name, in FileStatus status) => new()
    {
        Name = new FilePath(name.ToArray()),
        Kind = status.Kind switch
        {
            FileKind.Folder => EntryKind.Folder,
            FileKind.File => EntryKind.File,
            FileKind.Symlink => EntryKind.Link,
            _ => EntryKind.Other,
        },
        SizeBytes = status.Kind == FileKind.File ? status.SizeBytes : 0,
        ModifiedAt = new UnixTime(status.ModifiedAt.Seconds, status.ModifiedAt.Nanoseconds).ToDateTimeOffset(),
        Permissions = status.Permissions,
        LinkTarget = status.Kind == FileKind.Symlink ? LinkTarget(folder, name) : default,
    };

    static FilePath LinkTarget(Descriptor folder, ReadOnlySpan<byte> name)
    {
        try { return folder.ReadLink(name); }
        catch (PosixException e) when (e.Errno is Errno.ENOENT or Errno.EINVAL) { return default; }   // replaced since
    }
}
