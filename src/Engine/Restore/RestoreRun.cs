using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Tiers;

namespace BackupDr.Engine.Restore;

/// <summary>
/// Puts a snapshot, or a part of it, onto a target: planned by pack, read in merged ranges, written out of order, every blob verified.
/// </summary>
/// <remarks>
/// What stands in the target already is compared with the snapshot by content where the target's overwrite policy lets it be replaced:
/// files that are right are not written again, large ones get only the ranges that differ. So a restore that was killed is continued by
/// running it once more.
/// </remarks>
public sealed partial class RestoreRun
{
    static readonly TimeSpan ReportEvery = TimeSpan.FromMilliseconds(200);

    readonly Repository _repository;
    readonly RestoreRequest _request;
    readonly IRestoreTarget _target;
    readonly bool _isPreview;
    readonly IProgress<RestoreProgress>? _progress;
    readonly Lock _gate = new();
    readonly List<Problem> _failed = [], _kept = [];
    readonly List<(IReadOnlyList<FilePath> Path, Node Node)> _folders = [];
    readonly List<(IReadOnlyList<FilePath> Path, PlannedFile First, Node Node, bool Stood)> _links = [];
    readonly List<PlannedFile> _written = [];   // only where they are to be verified
    IReadOnlyCollection<BlobId> _needed = [];   // of a preview: the packs that would be read
    long _filesTotal, _bytesTotal, _files, _bytes, _updated, _unchanged, _verified, _reportedAt;

    RestoreRun(Repository repository, RestoreRequest request, IRestoreTarget target, bool isPreview, IProgress<RestoreProgress>? progress)
    {
        (_repository, _request, _target, _isPreview, _progress) = (repository, request, target, isPreview, progress);
        _reportedAt = repository.Options.Clock.GetTimestamp();
    }

    /// <summary>Restores some paths of a snapshot, or all of it.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="snapshot">What is restored.</param>
    /// <param name="from">Absolute path inside it: everything below is put straight into the target. Empty: the absolute paths are made
    /// again.</param>
    /// <param name="only">Absolute paths that are restored, with the folders that lead to them; empty for all.</param>
    /// <param name="target">Where it is written.</param>
    /// <param name="progress">Told about five times a second.</param>
    /// <param name="ct">Cancels; what is finished stays, half files do not.</param>
    /// <exception cref="NotFoundException">There is nothing at <paramref name="from"/>.</exception>
    /// <exception cref="RepositoryException">The first tree is damaged. Other damaged trees and damaged content are listed.</exception>
    public static Task<RestoreSummary> Execute(Repository repository, Snapshot snapshot, FilePath from, IReadOnlyList<FilePath> only,
        IRestoreTarget target, IProgress<RestoreProgress>? progress, CancellationToken ct)
        => Execute(repository, snapshot, RestoreRequest.Of(only) with { From = from }, target, progress, ct);

    /// <summary>Restores.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="snapshot">What is restored.</param>
    /// <param name="request">What of it, and how.</param>
    /// <param name="target">Where it is written.</param>
    /// <param name="progress">Told about five times a second.</param>
    /// <param name="ct">Cancels; what is finished stays. A file that was being mended in place stays marked until the next restore.</param>
    /// <exception cref="NotFoundException">There is nothing at the request's path.</exception>
    /// <exception cref="RepositoryException">The first tree is damaged. Other damaged trees and damaged content are listed. Archived or
    /// Thawing: nothing was written.</exception>
    public static async Task<RestoreSummary> Execute(Repository repository, Snapshot snapshot, RestoreRequest request,
        IRestoreTarget target, IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        // Before anything is made in the target: a folder without its files would be taken for one that somebody had there.
        if (await Thawing.IsAnythingArchived(repository, ct))
        {
            var look = new RestoreRun(repository, request with { Each = null }, target, isPreview: true, null);
            await look.Run(snapshot, ct);
            await Thawing.Need(repository, look._needed, request.Thaw, ct);
        }
        return await new RestoreRun(repository, request, target, isPreview: false, progress).Run(snapshot, ct);
    }

    /// <summary>Finds what a restore would do, by the same steps, and changes nothing. Files that stand in the target are compared by
    /// content.</summary>
    /// <exception cref="NotFoundException">There is nothing at the request's path.</exception>
    /// <exception cref="RepositoryException">The first tree is damaged.</exception>
    public static Task<RestoreSummary> Preview(Repository repository, Snapshot snapshot, RestoreRequest request, IRestoreTarget target,
        CancellationToken ct)
        => new RestoreRun(repository, request, target, isPreview: true, null).Run(snapshot, ct);

