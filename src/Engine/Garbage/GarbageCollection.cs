using BackupDr.Engine.Locks;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Engine.Garbage;

/// <summary>
/// Gives space back in two phases: what nothing needs is marked, and removed when everybody is gone who could still count on it. Backups
/// go on all the time.
/// </summary>
/// <remarks>Source: docs/format/restic-v2.md, section 12; why it is safe: docs/decisions/0009-two-phase-garbage-collection.md.</remarks>
public sealed class GarbageCollection
{
    static readonly TimeSpan BetweenTries = TimeSpan.FromSeconds(5);

    readonly Repository _repository;
    readonly PruneRequest _request;
    readonly IProgress<PruneProgress>? _progress;
    readonly RepositoryLock _held;
    PruneReport _report = new() { Plan = new PrunePlan() };

    GarbageCollection(Repository repository, PruneRequest request, IProgress<PruneProgress>? progress, RepositoryLock held)
        => (_repository, _request, _progress, _held) = (repository, request, progress, held);

    /// <summary>Marks, and removes what can be removed.</summary>
    /// <exception cref="RepositoryException">Locked by another prune or exclusively; Damaged: something that a snapshot needs is not
    /// there, and nothing was removed; LockLost.</exception>
    /// <exception cref="Storage.StoreException">The store failed; the repository is whole, and the next run goes on.</exception>
    public static async Task<PruneReport> Execute(Repository repository, PruneRequest request, IProgress<PruneProgress>? progress,
        CancellationToken ct)
    {
        // Reading begins while the lock settles; nothing is stored before it has.
        await using var held = await RepositoryLock.Announce(repository, LockKind.Upkeep, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
        var run = new GarbageCollection(repository, request, progress, held);
        try { return await run.Run(stop.Token); }
        catch (OperationCanceledException) when (held.Lost.IsCancellationRequested && !ct.IsCancellationRequested)
        {
            throw new RepositoryException(RepositoryFault.LockLost, "The lock of the prune was lost while it ran.",
                "Run it again; what is marked stays marked.");
        }
    }

    async Task<PruneReport> Run(CancellationToken ct)
    {
        _progress?.Report(new PruneProgress("looking at snapshots", 0, 0));
        var marks = await MarkSet.LoadWithWitnesses(_repository, ct);
        var examined = await Examination.Make(_repository, marks, _request, ct);
        await _held.Settle(ct);
        _report = _report with { Plan = examined.Plan };
        if (_request.IsDryRun) return await Outlook(marks, ct);
        // Else the dead would be witnesses, and wait for ever.
        await RepositoryLock.RemoveDead(_repository, ct);
        await Trash.Empty(_repository, ct);
        await Mark(examined, ct);
        UsedBlobs? known = examined.Used;
        while (true)
        {
            var isDone = await TrySweep(known, ct);
            if (isDone || !_request.Waits) return _report;
            known = null;   // not worth its memory while we wait
            await Task.Delay(BetweenTries, _repository.Options.Clock, ct);
            await RepositoryLock.RemoveDead(_repository, ct);
        }
    }

    async Task Mark(Examination examined, CancellationToken ct)
    {
        var packs = new List<MarkedPack>(examined.Garbage);
        if (examined.Repack.Count > 0)
        {
            var done = 0;
            await new Repacking(_repository, examined.Used).Run(examined.Repack, _ =>
                _progress?.Report(new PruneProgress("repacking", Interlocked.Increment(ref done), examined.Repack.Count)), ct);
            packs.AddRange(examined.Repack.Select(id => new MarkedPack(id, MarkReason.Repacked)));
        }
        if (packs.Count == 0) return;
        var mark = await MarkSet.Put(_repository, packs, ct);
        await MarkSet.PutWitnesses(_repository, mark, _held.Identity, ct);
    }

    /// <summary>Removes what is due; whether nothing is left to wait for.</summary>
    async Task<bool> TrySweep(UsedBlobs? known, CancellationToken ct)
    {
        var marks = await MarkSet.LoadWithWitnesses(_repository, ct);
        await marks.RemoveLeftovers(_repository, ct);
        if (marks.Marks.Count == 0) return true;
        var due = await Due(marks, addWitnesses: true, ct);
        if (due.Count > 0)
        {
            _progress?.Report(new PruneProgress("removing packs", 0, due.Sum(mark => mark.Packs.Count)));
            var sweep = new Sweep(_repository, _held);
            try
            {
                await sweep.Run(due, known, ct);
                _report = _report with
                {
                    RemovedPacks = _report.RemovedPacks + sweep.RemovedPacks,
                    RemovedBytes = _report.RemovedBytes + sweep.RemovedBytes,
                    RescuedPacks = _report.RescuedPacks + sweep.RescuedPacks,
                };
                marks = await MarkSet.LoadWithWitnesses(_repository, ct);
            }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Locked)
            {
                var others = await RepositoryLock.List(_repository, ct);
                _report = _report with
                {
                    WaitsFor = [.. _report.WaitsFor, .. others.Where(other => other.Lock.IsExclusive || !LockRules.IsOurs(other.Lock))
                        .Select(other => LockIdentity.Of(other.Lock))],
                };
            }
        }
        _report = _report with { WaitingPacks = marks.Packs.Count };
        return marks.Marks.Count == 0;
    }

    /// <summary>Marks that are old enough and without witnesses at work. Tells the report what keeps the others.</summary>
    async Task<List<Mark>> Due(MarkSet marks, bool addWitnesses, CancellationToken ct)
    {
        var now = _repository.Options.Clock.GetUtcNow();
        var (due, waitsFor) = (new List<Mark>(), new HashSet<LockIdentity>());
        IReadOnlyList<LockIdentity>? present = null;
        DateTimeOffset? notBefore = null;
        foreach (var mark in marks.Marks)
        {
            var witnesses = marks.WitnessesOf(mark);
            // Its maker stopped between the two: any look after the mark is a good one.
            if (witnesses is null && addWitnesses) witnesses = await MarkSet.PutWitnesses(_repository, mark, _held.Identity, ct);
            var oldEnough = mark.Created.ToDateTimeOffset() + _request.KeepDelete;
            if (oldEnough > now) { notBefore = notBefore > oldEnough ? notBefore : oldEnough; continue; }
            if (witnesses is null) continue;
            if (witnesses.Locks.Count > 0 && _repository.Options.GarbageRules.SweepAwaitsWitnesses)
            {
                present ??= await MarkSet.Present(_repository, _held.Identity, ct);
                var there = witnesses.Locks.Intersect(present).ToList();
                waitsFor.UnionWith(there);
                if (there.Count > 0) continue;
            }
            due.Add(mark);
        }
        _report = _report with { WaitsFor = [.. waitsFor], NotBefore = notBefore };
        return due;
    }

    /// <summary>For a dry run: who would be waited for.</summary>
    async Task<PruneReport> Outlook(MarkSet marks, CancellationToken ct)
    {
        await Due(marks, addWitnesses: false, ct);
        return _report with { WaitingPacks = marks.Packs.Count };
    }
}
