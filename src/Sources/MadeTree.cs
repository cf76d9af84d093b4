using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources;

/// <summary>A folder of a snapshot that stands nowhere on a disk: its entries are put together by a source.</summary>
/// <param name="entries">What lies in it.</param>
sealed class MadeFolder(IReadOnlyList<MadeEntry> entries) : ISourceFolder
{
    public IReadOnlyList<Node> List(ISourceProblems problems, CancellationToken ct) => [.. entries.Select(entry => entry.Node)];

    public ISourceFolder? OpenFolder(Node folder, ISourceProblems problems) => Find(folder).Folder?.Invoke(problems);

    public ISourceFile? OpenFile(Node file, ISourceProblems problems) => Find(file).File?.Invoke(problems);

    MadeEntry Find(Node node) => entries.First(entry => entry.Node.Name == node.Name);

    public void Dispose() => GC.SuppressFinalize(this);
}

/// <summary>An entry of a <see cref="MadeFolder"/>: a node, and how it is opened.</summary>
sealed record MadeEntry(Node Node, Func<ISourceProblems, ISourceFolder?>? Folder, Func<ISourceProblems, ISourceFile?>? File)
{
    public static MadeEntry OfFolder(string name, Node like, IReadOnlyList<MadeEntry> entries)
        => new(MadeNode.Folder(name, like), _ => new MadeFolder(entries), null);

    /// <summary>An entry under its absolute path: the folders above it as they stand on the disk, with nothing else in them.</summary>
    /// <param name="path">Absolute path of the entry.</param>
    /// <param name="entry">What stands there.</param>
    /// <returns>The topmost of the folders; the entry itself where it lies in the root.</returns>
    public static MadeEntry Below(string path, MadeEntry entry)
    {
        for (var above = Path.GetDirectoryName(path)!; above != "/"; above = Path.GetDirectoryName(above)!)
        {
            using var folder = Descriptor.OpenFolder(FilePath.FromText(above));
            var inner = entry;
            var node = NodeReader.OfOpen(folder, FilePath.FromText(Path.GetFileName(above)));
            entry = new MadeEntry(node, _ => new MadeFolder([inner]), null);
        }
        return entry;
    }

    public static MadeEntry OfBytes(string name, Node like, byte[] content)
        => new(MadeNode.File(name, like, content.Length), null, _ => new MadeFile(MadeNode.File(name, like, content.Length), content));

    /// <summary>A file that is opened when everything else was read: <see cref="IClosingSource"/>.</summary>
    public static MadeEntry OfClosing(string name, Node like) => new(MadeNode.File(name, like, 0), null, null);
}

/// <summary>Nodes of what a source makes up, with the owner and the times of something that is on the disk.</summary>
static class MadeNode
{
    const int FolderPermissions = 0x1C0, FilePermissions = 0x180;   // 0700 and 0600

    public static Node Folder(string name, Node like) => Make(name, like, NodeType.Dir, FolderPermissions);

    public static Node File(string name, Node like, long sizeBytes)
        => Make(name, like, NodeType.File, FilePermissions) with { SizeBytes = (ulong)sizeBytes, Links = 1 };

    static Node Make(string name, Node like, NodeType type, int permissions) => new()
    {
        Name = FilePath.FromText(name),
        Type = type,
        Permissions = permissions,
        ModifiedAt = like.ModifiedAt,
        AccessedAt = like.ModifiedAt,
        ChangedAt = like.ChangedAt,
        Uid = like.Uid,
        Gid = like.Gid,
        User = like.User,
        Group = like.Group,
    };
}

/// <summary>A file whose bytes a source has in memory.</summary>
sealed class MadeFile(Node node, byte[] content) : ISourceFile
{
    public long SizeBytes => content.Length;

    public int Read(long offset, Span<byte> target)
    {
        var rest = content.AsSpan((int)Math.Min(offset, content.Length));
        var taken = rest[..Math.Min(rest.Length, target.Length)];
        taken.CopyTo(target);
        return taken.Length;
    }

    public Node Stat() => node;

    public void Dispose() => GC.SuppressFinalize(this);
}
