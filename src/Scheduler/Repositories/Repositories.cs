using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Reads and makes rows of repositories and locations for other subjects.</summary>
public sealed class RepositoryTable(SealedSecrets secrets, TimeProvider clock)
{
    /// <summary>The folder of a location that is made by itself where there is none.</summary>
    static readonly FilePath DefaultFolder = FilePath.FromText("/var/lib/backupdr-repositories");
    const string DefaultName = "On the protected host itself";

    /// <summary>The repository of a host in a location, made (Pending, with a random sealed password) where there is none.</summary>
    internal async Task<RepositoryId> For(Transaction tx, LocationId location, HostId host, CancellationToken ct)
    {
        var id = RepositoryId.New(clock);
        using var password = Secret.Random(24);
        await tx.Execute("""
            insert into repository (id, location_id, host_id, url, password_sealed, state)
            select $1, l.id, $3, l.path || '/' || $4, $5, 'Pending' from location l where l.id = $2
            on conflict (location_id, host_id) do nothing
            """, [id.Value, location.Value, host.Value, host.ToString(), secrets.Seal("repository", id.ToString(), "password_sealed", password.Bytes)], ct);
        return await tx.First("select id from repository where location_id = $1 and host_id = $2", [location.Value, host.Value], row => row.Id<RepositoryId>(0), ct);
    }

    /// <summary>The location to use for a host: the one asked for, else the only fitting one, else a folder on the host itself, made now.</summary>
    /// <exception cref="BadInputException">The location belongs to another machine.</exception>
    internal async Task<LocationId> Choose(Transaction tx, LocationId? wanted, HostId host, CancellationToken ct)
    {
        if (wanted is { } asked)
        {
            var owner = await tx.Query("select host_id from location where id = $1", [asked.Value], row => row.IdOrNull<HostId>(0), ct);
            if (owner.Count == 0) throw new NotFoundException("A location with this id");
            if (owner[0] is { } machine && machine != host)
                throw new BadInputException("location", "This location is a folder of another machine, and a folder location belongs to one machine.",
                    "Choose a folder on the host itself; the gateway that serves a folder to other hosts comes in a later version.");
            return asked;
        }
        var fitting = await tx.Query("select id from location where host_id = $1 or host_id is null order by host_id nulls last, created_at", [host.Value], row => row.Id<LocationId>(0), ct);
        if (fitting.Count > 0) return fitting[0];
        var made = LocationId.New(clock);
        await tx.Execute("insert into location (id, name, kind, path) values ($1, $2, 'Folder', $3)", [made.Value, DefaultName, DefaultFolder.ToString()], ct);
        return made;
    }

    /// <summary>What an agent needs to open a repository, its password opened for this one answer.</summary>
    internal async Task<RepositoryAccess> Access(Transaction tx, RepositoryId id, CancellationToken ct)
    {
        var (url, configId, box) = await tx.First("select url, config_id, password_sealed from repository where id = $1", [id.Value], row => (row.Text(0), row.TextOrNull(1), row.Bytes(2)), ct);
        if (url is null) throw new NotFoundException("A repository with this id");
        return new RepositoryAccess { Id = id, Url = url, ConfigId = configId, Password = Encoding.UTF8.GetString(secrets.Open("repository", id.ToString(), "password_sealed", box)) };
    }

    /// <summary>An Init run made the repository, or failed to.</summary>
    internal static async Task Initialised(Transaction tx, RepositoryId id, string? configId, CancellationToken ct)
    {
        await tx.Execute("update repository set state = $2, config_id = coalesce(config_id, $3) where id = $1", [id.Value, (configId is null ? RepositoryState.Failed : RepositoryState.Ready).ToString(), configId], ct);
        await Notifications.Changed(tx, "storage", id.ToString(), ct);
    }

    /// <summary>A repository whose making failed is to be made again.</summary>
    internal static Task AwaitInit(Transaction tx, RepositoryId id, CancellationToken ct)
        => tx.Execute("update repository set state = 'Pending' where id = $1 and state = 'Failed'", [id.Value], ct);
}

/// <summary>All locations.</summary>
public sealed class ListLocations(Postgres db)
{
    internal const string Select = "select l.id, l.name, l.kind, l.path, l.host_id, l.created_at, (select count(*)::int from repository r where r.location_id = l.id) from location l";

