using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Format;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;

namespace BackupDr.Engine.Backup;

/// <summary>Takes one snapshot.</summary>
/// <remarks>
/// Source: docs/format/restic-v2.md, F-8: shared lock, snapshots, index, packs, index files, lock checked, snapshot, lock checked again.
/// </remarks>
public static class BackupRun
{
    /// <summary>Stores a source and publishes its snapshot.</summary>
    /// <returns>The snapshot, also where entries are missing: then it is not complete and lists them.</returns>
    /// <exception cref="RepositoryException">Locked, LockLost or Damaged; nothing was published.</exception>
    /// <exception cref="Storage.StoreException">The store failed; nothing was published, and what was stored is used by the next
    /// run.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; nothing was published.</exception>
    public static Task<BackupSummary> Execute(Repository repository, IItemSource source, BackupRequest request,
        IProgress<BackupProgress>? progress, CancellationToken ct)
        => Execute(repository, source.Paths, async (pipeline, counters, parentTree, token) =>
        {
            var counting = request.CountFirst ? Task.Run(() => Count(source, counters, token), token) : Task.CompletedTask;
            var tree = await pipeline.Run(source, parentTree, token);
            await counting;
            return tree;
        }, request, progress, ct);

    /// <summary>Stores what a source streams and publishes its snapshot, which is complete: a stream is whole, or nothing is
    /// published.</summary>
    /// <inheritdoc cref="Execute(Repository, IItemSource, BackupRequest, IProgress{BackupProgress}?, CancellationToken)"/>
    public static Task<BackupSummary> Execute(Repository repository, IStreamedSource source, BackupRequest request,
        IProgress<BackupProgress>? progress, CancellationToken ct)
        => Execute(repository, source.Paths, (pipeline, _, parentTree, token) => pipeline.Run(source, parentTree, token), request, progress,
            ct);

    static async Task<BackupSummary> Execute(Repository repository, IReadOnlyList<FilePath> sourcePaths,
        Func<BackupPipeline, BackupCounters, BlobId?, CancellationToken, Task<BlobId>> store, BackupRequest request,
        IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        var clock = repository.Options.Clock;
        var (begun, startedAt) = (clock.GetTimestamp(), clock.GetUtcNow());
        // Snapshots and index are read while the lock settles; nothing is stored before it has.
        await using var held = await RepositoryLock.Announce(repository, LockKind.Shared, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
        try
        {
            var time = request.Time ?? startedAt;
            var paths = sourcePaths.Select(Text).ToList();
            // Marks before snapshots before index: what a prune has marked by now is not counted on.
            var marks = await MarkSet.Load(repository, stop.Token);
            var snapshots = await repository.Snapshots(SnapshotFilter.All, stop.Token);
            var parent = await ChooseParent(repository, snapshots, request, paths, time, stop.Token);
            var chunkers = new ChunkerPicker(request.Chunker, repository.ChunkerPolynomial, IsCutByRestic(snapshots));
            var index = await marks.LoadTrusted(repository, stop.Token);
            await held.Settle(stop.Token);
            var counters = new BackupCounters(progress, clock, request.Listing);
            var indexWriter = new IndexWriter(repository, index);
            await using var packs = new PackWriter(repository, indexWriter, opensBlobs: false);
            var pipeline = new BackupPipeline(repository, new BlobStage(repository, index, packs, counters), counters,
                parent is null ? null : new ParentWalk(new BlobReader(repository, index)), request.Force, chunkers);
            var tree = await store(pipeline, counters, parent?.Tree, stop.Token);
            // All is read. Over a thin line the last packs may take minutes, and whoever looks then is to see how far it is.
            counters.Report(FilePath.FromText("/"), force: true);
            await packs.Flush(stop.Token);
            await indexWriter.Flush(stop.Token);
            var snapshot = new Snapshot
            {
                Time = UnixTime.From(time),
                Parent = parent?.Id,
                Tree = tree,
                Paths = paths,
                HostName = request.HostName,
                UserName = request.UserName,
                Excludes = request.Excludes,
                Tags = request.Tags,
                ProgramVersion = repository.Options.ProgramVersion,
                Summary = Summarise(counters, packs, startedAt, clock.GetUtcNow()).Write(),
            };
            var id = await SnapshotPublication.Write(repository, held, snapshot, stop.Token) ?? throw LockLost();
            counters.Report(FilePath.FromText("/"), force: true);
            return new BackupSummary(counters, packs.StoredBytes, clock.GetElapsedTime(begun))
            {
                SnapshotId = id,
                TreeId = tree,
                ParentId = parent?.Id,
                Time = time,
            };
        }
        catch (OperationCanceledException) when (held.Lost.IsCancellationRequested && !ct.IsCancellationRequested) { throw LockLost(); }
    }

    /// <summary>Finds out what <see cref="Execute(Repository, IItemSource, BackupRequest, IProgress{BackupProgress}?,
    /// CancellationToken)"/> would do: everything is read, compressed and sealed, and nothing is written, no lock
    /// either. A prune that runs meanwhile can make the answer too small.</summary>
    /// <exception cref="RepositoryException">Damaged.</exception>
    /// <exception cref="Storage.StoreException">The store failed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<BackupFindings> Preview(Repository repository, IItemSource source, BackupRequest request,
        IProgress<BackupProgress>? progress, CancellationToken ct)
    {
        var clock = repository.Options.Clock;
        var begun = clock.GetTimestamp();
        var marks = await MarkSet.Load(repository, ct);
        var snapshots = await repository.Snapshots(SnapshotFilter.All, ct);
        var parent = await ChooseParent(repository, snapshots, request, [.. source.Paths.Select(Text)],
            request.Time ?? clock.GetUtcNow(), ct);
        var chunkers = new ChunkerPicker(request.Chunker, repository.ChunkerPolynomial, IsCutByRestic(snapshots));
        var index = await marks.LoadTrusted(repository, ct);
        var counters = new BackupCounters(progress, clock, request.Listing);
        var pipeline = new BackupPipeline(repository, new BlobStage(repository, index, packs: null, counters), counters,
            parent is null ? null : new ParentWalk(new BlobReader(repository, index)), request.Force, chunkers);
        var counting = request.CountFirst ? Task.Run(() => Count(source, counters, ct), ct) : Task.CompletedTask;
        await pipeline.Run(source, parent?.Tree, ct);
        await counting;
        return new BackupFindings(counters, counters.SealedBytes, clock.GetElapsedTime(begun));
    }

