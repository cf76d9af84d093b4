using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Storage;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Forgets a location in which no repository and no replica is kept. What lies there stays.</summary>
public sealed class RemoveLocation(Postgres db, LocationSecrets secrets, GatewayStores gateway, FourEyes eyes)
{
    const int MostNamed = 3;

    /// <exception cref="ConflictException">Something is kept in it: the message names what, and where to go.</exception>
    public async Task Handle(Caller caller, RemoveLocationRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var (found, _) = await secrets.Find(db, request.Id, ct);
        await eyes.Pass(caller, new Command("location.remove", request.Id.ToString(), $"Forgets the location {found.Name}, "
            + $"{found.Address}.", found.Address), request, WireJson.Default.RemoveLocationRequest, ct);
        await db.InTransaction(async tx =>
        {
            // Whoever is making a repository in it holds a lock on this row, and is waited for.
            await tx.Execute("select from location where id = $1 for update", [request.Id], ct);
            var (location, _) = await secrets.Find(tx, request.Id, ct);
            await MustBeUnused(tx, location, ct);
            await tx.Execute("delete from location where id = $1", [request.Id], ct);
            await Notifications.Changed(tx, "storage", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "location.remove", request.Id.ToString(), $"{location.Name}: {location.Address}"
                + await Release(location, ct), ct);
        }, ct);
    }

    static async Task MustBeUnused(Transaction tx, Location location, CancellationToken ct)
    {
        var users = await tx.Query("""
            select u.id, u.is_replica, u.is_adopted, coalesce(u.name, h.name) as name from (
                select id, name, host_id, adopted_at is not null as is_adopted, false as is_replica from repository where location_id = $1
                union all
                select r.id, r.name, r.host_id, r.adopted_at is not null, true
                from replica c join repository r on r.id = c.repository_id where c.location_id = $1) u
            join host h on h.id = u.host_id order by u.is_replica, lower(coalesce(u.name, h.name))
            """, [location.Id], row => new Use(row.Id<RepositoryId>("id"), row.Text("name"), row.Bool("is_adopted"),
                row.Bool("is_replica")), ct);
        if (users.Count == 0) return;
        var ours = users.Where(use => !use.IsReplica).ToList();
        var copies = users.Where(use => use.IsReplica).ToList();
        var kept = new List<string>();
        if (ours.Count > 0) kept.Add($"{(ours.Count == 1 ? "the repository" : "the repositories")} of {Names(ours)}");
        if (copies.Count > 0) kept.Add($"{(copies.Count == 1 ? "a replica" : "replicas")} of {Names(copies)}");
        throw new ConflictException("location.in_use", $"'{location.Name}' keeps {string.Join(", and ", kept)}.", Advice(users[0]));
    }

    static string Advice(Use first) => first switch
    {
        { IsReplica: true } => $"Stop keeping the replica first: /storage/{first.Repository}.",
        { IsAdopted: true } => $"Detach the repository first: /storage/{first.Repository}.",
        _ => $"Recovery points are in it, so it stays while they are wanted: /storage/{first.Repository}.",
    };

    static string Names(List<Use> uses) => uses.Count <= MostNamed ? string.Join(", ", uses.Select(use => use.Name))
        : $"{string.Join(", ", uses.Take(MostNamed).Select(use => use.Name))} and {uses.Count - MostNamed} more";

    // A gateway's folder is marked as this location's; with the mark no other location could have it. It may be gone, which is no reason
    // to keep the location.
    async Task<string> Release(Location location, CancellationToken ct)
    {
        if (location is not { Kind: LocationKind.Gateway, Path: { } folder }) return "";
        try { await gateway.Release(folder, location.Id, ct); }
        catch (StoreException e) { return $"; its mark stays in the folder: {e.Message}"; }
        return "";
    }

    sealed record Use(RepositoryId Repository, string Name, bool IsAdopted, bool IsReplica);
}
