using System.Runtime.ExceptionServices;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>The part that stores what a source streams: chunks as they come, folders when all has come.</summary>
sealed partial class BackupPipeline
{
    /// <summary>Stores what a source streams; gives the root tree.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="ct"/> fired.</exception>
    public async Task<BlobId> Run(IStreamedSource source, BlobId? parentTree, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var taken = new StreamedTree(this);
        var chunkWorkers = Start(repository.Options.Workers, () => ChunkWorker(stop.Token), stop);
        await Task.WhenAll(Start(1, () => source.Stream(taken, counters, stop.Token), stop));
        _chunks.Writer.Complete();
        await Task.WhenAll(chunkWorkers);
        taken.GiveBack();
        CloseRest();
        ct.ThrowIfCancellationRequested();
        if (_first is not null) ExceptionDispatchInfo.Throw(_first);
        try
        {
            return await StoreStreamed(taken.Root, parentTree is { } tree && parents is not null ? new ParentFolder(tree) : null,
                parentTree,
                ct);
        }
        finally { if (parents is not null) await parents.End(); }
    }

    async Task<BlobId> StoreStreamed(StreamedFolder folder, ParentFolder? parent, BlobId? treeBefore, CancellationToken ct)
    {
        var before = new Dictionary<FilePath, Node>();
        try
        {
            if (parent is not null)
                foreach (var node in await parents!.Enter(parent, ct)) before[node.Name] = node;
        }
        catch (RepositoryException) { parent = null; }   // it only serves to count what is new
        var nodes = new List<Node>();
        foreach (var (name, coming) in folder.Files)
        {
            if (coming.Stored is not { } stored) continue;   // never ended
            var file = stored with { Name = name };
            before.TryGetValue(name, out var then);
            Interlocked.Increment(ref then is null ? ref counters.FilesNew
                : ref then.Content.SequenceEqual(file.Content) ? ref counters.FilesUnmodified : ref counters.FilesChanged);
            nodes.Add(file);
        }
        foreach (var (name, below) in folder.Folders.OrderBy(entry => entry.Key, NameOrder))
        {
            var then = before.TryGetValue(name, out var found) && found.Type == NodeType.Dir ? found.Subtree : null;
            var parentBelow = then is null ? null : parents!.Below(parent!, name);
            nodes.Add(below.Own! with { Subtree = await StoreStreamed(below, parentBelow, then, ct) });
        }
        if (parent is not null) parents!.Leave();
        nodes.Sort(static (left, right) => left.Name.Bytes.SequenceCompareTo(right.Name.Bytes));
        var json = new GoJson();
        TreeBlob.Write(nodes, json);
        MustFit(folder.Path, json.Written.Length);
        var tree = await blobs.Store(BlobType.Tree, json.Written, ct);
        if (folder.Own is not null)
            Interlocked.Increment(ref treeBefore is null ? ref counters.FoldersNew
                : ref tree == treeBefore ? ref counters.FoldersUnmodified : ref counters.FoldersChanged);
        return tree;
    }

    static readonly Comparer<FilePath> NameOrder = Comparer<FilePath>.Create(static (left, right)
        => left.Bytes.SequenceCompareTo(right.Bytes));

    /// <summary>A folder of a stream.</summary>
    sealed record StreamedFolder(FilePath Path, Node? Own)
    {
        public Dictionary<FilePath, StreamedFolder> Folders { get; } = [];
        public Dictionary<FilePath, StreamedFile> Files { get; } = [];
    }

    /// <summary>What has come of a stream so far.</summary>
    sealed class StreamedTree(BackupPipeline pipeline) : IStreamTarget
    {
        readonly HashSet<StreamedFile> _open = [];

        public StreamedFolder Root { get; } = new(FilePath.FromText("/"), null);

        public void AddFolder(FilePath path, Node node)
        {
            var (above, name) = Place(path);
            above.Folders.TryAdd(name, new StreamedFolder(path, node with { Name = name }));
        }

        public IStreamedFile Begin(FilePath path, int? chunkBytes)
        {
            var (above, name) = Place(path);
            var file = above.Files[name] = new StreamedFile(pipeline, this, path, pipeline.ChunkerOf(chunkBytes));
            _open.Add(file);
            return file;
        }

        public bool Remove(FilePath path)
        {
            var (above, name) = Place(path);
            return above.Files.Remove(name);
        }

        public bool Rename(FilePath path, FilePath to)
        {
            var ((from, name), (into, newName)) = (Place(path), Place(to));
            if (!from.Files.Remove(name, out var file)) return false;
            into.Files[newName] = file;
            return true;
        }

