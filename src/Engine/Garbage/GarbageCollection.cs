using System.Collections.Concurrent;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Engine.ObjectLocks;
using BackupDr.Engine.Upkeep;
using BackupDr.Storage;

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
    readonly RetentionBook? _retentions;
    PruneReport _report = new() { Plan = new PrunePlan() };

    GarbageCollection(Repository repository, PruneRequest request, IProgress<PruneProgress>? progress, RepositoryLock held)
        => (_repository, _request, _progress, _held, _retentions) = (repository, request, progress, held, RetentionBook.Of(repository));

    /// <summary>Marks, and removes what can be removed.</summary>
    /// <exception cref="RepositoryException">Locked by another prune or exclusively; Damaged: something that a snapshot needs is not
    /// there, and nothing was removed; LockLost.</exception>
    /// <exception cref="StoreException">The store failed; the repository is whole, and the next run goes on.</exception>
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
        _report = _report with { Plan = examined.Plan, IsCut = examined.IsCut };
        if (_request.IsDryRun) return await Outlook(marks, examined, ct);
        await ExtendLocks(examined, ct);   // first of all: what is needed must not become free while the rest is tidied up
        // Else the dead would be witnesses, and wait for ever.
        await RepositoryLock.RemoveDead(_repository, ct);
        await Trash.Empty(_repository, ct);
        await Mark(examined, ct);
        UsedBlobs? known = examined.Used;
        while (true)
        {
            var isDone = await TrySweep(known, examined.Sizes, ct);
            if (isDone || !_request.Waits) return await TellLocked(examined.Sizes, ct);
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
            var done = new ConcurrentDictionary<BlobId, bool>();
            var begun = _repository.Options.Clock.GetTimestamp();
            await new Repacking(_repository, examined.Used).Run(examined.Repack, id =>
            {
                done[id] = true;
                _progress?.Report(new PruneProgress("repacking", done.Count, examined.Repack.Count));
            }, () => _repository.Options.Clock.GetElapsedTime(begun) >= _request.MaximumRepackTime, ct);
            packs.AddRange(done.Keys.Select(id => new MarkedPack(id, MarkReason.Repacked)));
            _report = _report with { RepackedPacks = done.Count, IsCut = _report.IsCut || done.Count < examined.Repack.Count };
        }
        if (packs.Count == 0) return;
        var mark = await MarkSet.Put(_repository, packs, ct);
        await MarkSet.PutWitnesses(_repository, mark, _held.Identity, ct);
    }

    /// <summary>Removes what is due; whether nothing is left to wait for but retentions.</summary>
    async Task<bool> TrySweep(UsedBlobs? known, Dictionary<BlobId, long> sizes, CancellationToken ct)
    {
        var marks = await MarkSet.LoadWithWitnesses(_repository, ct);
        await marks.RemoveLeftovers(_repository, ct);
        if (marks.Marks.Count == 0) return true;
        var ripe = await Due(marks, addWitnesses: true, ct);
        var due = await WithFree(ripe, sizes, ct);
        var isRefused = false;
        if (due.Count > 0)
        {
            _progress?.Report(new PruneProgress("removing packs", 0, due.Sum(mark => mark.Packs.Count)));
            var sweep = new Sweep(_repository, _held, _retentions);
            try
            {
                await sweep.Run(due, known, ct);
                _report = _report with
                {
                    RemovedPacks = _report.RemovedPacks + sweep.RemovedPacks,
                    RemovedBytes = _report.RemovedBytes + sweep.RemovedBytes,
                    RescuedPacks = _report.RescuedPacks + sweep.RescuedPacks,
                };
                foreach (var id in sweep.Removed) sizes.Remove(id);
                marks = await MarkSet.LoadWithWitnesses(_repository, ct);
            }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Locked)
            {
                isRefused = true;
                var others = await RepositoryLock.List(_repository, ct);
                _report = _report with
                {
                    WaitsFor = [.. _report.WaitsFor, .. others.Where(other => other.Lock.IsExclusive || !LockRules.IsOurs(other.Lock))
                        .Select(other => LockIdentity.Of(other.Lock))],
                };
            }
        }
        _report = _report with { WaitingPacks = marks.Packs.Count(sizes.ContainsKey) };
        return !isRefused && marks.Marks.All(mark => ripe.Exists(one => one.Id == mark.Id));
    }

    /// <summary>Without the marks whose packs are all retained by the store: a sweep for them would remove nothing.</summary>
    async Task<List<Mark>> WithFree(List<Mark> due, IReadOnlyDictionary<BlobId, long> sizes, CancellationToken ct)
    {
        if (_retentions is null) return due;
        var until = await _retentions.Until(Names(due, sizes), ct);
        return [.. due.Where(mark => !mark.Packs.Any(pack => sizes.ContainsKey(pack.Id))
            || mark.Packs.Any(pack => sizes.ContainsKey(pack.Id) && !until.ContainsKey(Name(pack.Id))))];
    }

    static ObjectName Name(BlobId pack) => ObjectLayout.Of(ObjectLayout.Data, pack);

    static IEnumerable<ObjectName> Names(IEnumerable<Mark> marks, IReadOnlyDictionary<BlobId, long> sizes)
        => marks.SelectMany(mark => mark.Packs).Select(pack => pack.Id).Where(sizes.ContainsKey).Distinct().Select(Name);

    /// <summary>Keeps retained what snapshots need.</summary>
    async Task ExtendLocks(Examination examined, CancellationToken ct)
    {
        if (_retentions is null) return;
        _progress?.Report(new PruneProgress("extending locks", 0, examined.Sizes.Count));
        var names = new List<ObjectName> { ObjectLayout.Config };
        foreach (var folder in (string[])[ObjectLayout.Keys, ObjectLayout.Index, ObjectLayout.Snapshots])
            await foreach (var listed in _repository.Store.List(folder, ct)) names.Add(listed.Name);
        _report = _report with { ExtendedLocks = await _retentions.Extend(names.Concat(examined.Needed.Select(Name)), ct) };
    }

    /// <summary>Removes the hidden versions that are free, and tells what the store still keeps.</summary>
    async Task<PruneReport> TellLocked(IReadOnlyDictionary<BlobId, long> sizes, CancellationToken ct)
    {
        if (_retentions is null) return _report;
        var marks = await MarkSet.Load(_repository, ct);
        return await WithLocked(marks.Packs.Where(sizes.ContainsKey), sizes, removes: true, ct);
    }

    async Task<PruneReport> WithLocked(IEnumerable<BlobId> garbage, IReadOnlyDictionary<BlobId, long> sizes, bool removes,
        CancellationToken ct)
    {
        var hidden = new HiddenVersions(_repository, _retentions!);
        await hidden.Run(removes, ct);
        var locked = hidden.Locked;
        var packs = garbage.ToDictionary(Name, id => sizes[id]);
        foreach (var (name, until) in await _retentions!.Until(packs.Keys, ct)) locked = locked.And(packs[name], until);
        _retentions.Save();
        return _report with { Locked = locked, HiddenBytes = hidden.FreedBytes };
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

    /// <summary>For a dry run: who would be waited for, and what the store keeps.</summary>
    async Task<PruneReport> Outlook(MarkSet marks, Examination examined, CancellationToken ct)
    {
        await Due(marks, addWitnesses: false, ct);
        _report = _report with { WaitingPacks = marks.Packs.Count(examined.Sizes.ContainsKey) };
        if (_retentions is null) return _report;
        var garbage = examined.Garbage.Select(pack => pack.Id).Concat(examined.Repack).Concat(marks.Packs)
            .Where(examined.Sizes.ContainsKey).Distinct();
        return await WithLocked(garbage, examined.Sizes, removes: false, ct);
    }
}
