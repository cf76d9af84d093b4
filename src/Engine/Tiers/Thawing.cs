using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Memory;
using BackupDr.Storage;

namespace BackupDr.Engine.Tiers;

/// <summary>What may be done about archived packs.</summary>
public sealed record ThawRequest
{
    /// <summary>Whether a thaw is asked for; else archived packs end the work with what one would take.</summary>
    public bool Thaws { get; init; }
    /// <summary>Days that thawed packs stay readable at least, from 1. Azure moves them for good.</summary>
    public int Days { get; init; } = 7;
    /// <summary>How long to wait for the thaw; zero only asks for it.</summary>
    public TimeSpan Patience { get; init; }
    /// <summary>US dollars for a GiB, instead of the list price.</summary>
    public double? PriceOfGiB { get; init; }
    /// <summary>Told what is waited for, whenever that changes.</summary>
    public IProgress<ArchivedSpace>? Progress { get; init; }
}

/// <summary>A pack that cannot be read now.</summary>
readonly record struct ArchivedPack(ObjectName Name, long Bytes, string Class, bool IsThawing);

/// <summary>Sees to it that packs can be read before somebody begins to read them.</summary>
/// <remarks>Nothing is held while it waits but the process: no repository lock, no connection. Whoever is stopped asks again, and what is
/// thawed or thawing is left as it is.</remarks>
public static class Thawing
{
    /// <summary>Requests about classes and thaws at the same time.</summary>
    internal const int AtOnce = 16;
    static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1), LongestPause = TimeSpan.FromMinutes(5);

    /// <summary>Whether any pack lies in an archive; for the price of a listing. Without it nobody needs to look at single packs.</summary>
    public static async Task<bool> IsAnythingArchived(Repository repository, CancellationToken ct)
    {
        if (repository.Store.Tiers is not { } tiers || !repository.Store.Abilities.HasFlag(StoreAbilities.Thaw)) return false;
        await foreach (var listed in tiers.List(ObjectLayout.Data, ct))
            if (listed.IsArchived) return true;
        return false;
    }

    /// <summary>What of these packs is archived.</summary>
    public static async Task<ArchivedSpace> Look(Repository repository, IReadOnlyCollection<BlobId> packs, double? priceOfGiB,
        CancellationToken ct)
        => ArchivedSpace.Of(await Find(repository, packs.Select(id => ObjectLayout.Of(ObjectLayout.Data, id)), ct), priceOfGiB);

    /// <summary>Returns when all of these packs can be read.</summary>
    /// <exception cref="RepositoryException">Archived: some cannot, and no thaw was to be asked for; Thawing: they cannot yet.</exception>
    public static async Task Need(Repository repository, IReadOnlyCollection<BlobId> packs, ThawRequest request, CancellationToken ct)
    {
        var archived = await Find(repository, packs.Select(id => ObjectLayout.Of(ObjectLayout.Data, id)), ct);
        if (archived.Count == 0) return;
        if (!request.Thaws) throw Refusal(RepositoryFault.Archived, archived, request);
        await Ask(repository, archived, request, ct);
        var begun = repository.Options.Clock.GetTimestamp();
        for (var pause = FirstPause; ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            archived = await Find(repository, archived.Select(pack => pack.Name), ct);
            if (archived.Count == 0) return;
            var left = request.Patience - repository.Options.Clock.GetElapsedTime(begun);
            if (left <= TimeSpan.Zero) throw Refusal(RepositoryFault.Thawing, archived, request);
            request.Progress?.Report(ArchivedSpace.Of(archived, request.PriceOfGiB));
            await Task.Delay(pause < left ? pause : left, repository.Options.Clock, ct);
        }
    }

    static Task Ask(Repository repository, IEnumerable<ArchivedPack> archived, ThawRequest request, CancellationToken ct)
        => ParallelWork.Run(archived.Where(pack => !pack.IsThawing), AtOnce,
            (pack, token) => repository.Store.Tiers!.Thaw(pack.Name, request.Days, token), ct);

    static async Task<List<ArchivedPack>> Find(Repository repository, IEnumerable<ObjectName> packs, CancellationToken ct)
    {
        var found = new List<ArchivedPack>();
        if (repository.Store.Tiers is not { } tiers || !repository.Store.Abilities.HasFlag(StoreAbilities.Thaw)) return found;
        await ParallelWork.Run(packs, AtOnce, async (name, token) =>
        {
            ObjectTier tier;
            try { tier = await tiers.Of(name, token); }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { return; }   // told by whoever reads it
            if (tier.State == ThawState.Readable) return;
            var bytes = (await repository.Store.Head(name, token))?.SizeBytes ?? 0;
            lock (found) found.Add(new ArchivedPack(name, bytes, tier.Class, tier.State == ThawState.Thawing));
        }, ct);
        return found;
    }

    static RepositoryException Refusal(RepositoryFault fault, List<ArchivedPack> archived, ThawRequest request)
    {
        var space = ArchivedSpace.Of(archived, request.PriceOfGiB);
        var words = space.Words(Size);
        return fault == RepositoryFault.Archived
            ? new RepositoryException(fault, $"What is to be read lies in an archive: {words}.",
                "Nothing was read and nothing asked for. Run it again with --thaw to ask for the thaw, and --thaw-wait 24h to wait for it.")
            { Archived = space }
            : new RepositoryException(fault, $"The thaw is under way: {words}.",
                "Run the same command again when it is over; what is thawed by then is not asked for again.")
            { Archived = space };
    }

    static string Size(long bytes)
    {
        var (value, unit) = bytes < 1 << 30 ? (bytes / (double)(1 << 20), "MiB") : (bytes / (double)(1 << 30), "GiB");
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{value:0.0} {unit}");
    }
}