        (StreamedFolder Above, FilePath Name) Place(FilePath path)
        {
            var parts = path.Parts();
            var folder = Root;
            foreach (var part in parts.Take(parts.Count - 1)) folder = folder.Folders[part];
            return (folder, parts[^1]);
        }

        public void Ended(StreamedFile file) => _open.Remove(file);

        /// <summary>Gives back the memory of files that did not end.</summary>
        public void GiveBack()
        {
            foreach (var file in _open) file.GiveBack();
            _open.Clear();
        }
    }

    /// <summary>A file of a stream: what is less than a chunk is kept until more comes.</summary>
    sealed class StreamedFile : IStreamedFile
    {
        readonly BackupPipeline _pipeline;
        readonly StreamedTree _tree;
        readonly FileContent _content;
        readonly IChunker _chunker;
        byte[]? _buffer;
        int _filled, _scanned;
        ulong _state;
        Node? _node;

        public StreamedFile(BackupPipeline pipeline, StreamedTree tree, FilePath path, IChunker chunker)
        {
            (_pipeline, _tree, _chunker) = (pipeline, tree, chunker);
            _content = new FileContent((content, _) =>
            {
                Stored = _node! with { SizeBytes = (ulong)content.LengthBytes, Content = content.Ids() };
                Interlocked.Increment(ref pipeline.Counters.FilesDone);
                pipeline.Counters.Report(path);
                return ValueTask.CompletedTask;
            });
        }

        /// <summary>The whole file; null before it has ended and every chunk is stored, by whichever worker.</summary>
        public Node? Stored { get; private set; }

        public long LengthBytes => _content.LengthBytes + _filled;

        bool IsFixed => _chunker.Minimum == _chunker.Maximum;

        public async ValueTask Append(ReadOnlyMemory<byte> bytes, CancellationToken ct)
        {
            while (bytes.Length > 0)
            {
                _buffer ??= _pipeline.Memory.Rent(IsFixed ? _chunker.Maximum : 2 * _chunker.Minimum + 1);
                if (_filled == _buffer.Length) _buffer = _pipeline.Enlarge(_buffer, _filled);
                var taken = Math.Min(bytes.Length, Math.Min(_buffer.Length, _chunker.Maximum) - _filled);
                bytes[..taken].CopyTo(_buffer.AsMemory(_filled));
                (_filled, bytes) = (_filled + taken, bytes[taken..]);
                while (_filled > 0 && _chunker.FindCut(_buffer.AsSpan(0, _filled), _scanned, ref _state) is var cut && cut > 0)
                    await Emit(cut, ct);
                _scanned = _filled;
            }
        }

        public async ValueTask AppendZeros(long count, CancellationToken ct)
        {
            var zeros = new byte[Math.Min(count, _chunker.ZeroChunk)];
            while (count > 0)
            {
                if (IsFixed && _filled == 0 && count / _chunker.ZeroChunk is var whole and > 0)
                {
                    await _pipeline.EmitZeros(_content, _chunker.ZeroChunk, whole, ct);
                    count -= whole * _chunker.ZeroChunk;
                    continue;
                }
                var taken = (int)Math.Min(count, zeros.Length - (IsFixed ? _filled : 0));
                await Append(zeros.AsMemory(0, taken), ct);
                count -= taken;
            }
        }

        async ValueTask Emit(int cut, CancellationToken ct)
        {
            var (chunk, rest) = (_buffer!, _filled - cut);
            (_scanned, _state) = (0, 0);
            if (cut == _chunker.ZeroChunk && !chunk.AsSpan(0, cut).ContainsAnyExcept((byte)0))
            {
                await _pipeline.EmitZeros(_content, cut, 1, ct);
                chunk.AsSpan(cut, rest).CopyTo(chunk);
                _filled = rest;
                return;
            }
            (_buffer, _filled) = (null, rest);
            if (rest > 0)
            {
                _buffer = _pipeline.Memory.Rent(Math.Max(rest + 1, IsFixed ? _chunker.Maximum : 2 * _chunker.Minimum + 1));
                chunk.AsSpan(cut, rest).CopyTo(_buffer);
            }
            await _pipeline.Emit(chunk, cut, _content, isOnly: false, ct);
        }

        public async ValueTask End(Node node, CancellationToken ct)
        {
            _node = node;
            if (_filled > 0) await Emit(_filled, ct);
            GiveBack();
            _tree.Ended(this);
            await _content.Close(ct);
        }

        public void GiveBack()
        {
            if (_buffer is { } left) _pipeline.Memory.Return(left);
            _buffer = null;
        }
    }

    IChunker ChunkerOf(int? chunkBytes) => chunkBytes is { } bytes ? new FixedSize(bytes) : chunkers.Usual;

    BackupCounters Counters => counters;

    Memory.BufferPool Memory => repository.Buffers;
}
