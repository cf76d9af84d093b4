using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Sets or lifts the object lock of what will be put into a location. What is locked already stays so until its own
/// date.</summary>
public sealed class SetLocationLock(Postgres db, LocationSecrets secrets, LocationRules rules, FourEyes eyes)
{
    /// <exception cref="BadInputException">The place cannot lock, or moves packs between classes.</exception>
    public async Task<Location> Handle(Caller caller, SetLocationLockRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var (location, credentials) = await secrets.Find(db, request.Id, ct);
        LocationRules.Check(location.Kind, request.Lock, request.Lock is null ? null : location.Tier);
        if (location.Lock is { } locked && (request.Lock is null || request.Lock.Days < locked.Days || request.Lock.Mode < locked.Mode))
            await eyes.Pass(caller, new Command("location.lock", request.Id.ToString(), $"Locks what is put into {location.Name} for "
                + $"{Words(request.Lock)} in place of {Words(locked)}.", Words(locked)), request,
                    WireJson.Default.SetLocationLockRequest, ct);
        // A trial writes, and nothing is written into the place of an adopted repository: there the first put of an agent proves it.
        if (request.Lock is not null && !location.IsClosed)
            await rules.MustLock(location.Address, location.Options, location.AuthorityPem,
                CredentialVariables.Of(location.Kind, credentials), ct);
        return await SetLocationTier.Keep(db, caller, request.Id, "location.lock", Words(request.Lock), tx => tx.Execute(
            "update location set lock_days = $2, lock_mode = $3 where id = $1 and ($2::integer is null or tier_class is null)",
            [request.Id, request.Lock?.Days, request.Lock?.Mode], ct), ct);
    }

    static string Words(LocationLock? rule) => rule is null ? "none" : $"{rule.Days} days, {rule.Mode}";
}

/// <summary>Sets or lifts the rule by which data packs in a location move into another class.</summary>
public sealed class SetLocationTier(Postgres db)
{
    /// <exception cref="BadInputException">The place has no classes, or not this one, or locks what is put there.</exception>
    public async Task<Location> Handle(Caller caller, SetLocationTierRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var location = await db.First($"{ListLocations.Select} where l.id = $1", [request.Id], ListLocations.Read, ct)
            ?? throw new NotFoundException("A location with this id");
        LocationRules.Check(location.Kind, request.Tier is null ? null : location.Lock, request.Tier);
        return await Keep(db, caller, request.Id, "location.tier",
            request.Tier is { } tier ? $"{tier.Class} after {tier.AfterDays} days" : "none", tx => tx.Execute(
                "update location set tier_class = $2, tier_after_days = $3 where id = $1 and ($2::text is null or lock_days is null)",
                [request.Id, request.Tier?.Class, request.Tier?.AfterDays], ct), ct);
    }

    /// <summary>Changes a location and writes that down.</summary>
    /// <exception cref="ConflictException">It was changed meanwhile, so that the new setting no longer fits.</exception>
    internal static Task<Location> Keep(Postgres db, Caller caller, LocationId id, string action, string words,
        Func<Transaction, Task<int>> change, CancellationToken ct) => db.InTransaction(async tx =>
    {
        if (await change(tx) == 0)
            throw new ConflictException("location.changed", "Somebody else changed this location just now.", "Look again.");
        var location = await tx.First($"{ListLocations.Select} where l.id = $1", [id], ListLocations.Read, ct)
            ?? throw new NotFoundException("A location with this id");
        await Notifications.Changed(tx, "storage", id.ToString(), ct);
        await Audit.Add(tx, caller, action, id.ToString(), $"{location.Name}: {words}", ct);
        return location;
    }, ct);
}
