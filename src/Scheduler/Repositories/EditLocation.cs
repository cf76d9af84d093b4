using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Npgsql;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Changes a location's name, address, options, authority, bandwidth or quota. Repositories and replicas move along with its
/// address.</summary>
public sealed class EditLocation(Postgres db, LocationSecrets secrets, LocationTrial trial)
{
    /// <exception cref="BadInputException">Name, address or options cannot be used.</exception>
    /// <exception cref="ConflictException">The name or address is another one's, the store refuses the new way, or a run goes to the
    /// former address.</exception>
    public async Task<Location> Handle(Caller caller, EditLocationRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var name = CreateLocation.Name(request.Name);
        var (before, credentials) = await secrets.Find(db, request.Id, ct);
        var place = await LocationPlace.Of(new CreateLocationRequest
        {
            Name = name,
            Kind = before.Kind,
            Path = before.Path,
            Address = request.Address ?? (before.Path is null ? before.Address : null),
            Options = request.Options,
            AuthorityPem = request.AuthorityPem,
            Bandwidth = request.Bandwidth,
            Host = before.Host,
            QuotaBytes = request.QuotaBytes,
        });
        var after = before with
        {
            Name = name,
            Address = place.Text,
            Options = place.Options,
            AuthorityPem = place.AuthorityPem,
            Bandwidth = place.Bandwidth,
            QuotaBytes = request.QuotaBytes,
        };
        var changes = Changes(before, after).ToList();
        if (changes.Count == 0) return before;
        var isAnotherWay = after.Address != before.Address || !after.Options.SequenceEqual(before.Options)
            || after.AuthorityPem != before.AuthorityPem;
        var lines = isAnotherWay && !request.SkipTest && before.Path is null
            ? await trial.Must("new settings", LocationWay.Of(after, credentials), ct) : null;
        try { return await db.InTransaction(tx => Save(tx, caller, before, after, changes, lines, ct), ct); }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
            throw e.ConstraintName == "location_name"
                ? new ConflictException("location.exists", $"Another location is named '{name}'.", "Choose another name.")
                : new ConflictException("location.same_place", "Another location is at this address already.",
                    "Use that one, or another bucket or prefix.");
        }
    }

    async Task<Location> Save(Transaction tx, Caller caller, Location before, Location after, List<string> changes,
        IReadOnlyList<ProbeLine>? lines, CancellationToken ct)
    {
        var touched = await tx.Execute("""
            update location set name = $2, address = case when path is null then $3 end, options = $4, quota_bytes = $5, bandwidth = $9,
                authority_pem = $8,
                way_set_at = case when coalesce(address, path) = $3 and options = $4
                    and authority_pem is not distinct from $8::text then way_set_at else clock() end
            where id = $1 and coalesce(address, path) = $6 and options = $7
            """, [after.Id, after.Name, after.Address, after.Options.ToArray(), after.QuotaBytes, before.Address,
                before.Options.ToArray(), after.AuthorityPem, after.Bandwidth], ct);
        if (touched == 0)
            throw new ConflictException("location.changed", "The location was changed or removed just now.", "Look again, then try again.");
        if (after.Address != before.Address) await Move(tx, after.Id, before.Address, after.Address, ct);
        await trial.Keep(tx, after.Id, lines, ct);
        await Notifications.Changed(tx, "storage", after.Id.ToString(), ct);
        await Audit.Add(tx, caller, "location.edit", after.Id.ToString(), $"{before.Name}: {string.Join("; ", changes)}", ct);
        return (await secrets.Find(tx, after.Id, ct)).Location;
    }

    // A repository in another place than it was is noticed by its id, which agents compare with the one that is pinned.
    static async Task Move(Transaction tx, LocationId id, string from, string to, CancellationToken ct)
    {
        foreach (var table in (string[])["update repository", "update replica"])
            await tx.Execute($"""
                {table} set url = case when url = $2 then $3 else $5 || substr(url, length($4) + 1) end
                where location_id = $1 and (url = $2 or starts_with(url, $4 || '/'))
                """, [id, from, to, from.TrimEnd('/'), to.TrimEnd('/')], ct);
        var busy = await tx.First("""
            select r.title from run r join repository s on s.id = r.repository_id
            where r.state in ('Leased', 'Running') and (s.location_id = $1
                or exists (select from replica c where c.repository_id = s.id and c.location_id = $1)) limit 1
            """, [id], row => row.Text("title"), ct);
        if (busy is not null)
            throw new ConflictException("location.busy", $"A run is going to the present address: {busy}.", "Wait for it, or cancel it.");
    }

    static IEnumerable<string> Changes(Location before, Location after)
    {
        if (after.Name != before.Name) yield return $"now named {after.Name}";
        if (after.Address != before.Address) yield return $"{before.Address} is now {after.Address}";
        if (!after.Options.SequenceEqual(before.Options))
            yield return after.Options.Count == 0 ? "no options" : $"options {string.Join(' ', after.Options)}";
        if (after.AuthorityPem != before.AuthorityPem)
            yield return after.AuthorityPem is null ? "no authority of its own" : "another authority";
        if (after.Bandwidth != before.Bandwidth) yield return after.Bandwidth ?? "no limit of bandwidth";
        if (after.QuotaBytes != before.QuotaBytes)
            yield return after.QuotaBytes is { } quota ? $"quota {quota} bytes" : "no quota";
    }
}
