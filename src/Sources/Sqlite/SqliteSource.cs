using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Sqlite;

/// <summary>A copy of a database as something to back up: it stands in the snapshot where the database stands, with its owner and rights,
/// beside <c>/.backupdr/manifest.json</c>.</summary>
sealed class SqliteSource : IItemSource
{
    /// <summary>Pages are changed in place, so chunks are small and aligned: a page of 4 KiB costs a chunk of 16.</summary>
    public const int ChunkBytes = 16 << 10;

    readonly string _path, _copy;
    readonly Node _node;
    readonly byte[] _manifest;

    /// <param name="path">Absolute path of the database.</param>
    /// <param name="copy">Absolute path of its copy.</param>
    /// <param name="manifest">What is said of it.</param>
    public SqliteSource(string path, string copy, byte[] manifest)
    {
        (_path, _copy, _manifest) = (path, copy, manifest);
        _node = NodeOf(path) with { SizeBytes = (ulong)Descriptor.StatOf(FilePath.FromText(copy)).SizeBytes, Links = 1 };
    }

    static Node NodeOf(string path)
    {
        using var folder = Above(path);
        var name = FilePath.FromText(Path.GetFileName(path));
        return NodeReader.OfEntry(folder, name, folder.StatAt(name.Bytes));
    }

    static Descriptor Above(string path) => Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));

    public IReadOnlyList<FilePath> Paths => [FilePath.FromText(_path)];

    // In WAL mode the file itself stays as it is while the database changes.
    public bool IsSettled(FilePath path, Node file) => false;

    public ISourceFolder OpenRoot(ISourceProblems problems)
    {
        var manifest = MadeEntry.OfFolder(".backupdr", _node, [MadeEntry.OfBytes("manifest.json", _node, _manifest)]);
        return new MadeFolder([manifest, MadeEntry.Below(_path, new MadeEntry(_node, null, Open))]);
    }

    // The bytes of the copy under the metadata of the database.
    ChunkedFile? Open(ISourceProblems problems)
    {
        using var folder = Above(_copy);
        return DiskFile.Open(folder, FilePath.FromText(Path.GetDirectoryName(_copy)!), NodeOf(_copy), problems) is { } file
            ? new ChunkedFile(file, ChunkBytes, _node) : null;
    }

    public void Dispose() => GC.SuppressFinalize(this);
}
