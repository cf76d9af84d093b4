using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Restore;

/// <summary>How far a restore is.</summary>
/// <param name="FilesDone">Files finished.</param>
/// <param name="FilesTotal">Files in all.</param>
/// <param name="BytesDone">Plain bytes written.</param>
/// <param name="BytesTotal">Plain bytes in all.</param>
public readonly record struct RestoreProgress(long FilesDone, long FilesTotal, long BytesDone, long BytesTotal);

/// <summary>What a restore did.</summary>
public sealed record RestoreSummary
{
    /// <summary>Files written.</summary>
    public long Files { get; init; }
    /// <summary>Folders made.</summary>
    public long Folders { get; init; }
    /// <summary>Plain bytes written.</summary>
    public long Bytes { get; init; }
    /// <summary>Files that were there and were kept.</summary>
    public IReadOnlyList<Problem> Kept { get; init; } = [];
    /// <summary>What could not be restored.</summary>
    public IReadOnlyList<Problem> Failed { get; init; } = [];
    /// <summary>From start to end.</summary>
    public TimeSpan Duration { get; init; }
}

/// <summary>
/// Puts a snapshot, or a part of it, onto a target: planned by pack, read in merged ranges, written out of order, every blob verified.
/// </summary>
public sealed class RestoreRun
{
    /// <summary>Gaps up to this size are read along instead of asking twice.</summary>
    const int LargestGap = 64 << 10;
    const int LargestRange = 16 << 20;
    static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(200);

    readonly Repository _repository;
    readonly IRestoreTarget _target;
    readonly IProgress<RestoreProgress>? _progress;
    readonly Lock _gate = new();
    readonly List<Problem> _failed = [], _kept = [];
    readonly List<(IReadOnlyList<FilePath> Path, Node Node)> _folders = [];
    readonly List<(IReadOnlyList<FilePath> Path, PlannedFile First, Node Node)> _links = [];
    readonly Dictionary<(ulong Device, ulong Inode), PlannedFile> _linked = [];
    readonly Dictionary<(ulong Device, ulong Inode), IReadOnlyList<FilePath>> _linkedSpecials = [];
    long _filesTotal, _bytesTotal, _files, _bytes, _reportedAt;

    RestoreRun(Repository repository, IRestoreTarget target, IProgress<RestoreProgress>? progress)
    {
        (_repository, _target, _progress) = (repository, target, progress);
        _reportedAt = repository.Options.Clock.GetTimestamp();
    }

    /// <summary>Restores.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="snapshot">What is restored.</param>
    /// <param name="from">Absolute path inside it: everything below is put straight into the target. Empty: the absolute paths are made
    /// again.</param>
    /// <param name="only">Absolute paths that are restored, with the folders that lead to them; empty for all.</param>
    /// <param name="target">Where it is written.</param>
    /// <param name="progress">Told about five times a second.</param>
    /// <param name="ct">Cancels; what is finished stays, half files do not.</param>
    /// <exception cref="NotFoundException">There is nothing at <paramref name="from"/>.</exception>
    /// <exception cref="RepositoryException">A tree is damaged. Damaged file content is listed per file instead.</exception>
    public static async Task<RestoreSummary> Execute(Repository repository, Snapshot snapshot, FilePath from, IReadOnlyList<FilePath> only,
        IRestoreTarget target, IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        var begun = repository.Options.Clock.GetTimestamp();
        var index = await repository.LoadIndex(ct);
        var run = new RestoreRun(repository, target, progress);
        var plan = new RestorePlan(index);
        await run.Plan(new TreeBrowser(new BlobReader(repository, index)), snapshot, from, only, plan, ct);
        await run.Write(plan, ct);
        run.FinishTree();
        run.Guard(FilePath.FromText("/"), target.Complete);
        run.Report(force: true);
        return new RestoreSummary
        {
            Files = run._files,
            Folders = run._folders.Count,
            Bytes = run._bytes,
            Failed = run._failed,
            Kept = run._kept,
            Duration = repository.Options.Clock.GetElapsedTime(begun),
        };
    }

    async Task Plan(TreeBrowser browser, Snapshot snapshot, FilePath from, IReadOnlyList<FilePath> only, RestorePlan plan,
        CancellationToken ct)
    {
        var skip = from.Parts().Count;
        var wanted = only.Select(path => path.Parts()).ToList();
        var found = new bool[wanted.Count];
        await foreach (var (path, node) in browser.Walk(snapshot, from, ct))
        {
            var parts = path.Parts();
            if (!IsWanted(parts, wanted, found)) continue;
            // A single file is put into the target under its own name; a folder's content without the folder itself.
            var relative = parts.Count == skip && node.Type != NodeType.Dir ? [node.Name] : parts.Skip(skip).ToArray();
            if (relative.Length > 0) Guard(path, () => PlanNode(relative, path, node, plan));
        }
        for (var i = 0; i < wanted.Count; i++)
            if (!found[i]) _failed.Add(new Problem(only[i], "is not in the snapshot"));
    }

