using BackupDr.Contracts;
using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Format;

/// <summary>What kind of directory entry a node is. The words in a tree are these in lower case.</summary>
public enum NodeType
{
    /// <summary>A regular file.</summary>
    File,
    /// <summary>A folder.</summary>
    Dir,
    /// <summary>A symbolic link.</summary>
    Symlink,
    /// <summary>A block device.</summary>
    Dev,
    /// <summary>A character device.</summary>
    CharDev,
    /// <summary>A named pipe.</summary>
    Fifo,
    /// <summary>A socket; seen on disk and in foreign repositories, never backed up.</summary>
    Socket,
}

/// <summary>One extended attribute: the name and value as the kernel gives them (POSIX ACLs are two of these).</summary>
public readonly record struct Xattr(string Name, byte[] Value);

/// <summary>One directory entry in a tree: what the file system tells of it, and for files and folders where its content is.</summary>
/// <remarks>
/// Source: docs/format/restic-v2.md, trees. A source fills everything but <see cref="Content"/> and <see cref="Subtree"/>; the engine adds
/// those. One shape serves walking, storing, listing and restoring.
/// </remarks>
public sealed record Node
{
    /// <summary>Raw name: no slash, no NUL, not "." or "..", not empty.</summary>
    public required FilePath Name { get; init; }
    /// <summary>Kind.</summary>
    public required NodeType Type { get; init; }
    /// <summary>
    /// Permission bits and setuid, setgid, sticky as in st_mode (0 to 07777). The tree's own bit layout is the format's business.
    /// </summary>
    public required int Permissions { get; init; }
    /// <summary>Last change of the content.</summary>
    public required UnixTime ModifiedAt { get; init; }
    /// <summary>Last access; equals <see cref="ModifiedAt"/> unless real access times were asked for.</summary>
    public required UnixTime AccessedAt { get; init; }
    /// <summary>Last change of the inode.</summary>
    public required UnixTime ChangedAt { get; init; }
    /// <summary>Owner's number.</summary>
    public required uint Uid { get; init; }
    /// <summary>Group's number.</summary>
    public required uint Gid { get; init; }
    /// <summary>Owner's name; empty where the number has none.</summary>
    public string User { get; init; } = "";
    /// <summary>Group's name; empty where the number has none.</summary>
    public string Group { get; init; } = "";
    /// <summary>Inode number.</summary>
    public ulong Inode { get; init; }
    /// <summary>st_dev of the file system it lies on.</summary>
    public ulong DeviceId { get; init; }
    /// <summary>Length in bytes; files only.</summary>
    public ulong SizeBytes { get; init; }
    /// <summary>Number of hard links; 0 for folders and fifos.</summary>
    public ulong Links { get; init; }
    /// <summary>Target of a symbolic link as raw bytes; empty for everything else.</summary>
    public FilePath LinkTarget { get; init; }
    /// <summary>st_rdev of a device node.</summary>
    public ulong Device { get; init; }
    /// <summary>Extended attributes, sorted by name.</summary>
    public IReadOnlyList<Xattr> Xattrs { get; init; } = [];
    /// <summary>Blobs whose concatenation is the file; files only, empty for an empty file.</summary>
    public IReadOnlyList<BlobId> Content { get; init; } = [];
    /// <summary>The folder's tree; folders only.</summary>
    public BlobId? Subtree { get; init; }
    /// <summary>Raw JSON of <c>generic_attributes</c>, kept as read; null on Linux.</summary>
    public byte[]? GenericAttributes { get; init; }
    /// <summary>What went wrong when a foreign program recorded this node; empty in ours.</summary>
    public string Error { get; init; } = "";
}
