using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Restore;

/// <summary>Writes parts of a snapshot into a stream: a file's content, or a folder as a tar archive.</summary>
/// <remarks>Every blob is authenticated and hashed before a byte of it is written.</remarks>
/// <param name="reader">Reads the blobs.</param>
public sealed class SnapshotDump(BlobReader reader)
{
    /// <summary>Blobs that are read ahead of the one being written.</summary>
    const int Ahead = 4;

    readonly Dictionary<(ulong Device, ulong Inode), byte[]> _linked = [];

    /// <summary>The packs that a file's content, or all below a folder, is read from.</summary>
    /// <exception cref="RepositoryException">A tree is damaged.</exception>
    public async Task<IReadOnlyCollection<BlobId>> Packs(Snapshot snapshot, FilePath path, Node? file, CancellationToken ct)
    {
        var packs = new HashSet<BlobId>();
        if (file is { Type: NodeType.File }) Add(file);
        else await foreach (var (_, node) in new TreeBrowser(reader).Walk(snapshot, path, ct)) Add(node);
        return packs;

        void Add(Node node)
        {
            foreach (var id in node.Content)
                if (reader.Index.TryFind(BlobType.Data, id, out var place)) packs.Add(place.Pack);   // else told when it is read
        }
    }

    /// <summary>Writes a file's content in its order.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    public async Task Content(Node file, Stream output, CancellationToken ct)
    {
        CheckLength(file);
        var reads = new Queue<Task<byte[]>>();
        try
        {
            for (int next = 0, written = 0; written < file.Content.Count; written++)
            {
                while (next < file.Content.Count && reads.Count < Ahead)
                    reads.Enqueue(reader.Read(BlobType.Data, file.Content[next++], ct));
                await output.WriteAsync(await reads.Dequeue(), ct);
            }
        }
        finally
        {
            // Only after a failure is there anything left; its own failure would say nothing new.
            await Task.WhenAll(reads).ContinueWith(static left => _ = left.Exception, CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>Writes an archive of what lies at a path and below, with full metadata; names lack the first slash.</summary>
    /// <returns>What a tar archive cannot hold: sockets.</returns>
    /// <exception cref="RepositoryException">Damaged; the archive has no end then.</exception>
    public async Task<IReadOnlyList<Problem>> Tar(Snapshot snapshot, FilePath path, Stream output, CancellationToken ct)
    {
        var tar = new TarWriter(output);
        var left = new List<Problem>();
        await foreach (var (at, node) in new TreeBrowser(reader).Walk(snapshot, path, ct))
        {
            if (node.Type == NodeType.Socket)
            {
                left.Add(new Problem(at, "a socket; a tar archive cannot hold it"));
                continue;
            }
            byte[] name = [.. at.Bytes[1..], .. node.Type == NodeType.Dir ? "/"u8 : []];
            if (node.Links > 1 && node.Type != NodeType.Dir && !_linked.TryAdd((node.DeviceId, node.Inode), name))
            {
                await tar.Entry(name, node, _linked[(node.DeviceId, node.Inode)], ct);
                continue;
            }
            if (node.Type == NodeType.File) CheckLength(node);
            await tar.Entry(name, node, default, ct);
            if (node.Type != NodeType.File) continue;
            await Content(node, output, ct);
            await tar.Pad((long)node.SizeBytes, ct);
        }
        await tar.End(ct);
        return left;
    }

    /// <summary>A length that the content does not have would shift everything behind it in an archive.</summary>
    void CheckLength(Node file)
    {
        ulong length = 0;
        foreach (var id in file.Content)
            length += reader.Index.TryFind(BlobType.Data, id, out var place) ? place.Entry.DecodedLength
                : throw RepositoryException.Damaged($"Data blob {id}", "it is in no index.");
        if (length != file.SizeBytes)
            throw RepositoryException.Damaged("tree",
                $"file '{file.Name}' is {file.SizeBytes} bytes long, but its blobs make {length}.");
    }
}
