using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Garbage;

/// <summary>Looks at every pack: what of it is needed, and what is to be done with it. Changes nothing.</summary>
sealed class Examination
{
    const int SmallPackDivisor = 25, FewestSmallPacks = 10;

    readonly record struct Pack(BlobId Id, long Used, long Unused, bool IsSmall);

    readonly Dictionary<BlobId, long> _sizes = [];
    readonly Dictionary<BlobId, (bool IsArchived, double Days, double Price)> _cold = [];
    readonly List<Pack> _partly = [];
    readonly List<MarkedPack> _garbage = [];
    readonly HashSet<BlobId> _repack = [], _needed = [];

    Examination(UsedBlobs used) => Used = used;

    /// <summary>What snapshots need.</summary>
    public UsedBlobs Used { get; }
    /// <summary>The numbers.</summary>
    public PrunePlan Plan { get; private set; } = new();
    /// <summary>Whether a limit of the request leaves packs that would be worth rewriting.</summary>
    public bool IsCut { get; private set; }
    /// <summary>Dead packs and orphans.</summary>
    public IReadOnlyList<MarkedPack> Garbage => _garbage;
    /// <summary>Packs whose needed part is to be copied.</summary>
    public IReadOnlySet<BlobId> Repack => _repack;
    /// <summary>Packs that snapshots need and that stay, marked ones among them.</summary>
    public IEnumerable<BlobId> Needed => _needed.Where(id => !_repack.Contains(id));
    /// <summary>Bytes of each pack that is there.</summary>
    public Dictionary<BlobId, long> Sizes => _sizes;

    /// <summary>Examines a repository.</summary>
    /// <exception cref="RepositoryException">Damaged: something needed is not there; nothing may be removed then.</exception>
    public static async Task<Examination> Make(Repository repository, MarkSet marks, PruneRequest request, CancellationToken ct)
    {
        var snapshots = await repository.Snapshots(SnapshotFilter.All, ct);
        var index = await repository.LoadIndex(marks.Packs, withMarked: true, ct);
        var used = new UsedBlobs(repository, index);
        await used.Walk(snapshots.Select(snapshot => snapshot.Tree), ct);
        var made = new Examination(used) { Plan = new PrunePlan { Snapshots = snapshots.Count } };
        await made.ListPacks(repository, ct);
        var (left, missing) = (new HashSet<BlobId>(made._sizes.Keys), new HashSet<BlobId>());
        await foreach (var file in IndexScan.Files(repository, ct))
        {
            foreach (var pack in file.Content.Packs)
            {
                if (left.Remove(pack.Id)) made.Look(pack, marks, repository.Options.PackSizeBytes);
                else if (!made._sizes.ContainsKey(pack.Id) && missing.Add(pack.Id)) made.Missing(pack, marks);
            }
            left.ExceptWith(file.Content.OnHold);
        }
        made.Orphans(left.Where(id => !marks.Packs.Contains(id)));
        made.ChooseRepack(request);
        foreach (var id in made._garbage.Select(pack => pack.Id).Concat(marks.Packs).Distinct()) made.CountEarly(id);
        return made;
    }

    async Task ListPacks(Repository repository, CancellationToken ct)
    {
        if (repository.Store.Tiers is not { } tiers)
        {
            await foreach (var listed in repository.Store.List(ObjectLayout.Data, ct))
                if (ObjectLayout.TryId(listed, out var id)) _sizes[id] = listed.SizeBytes;
            return;
        }
        var now = repository.Options.Clock.GetUtcNow() + (repository.Store.ClockDifference ?? TimeSpan.Zero);
        await foreach (var listed in tiers.List(ObjectLayout.Data, ct))
        {
            if (!ObjectLayout.TryId(listed.Object, out var id)) continue;
            _sizes[id] = listed.Object.SizeBytes;
            var terms = ClassTerms.Of(listed.Class);
            var days = terms?.DaysLeft(listed.Since, now) ?? 0;
            if (listed.IsArchived || days > 0) _cold[id] = (listed.IsArchived, days, terms?.MonthlyPrice ?? 0);
        }
    }