    /// <summary>A path as restic's JSON holds it; bytes that are no UTF-8 become U+FFFD there as well.</summary>
    static string Text(FilePath path) => System.Text.Encoding.UTF8.GetString(path.Bytes);

    static async Task<Snapshot?> ChooseParent(Repository repository, IReadOnlyList<Snapshot> snapshots, BackupRequest request,
        List<string> paths, DateTimeOffset time, CancellationToken ct)
    {
        if (request.Parent is { } wanted) return await repository.FindSnapshot(wanted.ToString(), SnapshotFilter.All, ct);
        var filter = new SnapshotFilter { HostNames = [request.HostName], Paths = paths };
        return snapshots.LastOrDefault(snapshot => filter.Fits(snapshot) && snapshot.Time.CompareTo(UnixTime.From(time)) <= 0);
    }

    /// <summary>The oldest snapshot decides: a first run of ours in restic's repository must not change the cut of the second.</summary>
    static bool IsCutByRestic(IReadOnlyList<Snapshot> snapshots)
        => snapshots.Count > 0 && !snapshots[0].ProgramVersion.StartsWith("backupdr", StringComparison.Ordinal);

    static RepositoryException LockLost()
        => new(RepositoryFault.LockLost, "The repository lock was lost while the backup ran, so its snapshot was not published.",
        "Somebody removed the lock (restic unlock), or this machine slept for more than 22 minutes. "
            + "Run the backup again; what was stored is reused.");

    static SnapshotSummary Summarise(BackupCounters counters, PackWriter packs, DateTimeOffset start, DateTimeOffset end)
        => new(UnixTime.From(start), UnixTime.From(end), counters.FilesNew, counters.FilesChanged, counters.FilesUnmodified,
            counters.FoldersNew, counters.FoldersChanged,
            counters.FoldersUnmodified, counters.DataBlobs, counters.TreeBlobs, counters.BytesNew, packs.StoredBytes,
            counters.FilesNew + counters.FilesChanged + counters.FilesUnmodified, counters.Bytes);

    /// <summary>Counts what is to be taken, for the progress. Its problems are those of the real walk, so they are dropped here.</summary>
    static void Count(IItemSource source, BackupCounters counters, CancellationToken ct)
    {
        var (files, bytes) = (0L, 0L);
        var silent = new BackupCounters(null, TimeProvider.System);
        var stack = new Stack<ISourceFolder>();
        try
        {
            var pending = new Stack<(ISourceFolder Folder, Queue<Node> Folders)>();
            Enter(source.OpenRoot(silent));
            while (pending.TryPeek(out var top))
            {
                ct.ThrowIfCancellationRequested();
                if (!top.Folders.TryDequeue(out var node)) { pending.Pop(); stack.Pop().Dispose(); continue; }
                if (top.Folder.OpenFolder(node, silent) is { } folder) Enter(folder);
            }
            void Enter(ISourceFolder folder)
            {
                stack.Push(folder);
                var folders = new Queue<Node>();
                foreach (var node in folder.List(silent, ct))
                {
                    if (node.Type == NodeType.Dir) folders.Enqueue(node);
                    if (node.Type == NodeType.File) { files++; bytes += (long)node.SizeBytes; }
                }
                pending.Push((folder, folders));
            }
            Interlocked.Exchange(ref counters.BytesTotal, bytes);
            Interlocked.Exchange(ref counters.FilesTotal, files);
        }
        finally
        {
            while (stack.TryPop(out var folder)) folder.Dispose();
        }
    }
}