    internal static Location Read(Row row) => new()
    {
        Id = row.Id<LocationId>(0), Name = row.Text(1), Kind = row.Word<LocationKind>(2), Path = FilePath.Parse(row.Text(3)), Host = row.IdOrNull<HostId>(4),
        CreatedAt = row.Time(5), Repositories = row.Int(6),
    };

    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<Location>> Handle(Caller caller, ListLocationsRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageRead);
        return await db.Query($"{Select} order by l.name", [], Read, ct);
    }
}

/// <summary>Makes a location. Asking again for the same name, folder and machine gives the existing one.</summary>
public sealed class CreateLocation(Postgres db, TimeProvider clock)
{
    /// <summary>Makes it.</summary>
    public async Task<Location> Handle(Caller caller, CreateLocationRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageManage);
        var name = request.Name.Trim();
        if (name.Length is 0 or > 100) throw new BadInputException("name", "A location needs a name of 1 to 100 characters.", "For example: NAS in the cellar.");
        if (!request.Path.IsAbsolute || request.Path.Parts().Any(part => part.Bytes.SequenceEqual(".."u8))) throw new BadInputException("path", $"'{request.Path}' is no absolute folder.", "For example /srv/backups");
        return await db.InTransaction(async tx =>
        {
            var id = LocationId.New(clock);
            var made = await tx.Execute("insert into location (id, name, kind, path, host_id) values ($1, $2, $3, $4, $5) on conflict (lower(name)) do nothing", [id.Value, name, request.Kind.ToString(), request.Path.ToString().TrimEnd('/'), request.Host?.Value], ct);
            var location = await tx.First($"{ListLocations.Select} where lower(l.name) = lower($1)", [name], ListLocations.Read, ct);
            if (made == 0 && (location!.Path.ToString() != request.Path.ToString().TrimEnd('/') || location.Host != request.Host))
                throw new ConflictException("location.exists", $"There is another location named '{name}'.", "Choose another name.");
            if (made == 0) return location!;
            await Audit.Add(tx, caller, "location.create", id.ToString(), $"{name}: {request.Path}", ct);
            await Notifications.Changed(tx, "storage", id.ToString(), ct);
            return location!;
        }, ct);
    }
}

/// <summary>All repositories.</summary>
public sealed class ListRepositories(Postgres db)
{
    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<RepositorySummary>> Handle(Caller caller, ListRepositoriesRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageRead);
        return await db.Query("""
            select r.id, r.config_id, h.id, h.name, l.id, l.name, r.url, r.state,
                   (select count(*)::int from recovery_point p where p.repository_id = r.id),
                   (select coalesce(sum((p.backup->>'bytesAdded')::bigint), 0)::bigint from recovery_point p where p.repository_id = r.id)
            from repository r join host h on h.id = r.host_id join location l on l.id = r.location_id order by h.name, l.name
            """, [], row => new RepositorySummary
        {
            Id = row.Id<RepositoryId>(0), ConfigId = row.TextOrNull(1), Host = row.Id<HostId>(2), HostName = row.Text(3), Location = row.Id<LocationId>(4), LocationName = row.Text(5),
            Url = row.Text(6), State = row.Word<RepositoryState>(7), RecoveryPoints = row.Int(8), StoredBytes = row.Long(9),
        }, ct);
    }
}

/// <summary>Shows a repository's password and the stock command that restores without us. Audited each time.</summary>
public sealed class RevealRepositoryPassword(Postgres db, RepositoryTable repositories)
{
    /// <summary>Reveals.</summary>
    public async Task<RepositoryEscape> Handle(Caller caller, RevealRepositoryPasswordRequest request, CancellationToken ct)
    {
        caller.Must(Right.SecretReveal);
        return await db.InTransaction(async tx =>
        {
            var access = await repositories.Access(tx, request.Id, ct);
            await Audit.Add(tx, caller, "repository.reveal", request.Id.ToString(), access.Url, ct);
            return new RepositoryEscape(access.Url, access.Password, $"restic -r '{access.Url}' --password-file FILE restore latest --target DIR");
        }, ct);
    }
}
