using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Browse;

/// <summary>How far a survey is.</summary>
/// <param name="Done">Snapshots and trees read.</param>
/// <param name="Total">Known so far.</param>
public readonly record struct SurveyProgress(int Done, int Total);

/// <summary>What a survey found.</summary>
public sealed record SurveyReport
{
    /// <summary>Snapshots whose first tree can be read, newest first.</summary>
    public required IReadOnlyList<Snapshot> Snapshots { get; init; }
    /// <summary>Snapshots that are there and cannot be read, and what is wrong with each.</summary>
    public required IReadOnlyList<(BlobId Snapshot, string Problem)> Problems { get; init; }
    /// <summary>Distinct first trees that were read.</summary>
    public required int Trees { get; init; }
    /// <summary>Blobs in the index.</summary>
    public required long Blobs { get; init; }
}

/// <summary>
/// Looks through somebody else's repository: every snapshot, the whole index, every snapshot's first tree. It writes nothing, no lock
/// either, so credentials that can only read are enough. Folders below the first tree and the data itself are not read.
/// </summary>
/// <remarks>
/// Without a lock, restic may forget and prune meanwhile. What it took away is not damage: a snapshot that seems broken is one only if it
/// is still there when it was looked at once more with a fresh index.
/// </remarks>
public static class RepositorySurvey
{
    const int ReadsAtOnce = 8;   // they wait for the store, not for the processor

    /// <summary>Looks.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="progress">Told after each snapshot and each tree.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="RepositoryException">An index file is damaged.</exception>
    /// <exception cref="StoreException">The store failed, or does not let us read.</exception>
    public static async Task<SurveyReport> Execute(Repository repository, IProgress<SurveyProgress>? progress, CancellationToken ct)
    {
        var survey = new Survey(repository, progress);
        await survey.ReadSnapshots(ct);
        // After the snapshots: an index that is older than a snapshot may lack its trees.
        var index = await repository.LoadIndex(ct);
        await survey.ReadTrees(index, ct);
        return survey.Report(index);
    }

    sealed class Survey(Repository repository, IProgress<SurveyProgress>? progress)
    {
        readonly List<Snapshot> _snapshots = [];
        readonly Dictionary<BlobId, string> _problems = [];
        readonly HashSet<BlobId> _trees = [];
        readonly Lock _gate = new();
        int _done, _total;

        public async Task ReadSnapshots(CancellationToken ct)
        {
            var listed = new List<(BlobId Id, long Bytes)>();
            await foreach (var found in repository.Store.List(ObjectLayout.Snapshots, ct))
                if (ObjectLayout.TryId(found, out var id)) listed.Add((id, found.SizeBytes));
            _total = 2 * listed.Count;
            await ParallelWork.Run(listed, ReadsAtOnce, (one, token) => ReadSnapshot(one.Id, one.Bytes, token), ct);
            _total = _done + _snapshots.DistinctBy(snapshot => snapshot.Tree).Count();
        }

        async Task ReadSnapshot(BlobId id, long bytes, CancellationToken ct)
        {
            try
            {
                var snapshot = SnapshotFile.Read((await repository.ReadUnpacked(ObjectLayout.Snapshots, id, ct, bytes)).Span, id);
                lock (_gate) _snapshots.Add(snapshot);
            }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { Step(); return; }   // forgotten meanwhile
            catch (RepositoryException e) { lock (_gate) _problems[id] = e.Message; }
            catch (StoreException e) when (e.Fault == StoreFault.ShortRead) { lock (_gate) _problems[id] = e.Message; }
            Step();
        }

        /// <summary>All at once where nothing is wrong; else one by one, so that what is wrong is told of each snapshot.</summary>
        public async Task ReadTrees(BlobIndex index, CancellationToken ct)
        {
            var read = _done;
            try
            {
                await new BlobReader(repository, index).ReadTrees(_snapshots.Select(snapshot => snapshot.Tree), (id, json) =>
                {
                    TreeBlob.Read(json.Span, $"tree {id}");
                    lock (_gate) _trees.Add(id);
                    Step();
                }, ct);
                return;
            }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged) { _done = read; }
            catch (StoreException e) when (IsGone(e)) { _done = read; }
            var fresh = new BlobReader(repository, await repository.LoadIndex(ct));
            await ParallelWork.Run(_snapshots.ToLookup(snapshot => snapshot.Tree).ToList(), ReadsAtOnce, async (sharing, token) =>
            {
                if (await ReadTree(fresh, sharing.Key, token) is { } problem)
                    foreach (var snapshot in sharing) await Broken(snapshot, problem, token);
                Step();
            }, ct);
        }

        async Task<string?> ReadTree(BlobReader reader, BlobId tree, CancellationToken ct)
        {
            try { await reader.ReadTree(tree, ct); }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged) { return e.Message; }
            catch (StoreException e) when (IsGone(e)) { return e.Message; }
            lock (_gate) _trees.Add(tree);
            return null;
        }

        async Task Broken(Snapshot snapshot, string problem, CancellationToken ct)
        {
            var isThere = await repository.Store.Head(ObjectLayout.Of(ObjectLayout.Snapshots, snapshot.Id), ct) is not null;
            lock (_gate)
            {
                _snapshots.Remove(snapshot);
                if (isThere) _problems[snapshot.Id] = problem;
            }
        }

        static bool IsGone(StoreException e) => e.Fault is StoreFault.Missing or StoreFault.ShortRead;

        void Step()
        {
            var done = Interlocked.Increment(ref _done);
            progress?.Report(new SurveyProgress(done, Math.Max(done, Volatile.Read(ref _total))));
        }

        public SurveyReport Report(BlobIndex index) => new()
        {
            Snapshots = [.. _snapshots.OrderByDescending(snapshot => snapshot.Time).ThenByDescending(snapshot => snapshot.Id)],
            Problems = [.. _problems.OrderBy(problem => problem.Key).Select(problem => (problem.Key, problem.Value))],
            Trees = _trees.Count,
            Blobs = index.Count,
        };
    }
}
