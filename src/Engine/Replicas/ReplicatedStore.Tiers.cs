using System.Runtime.CompilerServices;
using BackupDr.Storage;

namespace BackupDr.Engine.Replicas;

public sealed partial class ReplicatedStore
{
    /// <inheritdoc/>
    public StoreAbilities Abilities => Tiers is null ? StoreAbilities.None : StoreAbilities.Thaw;

    /// <summary>For readers: an object can be read where any place has it at hand.</summary>
    public IObjectTiers? Tiers => _use == ReplicaUse.Read && _places.Any(place => Archives(place.Store)) ? new AllTiers(this) : null;

    static bool Archives(IObjectStore store) => store.Tiers is not null && store.Abilities.HasFlag(StoreAbilities.Thaw);

    /// <summary>Whether and where an object can be read, over all places. It moves nothing.</summary>
    sealed class AllTiers(ReplicatedStore store) : IObjectTiers
    {
        /// <summary>What each place lists, one after the other.</summary>
        public async IAsyncEnumerable<TieredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
        {
            foreach (var place in store.ToAsk().Where(place => Archives(place.Store)))
            {
                await using var listing = place.Store.Tiers!.List(folder, ct).GetAsyncEnumerator(ct);
                while (true)
                {
                    try
                    {
                        if (!await listing.MoveNextAsync()) break;
                    }
                    catch (StoreException e)   // what it holds is read elsewhere, or told by whoever reads it
                    {
                        store.Rests(place, e);
                        break;
                    }
                    yield return listing.Current;
                }
            }
        }

        public async Task<ObjectTier> Of(ObjectName name, CancellationToken ct) => (await Best(name, ct)).Tier;

        /// <summary>At the first place that has it archived.</summary>
        public async Task Thaw(ObjectName name, int days, CancellationToken ct)
        {
            var (place, tier) = await Best(name, ct);
            if (tier.State == ThawState.Archived) await place.Store.Tiers!.Thaw(name, days, ct);
        }

        public Task Move(ObjectName name, string storageClass, CancellationToken ct)
            => throw new StoreException(StoreFault.Unusable, $"move {name}: {store.Url} is one of several places.",
                "Move it at each place.");

        /// <summary>The place at which it can be read, else will be soonest.</summary>
        async Task<(Place Place, ObjectTier Tier)> Best(ObjectName name, CancellationToken ct)
        {
            (Place Place, ObjectTier Tier)? best = null;
            StoreException? first = null;
            foreach (var place in store.ToAsk(name))
            {
                try
                {
                    var tier = Archives(place.Store) ? await place.Store.Tiers!.Of(name, ct)
                        : await place.Store.Head(name, ct) is not null ? new ObjectTier("", ThawState.Readable)
                        : throw new StoreException(StoreFault.Missing, $"look at {name} in {place.Store.Url}: it is not there.");
                    if (tier.State == ThawState.Readable)
                    {
                        if (best is not null)
                            lock (store._healed) store._answered[name] = place;   // so that reads go there at once
                        return (place, tier);
                    }
                    if (best is null || (tier.State == ThawState.Thawing && best.Value.Tier.State == ThawState.Archived))
                        best = (place, tier);
                }
                catch (StoreException e)
                {
                    first ??= e;
                    if (IsOfThePlace(e)) store.Rests(place, e);
                }
            }
            return best ?? throw first!;
        }
    }
}
