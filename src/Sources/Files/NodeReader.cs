using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>Turns what the kernel tells of an entry into a node.</summary>
static class NodeReader
{
    /// <summary>An entry below an open folder, without opening it.</summary>
    /// <exception cref="PosixException">Its link target or its attributes cannot be read.</exception>
    public static Node OfEntry(Descriptor folder, FilePath name, in FileStatus status)
    {
        var target = status.Kind == FileKind.Symlink ? folder.ReadLink(name.Bytes) : default;
        return Make(name, in status, target, folder.AttributesAt(name.Bytes));
    }

    /// <summary>An open file or folder under the name it has in the snapshot.</summary>
    /// <exception cref="PosixException">Its status or its attributes cannot be read.</exception>
    public static Node OfOpen(Descriptor open, FilePath name) => Make(name, open.Stat(), default, open.Attributes());

    static Node Make(FilePath name, in FileStatus status, FilePath target, IReadOnlyList<KeyValuePair<string, byte[]>> attributes)
    {
        var type = TypeOf(status.Kind);
        var modified = new UnixTime(status.ModifiedAt.Seconds, status.ModifiedAt.Nanoseconds);
        return new Node
        {
            Name = name,
            Type = type,
            Permissions = status.Permissions,
            ModifiedAt = modified,
            AccessedAt = modified,   // the real one would make a new tree of every folder that somebody looked into
            ChangedAt = new UnixTime(status.ChangedAt.Seconds, status.ChangedAt.Nanoseconds),
            Uid = status.Uid,
            Gid = status.Gid,
            User = AccountNames.User(status.Uid),
            Group = AccountNames.Group(status.Gid),
            Inode = status.Inode,
            DeviceId = status.DeviceId,
            SizeBytes = type == NodeType.File ? (ulong)status.SizeBytes : 0,
            Links = type is NodeType.Dir or NodeType.Fifo ? 0 : status.Links,
            LinkTarget = target,
            Device = type is NodeType.Dev or NodeType.CharDev ? status.Device : 0,
            Xattrs = attributes.Count == 0 ? [] : Xattrs(attributes),
        };
    }

    static Xattr[] Xattrs(IReadOnlyList<KeyValuePair<string, byte[]>> attributes)
    {
        var xattrs = new Xattr[attributes.Count];
        for (var i = 0; i < xattrs.Length; i++) xattrs[i] = new Xattr(attributes[i].Key, attributes[i].Value);
        return xattrs;
    }

    static NodeType TypeOf(FileKind kind) => kind switch
    {
        FileKind.File => NodeType.File,
        FileKind.Folder => NodeType.Dir,
        FileKind.Symlink => NodeType.Symlink,
        FileKind.BlockDevice => NodeType.Dev,
        FileKind.CharDevice => NodeType.CharDev,
        FileKind.Fifo => NodeType.Fifo,
        FileKind.Socket => NodeType.Socket,
        _ => throw new SourceException("source.unknown_kind", $"The kernel reports an entry of the unknown kind {(int)kind:x}."),
    };
}
