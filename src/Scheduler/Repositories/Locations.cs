using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Storage;

namespace BackupDr.Scheduler.Repositories;

/// <summary>All locations by name.</summary>
public sealed class ListLocations(Postgres db)
{
    internal const string Select = """
        select l.id, l.name, l.kind, l.path, l.address, l.options, l.credentials_set_at, l.host_id, l.quota_bytes, l.created_at,
            l.authority_pem, l.bandwidth,
            l.tested_at, l.tested_on, l.test_lines, l.is_closed, l.lock_days, l.lock_mode, l.tier_class, l.tier_after_days,
            l.backups_at_once,
            (select count(*) from repository r where r.location_id = l.id) as repositories
        from location l
        """;

    public async Task<IReadOnlyList<Location>> Handle(Caller caller, ListLocationsRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.StorageRead);
        return await db.Query($"{Select} order by lower(l.name)", [], Read, ct);
    }

    internal static Location Read(Row row) => new()
    {
        Id = row.Id<LocationId>("id"),
        Name = row.Text("name"),
        Kind = row.Word<LocationKind>("kind"),
        Path = row.PathOrNull("path"),
        Address = row.TextOrNull("address") ?? row.Text("path"),
        Options = row.Texts("options"),
        CredentialsSetAt = row.TimeOrNull("credentials_set_at"),
        AuthorityPem = row.TextOrNull("authority_pem"),
        Bandwidth = row.TextOrNull("bandwidth"),
        BackupsAtOnce = row.IsNull("backups_at_once") ? null : row.Int("backups_at_once"),
        Host = row.IdOrNull<HostId>("host_id"),
        QuotaBytes = row.IsNull("quota_bytes") ? null : row.Long("quota_bytes"),
        Lock = LocationRules.Lock(row),
        Tier = LocationRules.Tier(row),
        Repositories = (int)row.Long("repositories"),
        IsClosed = row.Bool("is_closed"),
        LastTest = row.Json("test_lines", WireJson.Default.IReadOnlyListProbeLine) is { } lines
            ? new LocationTest(row.Time("tested_at"), row.Text("tested_on"), lines) : null,
        CreatedAt = row.Time("created_at"),
    };
}

/// <summary>Makes a location. Asking again for the same name and place gives the one that is there.</summary>
public sealed class CreateLocation(Postgres db, LocationSecrets secrets, LocationRules rules, GatewayStores gateway,
    TimeProvider clock)
{
    const int LongestName = 100;

    /// <exception cref="BadInputException">Name, place, options or credentials cannot be used.</exception>
    /// <exception cref="ConflictException">Another location has the name, or the address.</exception>
    public async Task<Location> Handle(Caller caller, CreateLocationRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageManage);
        if (request.Kind == LocationKind.Rest)
            throw new BadInputException("kind", "A REST server keeps what stock restic keeps and nothing of ours, so it holds adopted "
                + "repositories only.", "Add the repository with its address; for new ones choose another kind.");
        var name = Name(request.Name);
        var place = await LocationPlace.Of(request);
        if (request.Lock is not null)
            await rules.MustLock(place.Address!, place.Options, place.AuthorityPem,
                CredentialVariables.Of(request.Kind, request.Credentials), ct);
        await using var tx = await db.Begin(ct);
        if (await Add(tx, name, request, place, isClosed: false, ct) is not { } location)
            return await Present(tx, name, request, place, ct);
        if (place.Path is { } path && request.Kind == LocationKind.Gateway) await Claim(path, location.Id, ct);
        await Audit.Add(tx, caller, "location.create", location.Id.ToString(), $"{name}: {location.Address}", ct);
        await tx.Commit(ct);
        return location;
    }

    /// <summary>A name without spaces around it.</summary>
    /// <exception cref="BadInputException">It cannot be one.</exception>
    internal static string Name(string text)
    {
        var name = text.Trim();
        return name.Length is > 0 and <= LongestName && !name.Any(char.IsControl) ? name
            : throw new BadInputException("name", $"A name of 1 to {LongestName} characters is needed.", "For example: NAS in the cellar.");
    }

    /// <summary>Inserts a location; null where the name or the address is another one's.</summary>
    /// <exception cref="BadInputException">Its host is not in service.</exception>
    internal async Task<Location?> Add(Transaction tx, string name, CreateLocationRequest request, LocationPlace place, bool isClosed,
        CancellationToken ct)
    {
        if (request.Host is { } host && !await tx.Scalar<bool>("select exists (select from host where id = $1 and retired_at is null)",
            [host], ct))
            throw new BadInputException("host", "There is no host in service with this id.", "Choose one of the hosts, or leave it out.");
        var id = LocationId.New(clock);
        var made = await tx.Execute("""
            insert into location (id, name, kind, path, address, options, credentials_sealed, credentials_set_at, host_id, quota_bytes,
                is_closed, lock_days, lock_mode, tier_class, tier_after_days, authority_pem,
                bandwidth)
            values ($1, $2, $3, $4, $5, $6, $7, case when $7::bytea is null then null else clock() end, $8, $9, $10, $11, $12, $13, $14,
                $15, $16)
            on conflict do nothing
            """,
            [id, name, request.Kind, place.Path, place.Address, place.Options, await secrets.Seal(tx, id, request.Credentials, ct),
                request.Host, request.QuotaBytes, isClosed, request.Lock?.Days, request.Lock?.Mode, request.Tier?.Class,
                request.Tier?.AfterDays, place.AuthorityPem, place.Bandwidth], ct);
        if (made == 0) return null;
        await Notifications.Changed(tx, "storage", id.ToString(), ct);
        return await tx.First($"{ListLocations.Select} where l.id = $1", [id], ListLocations.Read, ct)
            ?? throw new InvalidOperationException("A row that was inserted in this transaction is not there.");
    }

    /// <summary>The location that is there already, where it is the one asked for.</summary>
    async Task<Location> Present(Transaction tx, string name, CreateLocationRequest request, LocationPlace place, CancellationToken ct)
    {
        var found = await tx.First($"{ListLocations.Select} where lower(l.name) = lower($1)", [name], ListLocations.Read, ct);
        if (found is null)
        {
            var other = await tx.First("select name from location where address = $1", [place.Address], row => row.Text("name"), ct);
            throw other is null ? new ConflictException("location.changed", "A location with this name was removed just now.", "Try again.")
                : new ConflictException("location.same_place", $"The location '{other}' is at this address already.",
                    "Use that one, or another bucket or prefix.");
        }
        if (found.Path != place.Path || found.Address != place.Text || found.Host != request.Host || found.Kind != request.Kind
            || found.QuotaBytes != request.QuotaBytes || found.Lock != request.Lock || found.Tier != request.Tier
            || found.AuthorityPem != place.AuthorityPem
            || found.Bandwidth != place.Bandwidth || !found.Options.SequenceEqual(place.Options))
            throw new ConflictException("location.exists", $"Another location is named '{found.Name}'.", "Choose another name.");
        var present = secrets.Open(found.Id, await tx.Scalar<byte[]>("select credentials_sealed from location where id = $1", [found.Id],
            ct));
        return present == request.Credentials ? found
            : throw new ConflictException("location.exists", $"The location '{found.Name}' is there already, with other credentials.",
                "Replace its credentials, or choose another name.");
    }

    async Task Claim(FilePath path, LocationId location, CancellationToken ct)
    {
        try { await gateway.Claim(path, location, ct); }
        catch (StoreException e) { throw new BadInputException("path", $"This node cannot use the folder: {e.Message}", e.Hint); }
    }
}