    /// <summary>Whether a path is one of the wanted, below one, or on the way to one.</summary>
    static bool IsWanted(IReadOnlyList<FilePath> parts, List<IReadOnlyList<FilePath>> wanted, bool[] found)
    {
        var isWanted = wanted.Count == 0;
        for (var i = 0; i < wanted.Count; i++)
        {
            var common = Math.Min(parts.Count, wanted[i].Count);
            if (!parts.Take(common).SequenceEqual(wanted[i].Take(common))) continue;
            isWanted = true;
            if (parts.Count >= wanted[i].Count) found[i] = true;
        }
        return isWanted;
    }

    void PlanNode(FilePath[] relative, FilePath path, Node node, RestorePlan plan)
    {
        switch (node.Type)
        {
            case NodeType.Dir:
                _target.MakeFolder(relative, node);
                _folders.Add((relative, node));
                break;
            case NodeType.File:
                PlanFile(new PlannedFile(relative, node), path, plan);
                break;
            case NodeType.Socket:
                break;   // a socket is made by the program that listens on it
            default:
                if (node.Links > 1 && node.Inode != 0 && !_linkedSpecials.TryAdd((node.DeviceId, node.Inode), relative))
                    _target.MakeHardLink(relative, _linkedSpecials[(node.DeviceId, node.Inode)], node);
                else _target.MakeSpecial(relative, node);
                break;
        }
    }

    void PlanFile(PlannedFile file, FilePath path, RestorePlan plan)
    {
        var node = file.Node;
        if (node.Links > 1 && node.Inode != 0)
        {
            if (_linked.TryGetValue((node.DeviceId, node.Inode), out var first) && first.Node.Content.SequenceEqual(node.Content))
            {
                _links.Add((file.Path, first, node));
                return;
            }
            _linked.TryAdd((node.DeviceId, node.Inode), file);
        }
        if (plan.Add(file) is { } unknown) throw RepositoryException.Damaged($"file '{path}'", $"its blob {unknown} is in no index.");
        _filesTotal++;
        _bytesTotal += (long)node.SizeBytes;
        if (node.Content.Count > 0) return;
        if (file.Open(_target) is null) Keep(file); else if (file.Close()) Interlocked.Increment(ref _files);
    }

    void Keep(PlannedFile file)
    {
        lock (_gate) _kept.Add(new Problem(Join(file.Path), "is there already and was kept"));
    }

    static FilePath Join(IReadOnlyList<FilePath> path)
    {
        var joined = new FilePath("/"u8.ToArray());
        foreach (var part in path) joined = joined.Join(part.Bytes);
        return joined;
    }

    /// <summary>Runs a step of one entry; a failure that has a name is listed and the restore goes on.</summary>
    bool Guard(FilePath path, Action step)
    {
        try
        {
            step();
            return true;
        }
        catch (BackupDrException e)
        {
            lock (_gate) _failed.Add(new Problem(path, e.Message));
            return false;
        }
    }

    async Task Write(RestorePlan plan, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var queue = Channel.CreateBounded<(BlobId Pack, List<PlannedBlob> Blobs)>(1);
        Exception? first = null;
        async Task Worker()
        {
            try
            {
                await foreach (var (pack, blobs) in queue.Reader.ReadAllAsync(stop.Token)) await RestorePack(pack, blobs, stop.Token);
            }
            catch (Exception e)
            {
                if (Interlocked.CompareExchange(ref first, e, null) is null) await stop.CancelAsync();
            }
        }
        var workers = Enumerable.Range(0, _repository.Options.Workers + 1).Select(_ => Task.Run(Worker, CancellationToken.None)).ToArray();
        try
        {
            foreach (var next in plan.Packs()) await queue.Writer.WriteAsync(next, stop.Token);
        }
        catch (OperationCanceledException) when (first is not null) { queue.Writer.TryComplete(); }
        finally { queue.Writer.TryComplete(); }
        await Task.WhenAll(workers);
        ct.ThrowIfCancellationRequested();
        if (first is not null) ExceptionDispatchInfo.Throw(first);
    }

