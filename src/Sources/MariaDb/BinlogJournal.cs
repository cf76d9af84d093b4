using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Format;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>The log that was received and that no snapshot holds yet, in a folder of the receiver's host.</summary>
/// <remarks>Nothing depends on it: each start receives again what is not stored. A lock keeps a second receiver out.</remarks>
sealed class BinlogJournal : IDisposable
{
    const string Identity = "server", LockName = "lock", LogName = "log";

    readonly FileLock _lock;

    BinlogJournal(string folder, FileLock held) => (Folder, _lock) = (Path.Combine(folder, LogName), held);

    /// <summary>Where the files come.</summary>
    public string Folder { get; }

    /// <summary>Opens the journal of a server, making it where it is missing.</summary>
    /// <exception cref="ConflictException">Another receiver works with it, or it is another server's.</exception>
    public static BinlogJournal Open(string folder, string server)
    {
        Disk.MakeFolder(folder);
        var held = FileLock.TryTake(FilePath.FromText(Path.Combine(folder, LockName)))
            ?? throw new ConflictException("mariadb.journal_taken", $"Another receiver works with the journal {folder}.",
                "Stop it, or name another folder with --journal.");
        var known = Disk.TryReadText(Path.Combine(folder, Identity));
        if (known is not null && known != server)
        {
            held.Dispose();
            throw new ConflictException("mariadb.other_server", $"The journal {folder} is of the server {known}, and this is {server}.",
                "Give each server a journal of its own.");
        }
        if (known is null) Disk.Write(Path.Combine(folder, Identity), Encoding.UTF8.GetBytes(server));
        return new BinlogJournal(folder, held);
    }

    /// <summary>Begins anew: the files are received again.</summary>
    public void Clear()
    {
        if (Disk.Exists(Folder)) Disk.RemoveTree(Folder);
        Disk.MakeFolder(Folder);
    }

    /// <summary>Names of the files, in order.</summary>
    public List<string> Names() => [.. Disk.List(Folder).Select(entry => entry.Name).Where(BinlogFile.IsName).OrderBy(BinlogFile.NumberOf)];

    public string PathOf(string name) => Path.Combine(Folder, name);

    public void Remove(string name) => Disk.Remove(PathOf(name));

    /// <summary>Publishes the beginnings of files as one snapshot: <c>/binlog/NAME</c>.</summary>
    /// <exception cref="SourceException">One could not be read: nothing of it counts.</exception>
    public async Task<BackupSummary> Publish(Repository repository, string server, string hostName, IReadOnlyList<BinlogExtent> extents,
        CancellationToken ct)
    {
        using var source = new Published(this, server, extents);
        var run = await BackupRun.Execute(repository, source, new BackupRequest
        {
            HostName = hostName,
            UserName = repository.Options.UserName,
            Tags = [MariaDbManifest.BinlogTag, .. BinlogTags.Of(extents)],
            Force = true,
        }, null, ct);
        return run.IsComplete ? run : throw new SourceException("mariadb.journal",
            $"The journal cannot be read: {run.Missing[0].Path}: {run.Missing[0].Message}", "See the disk that the journal lies on.");
    }

    public void Dispose() => _lock.Dispose();

    sealed class Published(BinlogJournal journal, string server, IReadOnlyList<BinlogExtent> extents) : IItemSource
    {
        public IReadOnlyList<FilePath> Paths { get; } = [FilePath.FromText($"{MariaDbSource.PathOf(server)}/binlog")];

        public ISourceFolder OpenRoot(ISourceProblems problems)
        {
            var place = FilePath.FromText(journal.Folder);
            using var folder = Descriptor.OpenFolder(place);
            var like = NodeReader.OfOpen(folder, FilePath.FromText("binlog"));
            return new MadeFolder([MadeEntry.OfFolder("binlog", like, [.. extents.Select(extent =>
            {
                var name = FilePath.FromText(extent.File.Name);
                var node = NodeReader.OfEntry(folder, name, folder.StatAt(name.Bytes)) with { SizeBytes = (ulong)extent.LengthBytes };
                return new MadeEntry(node, null, told =>
                {
                    using var again = Descriptor.OpenFolder(place);
                    return DiskFile.Open(again, place, node, told) is { } found ? new Beginning(found, node) : null;
                });
            })])]);
        }

        public void Dispose() => GC.SuppressFinalize(this);
    }

    /// <summary>The whole events of a file that is still written.</summary>
    sealed class Beginning(DiskFile inner, Node node) : ISourceFile
    {
        public long SizeBytes => (long)node.SizeBytes;
        public int? ChunkBytes => MariaDbSource.PlainChunkBytes;
        public bool MayBeTorn => true;   // it grows; its beginning stays
        public Node Stat() => node;
        public int Read(long offset, Span<byte> target)
            => offset >= SizeBytes ? 0 : inner.Read(offset, target[..(int)Math.Min(target.Length, SizeBytes - offset)]);
        public void Dispose() => inner.Dispose();
    }
}
