using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>
/// Walks a source and stores it: one walker, several file workers, several chunk workers, joined by short bounded queues.
/// </summary>
/// <remarks>
/// A file of one chunk is stored by the worker that read it; chunks of larger files go to the chunk workers, so a big file keeps all
/// processors busy and never stands before small ones. A folder's tree is stored by whoever completes its last entry.
/// </remarks>
sealed partial class BackupPipeline(Repository repository, BlobStage blobs, BackupCounters counters, ParentWalk? parents, bool force,
    ChunkerPicker chunkers)
{
    readonly record struct FileJob(PendingFolder Folder, int Slot, Node Node, Node? Before, ISourceFile File);
    readonly record struct ClosingJob(PendingFolder Folder, int Slot, Node Node, Node? Before);
    readonly record struct ChunkJob(byte[] Buffer, int Length, FileContent Content, int Number);

    readonly Channel<FileJob> _files = Channel.CreateBounded<FileJob>(new BoundedChannelOptions(64) { SingleWriter = true });
    readonly Channel<ChunkJob> _chunks = Channel.CreateBounded<ChunkJob>(repository.Options.Workers);
    readonly LinkedFiles _linked = new();
    readonly List<ClosingJob> _closing = [];
    Exception? _first;
    BlobId? _root;
    IItemSource? _source;

    /// <summary>Stores the whole source; gives the root tree.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="ct"/> fired.</exception>
    public async Task<BlobId> Run(IItemSource source, BlobId? parentTree, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _source = source;
        var chunkWorkers = Start(repository.Options.Workers, () => ChunkWorker(stop.Token), stop);
        var fileWorkers = Start(repository.Options.Workers + 1, () => FileWorker(stop.Token), stop);
        var walker = Start(1, () => Walk(source, parentTree, stop.Token), stop);
        await Task.WhenAll(walker);
        _files.Writer.Complete();
        await Task.WhenAll(fileWorkers);
        if (_first is null && source is IClosingSource last) await Task.WhenAll(Start(1, () => StoreClosing(last, stop.Token), stop));
        _chunks.Writer.Complete();
        await Task.WhenAll(chunkWorkers);
        CloseRest();
        ct.ThrowIfCancellationRequested();
        if (_first is not null) ExceptionDispatchInfo.Throw(_first);
        return _root ?? throw new InvalidOperationException("The walk ended without a root tree.");
    }

    /// <summary>Starts workers; the first failure stops all of them and is the one thrown, later ones are only echoes of it.</summary>
    Task[] Start(int count, Func<Task> body, CancellationTokenSource stop)
        => [.. Enumerable.Range(0, count).Select(_ => Task.Run(async () =>
    {
        try { await body(); }
        catch (Exception e)
        {
            if (Interlocked.CompareExchange(ref _first, e, null) is null) await stop.CancelAsync();
        }
    }))];

    void CloseRest()
    {
        while (_files.Reader.TryRead(out var job)) job.File.Dispose();
        while (_chunks.Reader.TryRead(out var chunk)) repository.Buffers.Return(chunk.Buffer);
    }

    sealed record Frame(ISourceFolder Folder, PendingFolder Pending, List<Node> Nodes, Dictionary<FilePath, Node> Before,
        ParentFolder? Parent)
    {
        public int Next { get; set; }
    }

    async Task Walk(IItemSource source, BlobId? parentTree, CancellationToken ct)
    {
        var stack = new Stack<Frame>();
        try
        {
            stack.Push(await Enter(source.OpenRoot(counters), new PendingFolder(FilePath.FromText("/"), null, null, 0, parentTree),
                parents is not null && parentTree is { } tree ? new ParentFolder(tree) : null, ct));
            while (stack.TryPeek(out var frame))
            {
                ct.ThrowIfCancellationRequested();
                if (frame.Next == frame.Nodes.Count)
                {
                    stack.Pop().Folder.Dispose();
                    if (frame.Parent is not null) parents!.Leave();
                    if (frame.Pending.Listed()) await StoreFolder(frame.Pending, ct);
                    continue;
                }
                var slot = frame.Next++;
                var node = frame.Nodes[slot];
                frame.Before.TryGetValue(node.Name, out var before);
                if (_source is IClosingSource last && last.IsClosing(frame.Pending.Path.Join(node.Name.Bytes)))
                    _closing.Add(new ClosingJob(frame.Pending, slot, node, before));
                else if (node.Type == NodeType.Dir) await WalkFolder(stack, frame, slot, node, before, ct);
                else if (node.Type == NodeType.File) await WalkFile(frame, slot, node, before, ct);
                else
                {
                    counters.Taken(frame.Pending, node,
                        before is null ? ItemChange.New : IsUnchanged(node, before) ? ItemChange.Unmodified : ItemChange.Changed);
                    await Done(frame.Pending, slot, node, ct);
                }
            }
        }
        finally
        {
            while (stack.TryPop(out var left)) left.Folder.Dispose();
            if (parents is not null) await parents.End();
        }
    }

    async Task WalkFolder(Stack<Frame> stack, Frame frame, int slot, Node node, Node? before, CancellationToken ct)
    {
        if (frame.Folder.OpenFolder(node, counters) is not { } folder) { await Done(frame.Pending, slot, null, ct); return; }
        var subtree = before is { Type: NodeType.Dir } ? before.Subtree : null;
        var parent = subtree is null || frame.Parent is null ? null : parents!.Below(frame.Parent, node.Name);
        stack.Push(await Enter(folder, new PendingFolder(frame.Pending.Path.Join(node.Name.Bytes), node, frame.Pending, slot, subtree),
            parent, ct));
    }

    async Task<Frame> Enter(ISourceFolder folder, PendingFolder pending, ParentFolder? parent, CancellationToken ct)
    {
        var nodes = folder.List(counters, ct).ToList();
        nodes.Sort(static (left, right) => left.Name.Bytes.SequenceCompareTo(right.Name.Bytes));
        pending.Expect(nodes.Count);
        var before = new Dictionary<FilePath, Node>();
        if (parent is not null)
        {
            try
            {
                foreach (var node in await parents!.Enter(parent, ct)) before[node.Name] = node;
            }
            catch (RepositoryException e)   // a parent tree that cannot be read is no parent: everything below is read again
            {
                parent = null;
                counters.Remark(pending.Path, $"the previous snapshot's folder cannot be read, so all of it is read again: {e.Message}");
            }
        }
        if (before.Count > 0) CountVanished(nodes, before, counters);
        return new Frame(folder, pending, nodes, before, parent);
    }

    async Task WalkFile(Frame frame, int slot, Node node, Node? before, CancellationToken ct)
    {
        if (!force && before is { Type: NodeType.File } && IsUnchanged(node, before)
            && _source!.IsSettled(frame.Pending.Path.Join(node.Name.Bytes), node)
            && blobs.HasAll(before.Content))
        {
            Interlocked.Increment(ref counters.FilesUnmodified);
            FileDone(node.SizeBytes);
            counters.Report(frame.Pending.Path);
            counters.Taken(frame.Pending, node, ItemChange.Unmodified);
            await Done(frame.Pending, slot, node with { Content = before.Content }, ct);
            return;
        }
        if (node.Links > 1)
        {
            var link = new LinkJob(frame.Pending, slot, node, before);
            if (_linked.Follow(link, out var stored))
            {
                if (stored is not null) await FinishLink(link, stored, ct);
                return;
            }
        }
        if (frame.Folder.OpenFile(node, counters) is not { } file)
        {
            _linked.Finish(node, null);   // the next name is tried by itself
            await Done(frame.Pending, slot, null, ct);
            return;
        }
        var job = new FileJob(frame.Pending, slot, node, before, file);
        try { await _files.Writer.WriteAsync(job, ct); }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    static bool IsUnchanged(Node now, Node before) => now.SizeBytes == before.SizeBytes && now.ModifiedAt == before.ModifiedAt
        && now.ChangedAt == before.ChangedAt && now.Inode == before.Inode;

    void FileDone(ulong sizeBytes)
    {
        Interlocked.Increment(ref counters.FilesDone);
        Interlocked.Add(ref counters.Bytes, (long)sizeBytes);
    }

    /// <summary>An entry is done; where it was the last of its folder, the folder is stored, and so on upwards.</summary>
    async ValueTask Done(PendingFolder folder, int slot, Node? node, CancellationToken ct)
    {
        if (folder.Complete(slot, node)) await StoreFolder(folder, ct);
    }

    /// <exception cref="BadInputException">The list is longer than what is read back: the snapshot would be one that nobody can
    /// restore.</exception>
    internal static void MustFit(FilePath folder, long listBytes)
    {
        if (listBytes > BlobReader.MaximumDecoded)
            throw new BadInputException("paths", $"{folder} has too many entries, or files too large: listing them takes {listBytes} "
                + $"bytes, and {BlobReader.MaximumDecoded} are the most.",
                "Exclude a part of it, for example half of its entries in each of two backups.");
    }

    async ValueTask StoreFolder(PendingFolder folder, CancellationToken ct)
    {
        for (var current = folder; ; current = current.Parent)
        {
            var json = new GoJson();
            TreeBlob.Write(current.Nodes(), json);
            MustFit(current.Path, json.Written.Length);
            var tree = await blobs.Store(BlobType.Tree, json.Written, ct);
            if (current.Parent is null || current.Own is null) { _root = tree; return; }
            Interlocked.Increment(ref current.Before is null ? ref counters.FoldersNew
                : ref tree == current.Before ? ref counters.FoldersUnmodified : ref counters.FoldersChanged);
            counters.Taken(current.Parent, current.Own,
                current.Before is null ? ItemChange.New : tree == current.Before ? ItemChange.Unmodified : ItemChange.Changed);
            if (!current.Parent.Complete(current.Slot, current.Own with { Subtree = tree })) return;
        }
    }
}