    async Task<RestoreSummary> Run(Snapshot snapshot, CancellationToken ct)
    {
        var begun = _repository.Options.Clock.GetTimestamp();
        var index = await _repository.LoadIndex(ct);
        var plan = new RestorePlan(index);
        await Plan(new TreeBrowser(new BlobReader(_repository, index)), snapshot, plan, ct);
        await CompareExisting(plan, ct);
        var archived = new ArchivedSpace();
        if (!_isPreview) await Write(plan, ct);
        else if (await Thawing.IsAnythingArchived(_repository, ct))
            archived = await Thawing.Look(_repository, _needed = plan.PackIds, _request.Thaw.PriceOfGiB, ct);
        FinishLinks();
        if (!_isPreview)
        {
            FinishFolders();
            Guard(FilePath.FromText("/"), _target.Complete);
            await Verify(plan, ct);
        }
        Report(force: true);
        return new RestoreSummary
        {
            Files = _files,
            FilesUpdated = _updated,
            FilesUnchanged = _unchanged,
            FilesVerified = _verified,
            Folders = _folders.Count,
            Bytes = _bytes,
            Archived = archived,
            Failed = _failed,
            Kept = _kept,
            Duration = _repository.Options.Clock.GetElapsedTime(begun),
        };
    }

    void FinishLinks()
    {
        foreach (var (path, first, node, stood) in _links)
        {
            if (first.Failed) continue;   // listed already
            Guard(Join(path), () =>
            {
                var choice = stood ? _target.Look(path, node) : RestoreChoice.Create;
                if (choice == RestoreChoice.Keep) { Keep(path); return; }
                if (!_isPreview) _target.MakeHardLink(path, first.Path, node);
                _files++;
                Tell(path, choice == RestoreChoice.Create ? RestoreOutcome.Created : RestoreOutcome.Replaced);
            });
        }
    }

    void FinishFolders()
    {
        for (var i = _folders.Count - 1; i >= 0; i--)   // children come after their parents in the list, so they are finished first
        {
            var (path, node) = _folders[i];
            Guard(Join(path), () => _target.FinishFolder(path, node));
        }
    }

    /// <summary>Reads back what was written, now that the device has taken it.</summary>
    Task Verify(RestorePlan plan, CancellationToken ct) => InParallel(_written, file => Join(file.Path), file =>
    {
        using var existing = _target.OpenExisting(file.Path, file.Node);
        var isRight = existing is not null && existing.SizeBytes == (long)file.Node.SizeBytes
            && FileComparison.Compare(existing, plan.Places(file, Join(file.Path)), _repository.Buffers, ct).All(right => right);
        if (!isRight)
            throw new ConflictException("restore.verify", "was restored, but reads back other bytes than the snapshot's.",
                "Check this machine's disk and memory, and that nobody works in the target; then restore again.");
        Interlocked.Increment(ref _verified);
    }, ct);

    /// <summary>Runs a step for each item; a failure that has a name is listed under the item's path.</summary>
    Task InParallel<T>(IEnumerable<T> items, Func<T, FilePath> path, Action<T> step, CancellationToken ct)
        => Parallel.ForEachAsync(items,
            new ParallelOptions { MaxDegreeOfParallelism = _repository.Options.Workers, CancellationToken = ct }, (item, _) =>
        {
            Guard(path(item), () => step(item));
            return ValueTask.CompletedTask;
        });

    void Keep(IReadOnlyList<FilePath> path)
    {
        lock (_gate) _kept.Add(new Problem(Join(path), "is there already and was kept"));
        Tell(path, RestoreOutcome.Kept);
    }

    void Tell(IReadOnlyList<FilePath> path, RestoreOutcome outcome)
    {
        if (_request.Each is null) return;
        lock (_gate) _request.Each(Join(path), outcome);
    }

    static FilePath Join(IReadOnlyList<FilePath> path)
    {
        var joined = new FilePath("/"u8.ToArray());
        foreach (var part in path) joined = joined.Join(part.Bytes);
        return joined;
    }

    /// <summary>Runs a step of one entry; a failure that has a name is listed and the restore goes on.</summary>
    void Guard(FilePath path, Action step)
    {
        try { step(); }
        catch (BackupDrException e)
        {
            lock (_gate) _failed.Add(new Problem(path, e.Message));
        }
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
