using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;
using BackupDr.Storage;

namespace BackupDr.Engine.Upkeep;

/// <summary>A snapshot that was repaired.</summary>
/// <param name="Old">The damaged one.</param>
/// <param name="New">Its copy without what is lost.</param>
/// <param name="Losses">What is missing from the copy: paths and reasons.</param>
public sealed record RepairedSnapshot(BlobId Old, BlobId New, IReadOnlyList<string> Losses);

/// <summary>
/// Gives damaged snapshots a copy that reads: folders that cannot be read become empty, files lose the pieces that are gone.
/// </summary>
/// <remarks>The damaged snapshot stays, unless its removal is asked for; then it goes into the trash.</remarks>
public sealed class RepairSnapshots
{
    /// <summary>Tag of every copy that this made.</summary>
    public const string Tag = "repaired";

    readonly Repository _repository;
    readonly BlobIndex _index;
    readonly BlobReader _reader;
    readonly PackWriter _packs;
    readonly Dictionary<BlobId, (BlobId New, int Losses)> _done = [];
    List<string> _losses = [];

    RepairSnapshots(Repository repository, BlobIndex index, PackWriter packs)
        => (_repository, _index, _reader, _packs) = (repository, index, new BlobReader(repository, index), packs);

    /// <summary>Repairs all snapshots that need it.</summary>
    /// <param name="repository">The repository; repair its packs and index before.</param>
    /// <param name="forget">Whether damaged snapshots go into the trash.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="RepositoryException">Locked, LockLost, or a snapshot file itself cannot be read.</exception>
    public static async Task<IReadOnlyList<RepairedSnapshot>> Execute(Repository repository, bool forget, CancellationToken ct)
    {
        await using var held = await RepositoryLock.Take(repository, LockKind.Exclusive, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
        var snapshots = await repository.Snapshots(SnapshotFilter.All, stop.Token);
        var index = await repository.LoadIndex(stop.Token);
        var writer = new IndexWriter(repository, index);
        await using var packs = new PackWriter(repository, writer, opensBlobs: false);
        var repair = new RepairSnapshots(repository, index, packs);
        var broken = new List<(Snapshot Old, BlobId Tree, IReadOnlyList<string> Losses)>();
        foreach (var snapshot in snapshots)
        {
            repair._losses = [];
            var tree = await repair.Rewrite(snapshot.Tree, "", 0, stop.Token);
            if (tree != snapshot.Tree) broken.Add((snapshot, tree, repair._losses));
        }
        await packs.Flush(stop.Token);
        await writer.Flush(stop.Token);
        var repaired = new List<RepairedSnapshot>();
        foreach (var (old, tree, losses) in broken)
        {
            var copy = old with
            {
                Tree = tree,
                Original = old.Original ?? old.Id,
                Tags = [.. old.Tags.Where(tag => tag != Tag), Tag],
                Summary = null,
            };
            var id = await repository.WriteUnpacked(ObjectLayout.Snapshots, SnapshotFile.Write(copy), stop.Token);
            if (forget && await repository.Store.Head(ObjectLayout.Of(ObjectLayout.Snapshots, old.Id), stop.Token) is { } stored)
                await Trash.Move(repository, stored, stop.Token);
            repaired.Add(new RepairedSnapshot(old.Id, id, losses));
        }
        return repaired;
    }

    /// <summary>The tree itself where all below it reads, else a new one without what is lost.</summary>
    async Task<BlobId> Rewrite(BlobId tree, string path, int depth, CancellationToken ct)
    {
        if (_done.TryGetValue(tree, out var known))
        {
            if (known.Losses > 0) _losses.Add($"{path}/: {known.Losses} losses, as listed before");
            return known.New;
        }
        var before = _losses.Count;
        var nodes = await TryRead(tree, path, depth, ct);
        var changed = nodes is null;
        var kept = new List<Node>();
        foreach (var node in nodes ?? [])
        {
            var fixedNode = node.Type switch
            {
                NodeType.Dir => await Below(node, $"{path}/{node.Name}", depth, ct),
                NodeType.File => Shorten(node, $"{path}/{node.Name}"),
                _ => node,
            };
            changed |= fixedNode != node;
            kept.Add(fixedNode);
        }
        var result = changed ? await Store(kept, ct) : tree;
        _done[tree] = (result, _losses.Count - before);
        return result;
    }

    async Task<Node> Below(Node folder, string path, int depth, CancellationToken ct)
    {
        var tree = await Rewrite(folder.Subtree!.Value, path, depth + 1, ct);
        return tree == folder.Subtree ? folder : folder with { Subtree = tree };
    }

    async Task<IReadOnlyList<Node>?> TryRead(BlobId tree, string path, int depth, CancellationToken ct)
    {
        const int deepest = 4096;
        try
        {
            if (depth > deepest) throw RepositoryException.Damaged($"tree {tree}", "folders nest too deep.");
            return await _reader.ReadTree(tree, ct);
        }
        catch (RepositoryException e) { _losses.Add($"{path}/: the folder cannot be read: {e.Message}"); }
        catch (StoreException e) when (e.Fault is StoreFault.Missing or StoreFault.ShortRead)
        {
            _losses.Add($"{path}/: the folder cannot be read: {e.Message}");
        }
        return null;
    }

    Node Shorten(Node file, string path)
    {
        var content = new List<BlobId>();
        ulong size = 0;
        foreach (var id in file.Content)
        {
            if (!_index.TryFind(BlobType.Data, id, out var place)) continue;
            content.Add(id);
            size += place.Entry.DecodedLength;
        }
        if (content.Count == file.Content.Count && size == file.SizeBytes) return file;
        _losses.Add($"{path}: {file.Content.Count - content.Count} of {file.Content.Count} pieces are lost; "
            + $"{size} of {file.SizeBytes} bytes are left");
        return file with { Content = content, SizeBytes = size };
    }

    async Task<BlobId> Store(List<Node> nodes, CancellationToken ct)
    {
        var json = new GoJson();
        TreeBlob.Write(nodes, json);
        var plain = json.Written;
        var id = new BlobId(System.Security.Cryptography.SHA256.HashData(plain.Span));
        if (_index.Contains(BlobType.Tree, id)) return id;
        var bench = _repository.RentBench();
        ValueTask added;
        try { added = _packs.Add(BlobType.Tree, id, bench.Seal(BlobType.Tree, plain.Span, out var length), length, ct); }
        finally { _repository.ReturnBench(bench); }
        await added;
        return id;
    }
}
