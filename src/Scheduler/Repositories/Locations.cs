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
        select l.id, l.name, l.kind, l.path, l.host_id, l.quota_bytes, l.created_at,
            (select count(*) from repository r where r.location_id = l.id) as repositories
        from location l
        """;

    public async Task<IReadOnlyList<Location>> Handle(Caller caller, ListLocationsRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageRead);
        return await db.Query($"{Select} order by lower(l.name)", [], Read, ct);
    }

    internal static Location Read(Row row) => new()
    {
        Id = row.Id<LocationId>("id"),
        Name = row.Text("name"),
        Kind = row.Word<LocationKind>("kind"),
        Path = row.Path("path"),
        Host = row.IdOrNull<HostId>("host_id"),
        QuotaBytes = row.IsNull("quota_bytes") ? null : row.Long("quota_bytes"),
        Repositories = (int)row.Long("repositories"),
        CreatedAt = row.Time("created_at"),
    };
}

/// <summary>Makes a location. Asking again for the same name, folder and machine gives the one that is there.</summary>
public sealed class CreateLocation(Postgres db, GatewayStores gateway, TimeProvider clock)
{
    const int LongestName = 100;
    const long SmallestQuota = 1 << 20;

    /// <exception cref="BadInputException">Name or folder cannot be used.</exception>
    /// <exception cref="ConflictException">Another location has the name.</exception>
    public async Task<Location> Handle(Caller caller, CreateLocationRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageManage);
        var name = request.Name.Trim();
        if (name.Length is 0 or > LongestName || name.Any(char.IsControl))
            throw new BadInputException("name", $"A location needs a name of 1 to {LongestName} characters.",
                "For example: NAS in the cellar.");
        var path = Clean(request.Path);
        CheckGateway(request);
        await using var tx = await db.Begin(ct);
        if (request.Host is { } host && !await tx.Scalar<bool>("select exists (select from host where id = $1 and retired_at is null)",
            [host], ct))
            throw new BadInputException("host", "There is no host in service with this id.", "Choose one of the hosts, or leave it out.");
        var made = await tx.Execute(
            "insert into location (id, name, kind, path, host_id, quota_bytes) values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            [LocationId.New(clock), name, request.Kind, path, request.Host, request.QuotaBytes], ct);
        var location = await tx.First($"{ListLocations.Select} where lower(l.name) = lower($1)", [name], ListLocations.Read, ct)
            ?? throw new ConflictException("location.changed", "A location with this name was removed just now.", "Try again.");
        if (made == 0)
        {
            return location.Path == path && location.Host == request.Host && location.Kind == request.Kind
                && location.QuotaBytes == request.QuotaBytes ? location
                : throw new ConflictException("location.exists", $"Another location is named '{location.Name}'.", "Choose another name.");
        }
        if (request.Kind == LocationKind.Gateway) await Claim(path, location.Id, ct);
        await Notifications.Changed(tx, "storage", location.Id.ToString(), ct);
        await Audit.Add(tx, caller, "location.create", location.Id.ToString(), $"{name}: {path}", ct);
        await tx.Commit(ct);
        return location;
    }

    static void CheckGateway(CreateLocationRequest request)
    {
        if (request.Kind == LocationKind.Gateway && request.Host is not null)
            throw new BadInputException("host", "A gateway's folder is on the nodes, not on a host.", "Leave the host out.");
        if (request.QuotaBytes is not { } quota) return;
        if (request.Kind != LocationKind.Gateway)
            throw new BadInputException("quotaBytes", "Only a gateway can hold a repository to a quota.", "Leave it out.");
        if (quota < SmallestQuota)
            throw new BadInputException("quotaBytes", $"A quota of {quota} bytes holds no repository.", $"At least {SmallestQuota}.");
    }

    async Task Claim(FilePath path, LocationId location, CancellationToken ct)
    {
        try { await gateway.Claim(path, location, ct); }
        catch (StoreException e) { throw new BadInputException("path", $"This node cannot use the folder: {e.Message}", e.Hint); }
    }

    /// <summary>Without double slashes, dots and a slash at the end.</summary>
    static FilePath Clean(FilePath path)
    {
        if (!path.IsAbsolute) throw new BadInputException("path", $"'{path}' is not an absolute folder.", "For example /srv/backups");
        var clean = new FilePath([]);
        foreach (var part in path.Parts())
        {
            if (part.Bytes.SequenceEqual(".."u8)) throw new BadInputException("path", $"'{path}' goes up by '..'.",
                "Write the folder itself.");
            clean = new FilePath([.. clean.Bytes, (byte)'/', .. part.Bytes]);
        }
        return clean.IsEmpty ? throw new BadInputException("path", "The root folder cannot hold repositories.", "For example /srv/backups")
            : clean;
    }
}
