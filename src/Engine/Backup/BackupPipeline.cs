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
sealed class BackupPipeline(Repository repository, BlobStage blobs, BackupCounters counters, BlobReader? parentReader, bool force,
    ChunkerPicker chunkers)
{
    readonly record struct FileJob(PendingFolder Folder, int Slot, Node Node, Node? Before, ISourceFile File);
    readonly record struct ChunkJob(byte[] Buffer, int Length, FileContent Content, int Number);

    readonly Channel<FileJob> _files = Channel.CreateBounded<FileJob>(new BoundedChannelOptions(64) { SingleWriter = true });
    readonly Channel<ChunkJob> _chunks = Channel.CreateBounded<ChunkJob>(repository.Options.Workers);
    readonly LinkedFiles _linked = new();
    Exception? _first;
    BlobId? _root;

    /// <summary>Stores the whole source; gives the root tree.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="ct"/> fired.</exception>
    public async Task<BlobId> Run(IItemSource source, BlobId? parentTree, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var chunkWorkers = Start(repository.Options.Workers, () => ChunkWorker(stop.Token), stop);
        var fileWorkers = Start(repository.Options.Workers + 1, () => FileWorker(stop.Token), stop);
        var walker = Start(1, () => Walk(source, parentTree, stop.Token), stop);
        await Task.WhenAll(walker);
        _files.Writer.Complete();
        await Task.WhenAll(fileWorkers);
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

    sealed record Frame(ISourceFolder Folder, PendingFolder Pending, List<Node> Nodes, Dictionary<FilePath, Node> Before)
    {
        public int Next { get; set; }
    }

    async Task Walk(IItemSource source, BlobId? parentTree, CancellationToken ct)
    {
        var stack = new Stack<Frame>();
        try
        {
            stack.Push(await Enter(source.OpenRoot(counters), new PendingFolder(FilePath.FromText("/"), null, null, 0, parentTree), ct));
            while (stack.TryPeek(out var frame))
            {
                ct.ThrowIfCancellationRequested();
                if (frame.Next == frame.Nodes.Count)
                {
                    stack.Pop().Folder.Dispose();
                    if (frame.Pending.Listed()) await StoreFolder(frame.Pending, ct);
                    continue;
                }
                var slot = frame.Next++;
                var node = frame.Nodes[slot];
                frame.Before.TryGetValue(node.Name, out var before);
                if (node.Type == NodeType.Dir) await WalkFolder(stack, frame, slot, node, before, ct);
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
        }
    }

    async Task WalkFolder(Stack<Frame> stack, Frame frame, int slot, Node node, Node? before, CancellationToken ct)
    {
        if (frame.Folder.OpenFolder(node, counters) is not { } folder) { await Done(frame.Pending, slot, null, ct); return; }
        var subtree = before is { Type: NodeType.Dir } ? before.Subtree : null;
        stack.Push(await Enter(folder, new PendingFolder(frame.Pending.Path.Join(node.Name.Bytes), node, frame.Pending, slot, subtree),
            ct));
    }

    async Task<Frame> Enter(ISourceFolder folder, PendingFolder pending, CancellationToken ct)
    {
        var nodes = folder.List(counters, ct).ToList();
        nodes.Sort(static (left, right) => left.Name.Bytes.SequenceCompareTo(right.Name.Bytes));
        pending.Expect(nodes.Count);
        var before = new Dictionary<FilePath, Node>();
        if (pending.Before is { } tree && parentReader is not null)
        {
            try
            {
                foreach (var node in await parentReader.ReadTree(tree, ct)) before[node.Name] = node;
            }
            catch (RepositoryException e)   // a parent tree that cannot be read is no parent: everything below is read again
            {
                counters.Remark(pending.Path, $"the previous snapshot's folder cannot be read, so all of it is read again: {e.Message}");
            }
        }
        return new Frame(folder, pending, nodes, before);
    }

    async Task WalkFile(Frame frame, int slot, Node node, Node? before, CancellationToken ct)
    {
        if (!force && before is { Type: NodeType.File } && IsUnchanged(node, before) && blobs.HasAll(before.Content))
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

    async ValueTask StoreFolder(PendingFolder folder, CancellationToken ct)
    {
        for (var current = folder; ; current = current.Parent)
        {
            var json = new GoJson();
            TreeBlob.Write(current.Nodes(), json);
            var tree = await blobs.Store(BlobType.Tree, json.Written, ct);
            if (current.Parent is null || current.Own is null) { _root = tree; return; }
            Interlocked.Increment(ref current.Before is null ? ref counters.FoldersNew
                : ref tree == current.Before ? ref counters.FoldersUnmodified : ref counters.FoldersChanged);
            counters.Taken(current.Parent, current.Own,
                current.Before is null ? ItemChange.New : tree == current.Before ? ItemChange.Unmodified : ItemChange.Changed);
            if (!current.Parent.Complete(current.Slot, current.Own with { Subtree = tree })) return;
        }
    }

    async Task FileWorker(CancellationToken ct)
    {
        await foreach (var job in _files.Reader.ReadAllAsync(ct))
            using (job.File) await StoreFile(job, ct);
    }

    async Task StoreFile(FileJob job, CancellationToken ct)
    {
        var path = job.Folder.Path.Join(job.Node.Name.Bytes);
        counters.Report(path);
        Node stat;
        FileContent content;
        try
        {
            stat = job.File.Stat();   // before the first read: a change while reading then shows in the times, and the next run reads again
            content = new FileContent((finished, token) => FinishFile(job, path, stat, finished, token));
            await ReadChunks(job.File, chunkers.For(job.Node.Name.Bytes, job.File), content, ct);
        }
        catch (BackupDrException e) when (e is not RepositoryException and not Storage.StoreException)
        {
            counters.Missing(path, e.Message);
            await LoseLinks(job.Node, e.Message, ct);
            await Done(job.Folder, job.Slot, null, ct);
            return;
        }
        try
        {
            var after = job.File.Stat();
            if (after.SizeBytes != stat.SizeBytes || after.ModifiedAt != stat.ModifiedAt)
                counters.Remark(path, "changed while it was read; the snapshot holds what was read");
        }
        catch (BackupDrException e) when (e is not RepositoryException and not Storage.StoreException)
        {
            counters.Remark(path, $"could not be looked at again after reading: {e.Message}");
        }
        await content.Close(ct);
    }

    async ValueTask FinishFile(FileJob job, FilePath path, Node stat, FileContent content, CancellationToken ct)
    {
        var stored = stat with { Name = job.Node.Name, SizeBytes = (ulong)content.LengthBytes, Content = content.Ids() };
        Interlocked.Increment(ref job.Before is null ? ref counters.FilesNew : ref counters.FilesChanged);
        Interlocked.Increment(ref counters.FilesDone);
        counters.Report(path);
        counters.Taken(job.Folder, stored, job.Before is null ? ItemChange.New : ItemChange.Changed);
        if (job.Node.Links > 1)
        {
            if (stat.Inode != job.Node.Inode || stat.DeviceId != job.Node.DeviceId)
                await LoseLinks(job.Node, "Another of its names was replaced while the backup ran.", ct);
            else
                foreach (var link in _linked.Finish(job.Node, stored)) await FinishLink(link, stored, ct);
        }
        await Done(job.Folder, job.Slot, stored, ct);
    }

    /// <summary>One more name of a file that is stored: the same content, without reading it again.</summary>
    async ValueTask FinishLink(LinkJob link, Node stored, CancellationToken ct)
    {
        Interlocked.Increment(ref link.Before is null ? ref counters.FilesNew : ref counters.FilesChanged);
        FileDone(stored.SizeBytes);
        counters.Taken(link.Folder, stored with { Name = link.Node.Name }, link.Before is null ? ItemChange.New : ItemChange.Changed);
        await Done(link.Folder, link.Slot, stored with { Name = link.Node.Name }, ct);
    }

    async ValueTask LoseLinks(Node first, string message, CancellationToken ct)
    {
        foreach (var link in _linked.Finish(first, null))
        {
            counters.Missing(link.Folder.Path.Join(link.Node.Name.Bytes), message);
            await Done(link.Folder, link.Slot, null, ct);
        }
    }

    /// <summary>Cuts a file. Its only chunk is stored here; the chunks of a longer file are handed to the chunk workers.</summary>
    async Task ReadChunks(ISourceFile file, IChunker chunker, FileContent content, CancellationToken ct)
    {
        // A chunk of fixed size is read into a buffer that it fills; otherwise a cut may come anywhere, and more is read at once.
        var usual = chunker.Minimum == chunker.Maximum ? chunker.Maximum : 2 * chunker.Minimum + 1;
        var buffer = repository.Buffers.Rent((int)Math.Clamp(file.SizeBytes + 1, 1, usual));
        try
        {
            var (filled, scanned, offset, isEnd) = (0, 0, 0L, false);
            ulong state = 0;
            while (true)
            {
                var cut = chunker.FindCut(buffer.AsSpan(0, Math.Min(filled, chunker.Maximum)), scanned, ref state);
                if (cut == 0 && !isEnd)
                {
                    scanned = filled;
                    if (filled == buffer.Length) buffer = Enlarge(buffer, filled);
                    ct.ThrowIfCancellationRequested();
                    var read = file.Read(offset, buffer.AsSpan(filled));
                    isEnd = read == 0;
                    filled += read;
                    offset += read;
                    continue;
                }
                if (cut == 0) cut = filled;
                if (cut == 0) return;
                var rest = filled - cut;
                var next = repository.Buffers.Rent(Math.Max(rest + 1, Math.Min(buffer.Length, usual - 1)));
                buffer.AsSpan(cut, rest).CopyTo(next);
                var chunk = buffer;
                buffer = next;
                await Emit(chunk, cut, content, isOnly: isEnd && rest == 0 && content.Count == 0, ct);
                (filled, scanned, state) = (rest, 0, 0);
            }
        }
        finally { repository.Buffers.Return(buffer); }
    }

    byte[] Enlarge(byte[] buffer, int filled)
    {
        var larger = repository.Buffers.Rent(buffer.Length + 1);
        buffer.AsSpan(0, filled).CopyTo(larger);
        repository.Buffers.Return(buffer);
        return larger;
    }

    async ValueTask Emit(byte[] chunk, int length, FileContent content, bool isOnly, CancellationToken ct)
    {
        var number = content.Add(length);
        Interlocked.Add(ref counters.Bytes, length);
        if (isOnly) { await StoreChunk(new ChunkJob(chunk, length, content, number), ct); return; }
        try { await _chunks.Writer.WriteAsync(new ChunkJob(chunk, length, content, number), ct); }
        catch
        {
            repository.Buffers.Return(chunk);
            throw;
        }
    }

    async Task ChunkWorker(CancellationToken ct)
    {
        await foreach (var job in _chunks.Reader.ReadAllAsync(ct)) await StoreChunk(job, ct);
    }

    async ValueTask StoreChunk(ChunkJob job, CancellationToken ct)
    {
        BlobId id;
        try { id = await blobs.Store(BlobType.Data, job.Buffer.AsMemory(0, job.Length), ct); }
        finally { repository.Buffers.Return(job.Buffer); }
        await job.Content.Stored(job.Number, id, ct);
    }
}