    /// <summary>The store charges the days that are left whether the pack is removed or not: removing it costs nothing more, and says
    /// what is paid in vain.</summary>
    void CountEarly(BlobId id)
    {
        if (!_cold.TryGetValue(id, out var cold) || cold.Days <= 0 || !_sizes.TryGetValue(id, out var bytes)) return;
        Plan = Plan with
        {
            EarlyPacks = Plan.EarlyPacks + 1,
            EarlyBytes = Plan.EarlyBytes + bytes,
            EarlyCost = Plan.EarlyCost + bytes / (double)(1 << 30) * cold.Price * cold.Days / 30,
        };
    }

    void Look(IndexedPack pack, MarkSet marks, int packSize)
    {
        var (used, unused) = (0L, 0L);
        foreach (var entry in pack.Blobs)
        {
            if (IsNeededHere(Used, pack.Id, entry)) used += entry.Length;
            else unused += entry.Length;
        }
        if (used > 0) _needed.Add(pack.Id);
        Plan = Plan with { Packs = Plan.Packs + 1, UsedBytes = Plan.UsedBytes + used, UnusedBytes = Plan.UnusedBytes + unused };
        if (marks.Packs.Contains(pack.Id))
            Plan = Plan with
            {
                MarkedPacks = Plan.MarkedPacks + 1,
                MarkedBytes = Plan.MarkedBytes + _sizes[pack.Id],
                UnusedBytes = Plan.UnusedBytes - unused
            };
        else if (used == 0)
        {
            _garbage.Add(new MarkedPack(pack.Id, MarkReason.Unused));
            Plan = Plan with { DeadPacks = Plan.DeadPacks + 1, DeadBytes = Plan.DeadBytes + unused };
        }
        else
        {
            var isSmall = used + unused < packSize / SmallPackDivisor;
            // Copying would read it, which an archive does not let us, or pay for it twice.
            if (_cold.ContainsKey(pack.Id)) Plan = Plan with { ColdPacks = Plan.ColdPacks + (unused > 0 ? 1 : 0) };
            else if (unused > 0 || isSmall) _partly.Add(new Pack(pack.Id, used, unused, isSmall));
        }
    }

    /// <summary>Whether a snapshot needs this very copy of a blob.</summary>
    public static bool IsNeededHere(UsedBlobs used, BlobId pack, PackEntry entry)
        => used.Contains(entry.Type, entry.Id) && used.Index.TryFind(entry.Type, entry.Id, out var place)
        && place.Pack == pack && place.Entry.Offset == entry.Offset;

    /// <summary>A pack that is gone: nothing may need it; then only the index has to forget it.</summary>
    void Missing(IndexedPack pack, MarkSet marks)
    {
        if (pack.Blobs.Any(entry => IsNeededHere(Used, pack.Id, entry)))
            throw RepositoryException.Damaged($"pack {pack.Id}", "a snapshot needs it, and it is not in the store. Nothing was removed.");
        if (!marks.Packs.Contains(pack.Id)) _garbage.Add(new MarkedPack(pack.Id, MarkReason.Unused));
    }

    void Orphans(IEnumerable<BlobId> packs)
    {
        foreach (var id in packs)
        {
            _garbage.Add(new MarkedPack(id, MarkReason.Orphan));
            Plan = Plan with { OrphanPacks = Plan.OrphanPacks + 1, OrphanBytes = Plan.OrphanBytes + _sizes[id] };
        }
    }

    /// <summary>The packs that give back most for what must be copied, until so little stays unused as is allowed.</summary>
    void ChooseRepack(PruneRequest request)
    {
        var isWorthMerging = _partly.Count(pack => pack.IsSmall) >= FewestSmallPacks;
        var allowed = request.AllowedUnused(Plan.UsedBytes);
        foreach (var pack in _partly.OrderByDescending(pack => (double)pack.Unused / (pack.Used + pack.Unused)))
        {
            var isWanted = (pack.Unused > 0 && Plan.LeftUnusedBytes > allowed) || (pack.IsSmall && isWorthMerging);
            var rewritten = Plan.RepackBytes + Plan.RepackFreedBytes + pack.Used + pack.Unused;
            if (!isWanted) continue;
            if (rewritten > (request.MaximumRepackBytes ?? long.MaxValue) || _repack.Count >= (request.MaximumRepackPacks ?? int.MaxValue))
            {
                IsCut = true;
                continue;
            }
            _repack.Add(pack.Id);
            Plan = Plan with
            {
                RepackPacks = Plan.RepackPacks + 1,
                RepackBytes = Plan.RepackBytes + pack.Used,
                RepackFreedBytes = Plan.RepackFreedBytes + pack.Unused,
            };
        }
    }
}
