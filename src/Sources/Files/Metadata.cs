using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>Puts a node's owner, attributes, permissions and times onto what was restored, in the order in which they do not undo each
/// other.</summary>
/// <remarks>
/// Owner first (it clears setuid and capabilities), then attributes (file rights may forbid them later; an ACL changes the permission
/// bits), then permissions, times last. Without root owners stay the restoring user's, as with cp -p; that is a remark, not a failure.
/// </remarks>
static class Metadata
{
    const string Capabilities = "security.capability";
    const string AccessAcl = "system.posix_acl_access", DefaultAcl = "system.posix_acl_default";

    /// <summary>Onto an open file or folder.</summary>
    /// <exception cref="SourceException">Something could not be set; everything else was.</exception>
    public static void Apply(FileTarget target, IReadOnlyList<FilePath> path, Descriptor open, Node node)
    {
        var failures = new List<string>();
        if (target.Owners.Of(node) is { } owner) NoteOwner(failures, target, open.TrySetOwner(owner.Uid, owner.Gid));
        DropInheritedAcls(open, node);
        foreach (var xattr in node.Xattrs) NoteAttribute(failures, target, path, xattr.Name, open.TrySetAttribute(xattr.Name, xattr.Value));
        NoteFailure(failures, "permissions", open.TrySetPermissions(node.Permissions & 0xFFF));
        NoteFailure(failures, "times", open.TrySetTimes(Time(node.AccessedAt), Time(node.ModifiedAt)));
        ThrowIfAny(failures, target, path);
    }

    /// <summary>Onto a file that stood there before: what it has and the snapshot has not goes, then as <see cref="Apply"/>.</summary>
    /// <remarks>Attributes of the system's own (security labels, trusted ones) stay: they belong to this host, not to the file.</remarks>
    /// <exception cref="SourceException">Something could not be set; everything else was.</exception>
    public static void TakeOver(FileTarget target, IReadOnlyList<FilePath> path, Descriptor open, Node node)
    {
        foreach (var (name, _) in open.Attributes())
        {
            if (!name.StartsWith("user.", StringComparison.Ordinal) && name != Capabilities || Has(node, name)) continue;
            var errno = open.TryRemoveAttribute(name);
            if (errno is not (Errno.None or Errno.ENODATA))
                throw new SourceException("restore.metadata",
                    $"{target.Below(path)} keeps the attribute {name} that the snapshot has not: {PosixException.Describe(errno)}.");
        }
        Apply(target, path, open, node);
    }

    /// <summary>Onto an entry that is not opened: a link, a fifo, a device.</summary>
    /// <exception cref="SourceException">Something could not be set; everything else was.</exception>
    public static void ApplyAt(FileTarget target, IReadOnlyList<FilePath> path, Descriptor parent, byte[] name, Node node)
    {
        var failures = new List<string>();
        if (target.Owners.Of(node) is { } owner) NoteOwner(failures, target, parent.TrySetOwnerAt(name, owner.Uid, owner.Gid));
        foreach (var xattr in node.Xattrs)
            NoteAttribute(failures, target, path, xattr.Name, parent.TrySetAttributeAt(name, xattr.Name, xattr.Value));
        if (node.Type != NodeType.Symlink) NoteFailure(failures, "permissions", parent.TrySetPermissionsAt(name, node.Permissions & 0xFFF));
        NoteFailure(failures, "times", parent.TrySetTimesAt(name, Time(node.AccessedAt), Time(node.ModifiedAt)));
        ThrowIfAny(failures, target, path);
    }

    // A folder that was there may have a default ACL, which what is made in it inherits: wider rights than were backed up.
    static void DropInheritedAcls(Descriptor open, Node node)
    {
        if (!Has(node, AccessAcl)) open.TryRemoveAttribute(AccessAcl);
        if (node.Type == NodeType.Dir && !Has(node, DefaultAcl)) open.TryRemoveAttribute(DefaultAcl);
    }

    static bool Has(Node node, string attribute)
    {
        foreach (var xattr in node.Xattrs)
            if (xattr.Name == attribute) return true;
        return false;
    }

    static void NoteFailure(List<string> failures, string what, Errno errno)
    {
        if (errno != Errno.None) failures.Add($"{what}: {PosixException.Describe(errno)}");
    }

    static void NoteOwner(List<string> failures, FileTarget target, Errno errno)
    {
        // EINVAL: a container's user namespace does not know the number.
        if (errno == Errno.EINVAL || (errno == Errno.EPERM && !AccountNames.IsRoot)) target.RemarkOwner();
        else NoteFailure(failures, "owner", errno);
    }

    static void NoteAttribute(List<string> failures, FileTarget target, IReadOnlyList<FilePath> path, string name, Errno errno)
    {
        if (errno == Errno.None) return;
        // What the file system cannot hold, and what only root may set, cannot be helped here; the list of remarks tells.
        var cannotBeHelped = errno == Errno.ENOTSUP
            || (errno == Errno.EPERM && !AccountNames.IsRoot && !name.StartsWith("user.", StringComparison.Ordinal));
        if (cannotBeHelped) target.Remark(path, $"attribute {name}: {PosixException.Describe(errno)}");
        else failures.Add($"attribute {name}: {PosixException.Describe(errno)}");
    }

    static void ThrowIfAny(List<string> failures, FileTarget target, IReadOnlyList<FilePath> path)
    {
        if (failures.Count > 0)
            throw new SourceException("restore.metadata",
                $"{target.Below(path)} is restored, but not all of its metadata: {string.Join("; ", failures)}.");
    }

    static PosixTime Time(UnixTime time) => new(time.Seconds, time.Nanoseconds);
}