    async Task RestorePack(BlobId pack, List<PlannedBlob> blobs, CancellationToken ct)
    {
        for (var from = 0; from < blobs.Count;)
        {
            var start = blobs[from].Entry.Offset;
            var (to, end) = (from, start);
            while (to < blobs.Count
                && (to == from || (blobs[to].Entry.Offset - end <= LargestGap
                && blobs[to].Entry.Offset + blobs[to].Entry.Length - start <= LargestRange)))
            {
                end = blobs[to].Entry.Offset + blobs[to].Entry.Length;
                to++;
            }
            await RestoreRange(pack, blobs.GetRange(from, to - from), start, (int)(end - start), ct);
            from = to;
        }
    }

    async Task RestoreRange(BlobId pack, List<PlannedBlob> blobs, uint start, int length, CancellationToken ct)
    {
        var isRented = length <= LargestRange;
        var range = isRented ? _repository.Buffers.Rent(length) : new byte[length];
        var bench = _repository.RentBench();
        try
        {
            try { await _repository.Store.Read(ObjectLayout.Of(ObjectLayout.Data, pack), start, range.AsMemory(0, length), ct); }
            catch (StoreException e) when (e.Fault is StoreFault.Missing or StoreFault.ShortRead)
            {
                foreach (var blob in blobs) FailBlob(blob, $"pack {pack}: {e.Message}");
                return;
            }
            foreach (var blob in blobs)
            {
                ct.ThrowIfCancellationRequested();
                RestoreBlob(pack, blob, range.AsSpan((int)(blob.Entry.Offset - start), (int)blob.Entry.Length), bench);
            }
        }
        finally
        {
            _repository.ReturnBench(bench);
            if (isRented) _repository.Buffers.Return(range);
        }
    }

    void RestoreBlob(BlobId pack, PlannedBlob blob, Span<byte> box, BlobWorkbench bench)
    {
        var length = blob.Entry.DecodedLength;
        if (length > BlobReader.MaximumDecoded) { FailBlob(blob, $"pack {pack}: blob {blob.Entry.Id} would be {length} bytes"); return; }
        var isRented = length <= LargestRange;
        var plain = isRented ? _repository.Buffers.Rent((int)length) : new byte[length];
        try
        {
            if (!bench.TryOpen(box, blob.Entry, plain, out var wrong))
            {
                FailBlob(blob, $"pack {pack}: blob {blob.Entry.Id}: {wrong}");
                return;
            }
            foreach (var part in blob.Parts) WritePart(part, plain.AsSpan(0, (int)length));
        }
        finally
        {
            if (isRented) _repository.Buffers.Return(plain);
        }
        Report();
    }

    void FailBlob(PlannedBlob blob, string message)
    {
        foreach (var part in blob.Parts)
        {
            FailPart(part, message);
            EndPart(part);
        }
    }

    void FailPart(PlannedPart part, string message)
    {
        if (!part.File.Fail()) return;   // one line a file is enough
        lock (_gate) _failed.Add(new Problem(Join(part.File.Path), message));
    }

    void WritePart(PlannedPart part, ReadOnlySpan<byte> plain)
    {
        try
        {
            if (!part.File.Failed && part.File.Open(_target) is { } file)
            {
                file.Write(part.Offset, plain);
                Interlocked.Add(ref _bytes, plain.Length);
            }
        }
        catch (BackupDrException e) { FailPart(part, e.Message); }
        EndPart(part);
    }

    void EndPart(PlannedPart part)
    {
        if (!part.File.PartDone()) return;
        try
        {
            if (part.File.Close()) Interlocked.Increment(ref _files);
            else if (!part.File.Failed) Keep(part.File);
        }
        catch (BackupDrException e) { FailPart(part, e.Message); }
    }

    void FinishTree()
    {
        foreach (var (path, first, node) in _links)
            if (!first.Failed && Guard(Join(path), () => _target.MakeHardLink(path, first.Path, node))) _files++;
        for (var i = _folders.Count - 1; i >= 0; i--)   // children come after their parents in the list, so they are finished first
        {
            var (path, node) = _folders[i];
            Guard(Join(path), () => _target.FinishFolder(path, node));
        }
        Guard(FilePath.FromText("/"), _target.Complete);
    }

    void Report(bool force = false)
    {
        if (_progress is null) return;
        var last = Interlocked.Read(ref _reportedAt);
        if (!force && _repository.Options.Clock.GetElapsedTime(last) < ReportEvery) return;
        if (Interlocked.CompareExchange(ref _reportedAt, _repository.Options.Clock.GetTimestamp(), last) != last) return;
        _progress.Report(new RestoreProgress(Interlocked.Read(ref _files), _filesTotal, Interlocked.Read(ref _bytes), _bytesTotal));
    }
}
