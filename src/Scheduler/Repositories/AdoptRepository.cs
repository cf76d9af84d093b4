using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Attaches a repository that stock restic made, and starts the run that looks through it. Until that has succeeded nothing uses
/// it.</summary>
public sealed class AdoptRepository(Postgres db, CreateLocation locations, SealedSecrets secrets, TimeProvider clock)
{
    const int LongestPassword = 4096, LongestPath = 1000;

    /// <summary>Attaches it; the same client-made id again gives what was attached.</summary>
    /// <exception cref="BadInputException">Name, place, credentials or password cannot be.</exception>
    /// <exception cref="ConflictException">It is attached already, or another location has its name or address.</exception>
    public async Task<RepositoryAdopted> Handle(Caller caller, AdoptRepositoryRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageManage);
        var name = CreateLocation.Name(request.Name);
        var password = CheckPassword(request.Password);
        if (request.Location is null == string.IsNullOrWhiteSpace(request.Address))
            throw new BadInputException("address", request.Location is null ? "It is not said where the repository is."
                : "Both an address and a location are given.", "Give its address as restic writes it, or a location and a path in it.");
        return await db.InTransaction(async tx =>
        {
            var id = request.Id ?? RepositoryId.New(clock);
            if (await tx.Scalar<bool>("select exists (select from repository where id = $1)", [id], ct))
                return new RepositoryAdopted(id, await AdoptionTable.Look(tx, id, RunId.New(clock), caller.Name, ct));
            if (!await tx.Scalar<bool>("select exists (select from host where id = $1 and retired_at is null)", [request.Host], ct))
                throw new BadInputException("host", "There is no host in service with this id.", "Choose the host whose agent reaches it.");
            var (location, url) = request.Location is { } there ? await In(tx, there, request, ct) : await At(tx, name, request, ct);
            await Add(tx, id, name, location, url, request.Host, password, ct);
            await Audit.Add(tx, caller, "repository.adopt", id.ToString(), $"{name}: {url}", ct);
            return new RepositoryAdopted(id, await AdoptionTable.Look(tx, id, RunId.New(clock), caller.Name, ct));
        }, ct);
    }

    /// <summary>As bytes; whatever restic takes is taken, spaces too.</summary>
    /// <exception cref="BadInputException">It is empty or too long.</exception>
    internal static byte[] CheckPassword(string password)
        => password.Length is > 0 and <= LongestPassword ? Encoding.UTF8.GetBytes(password)
            : throw new BadInputException("password", $"The repository's password has 1 to {LongestPassword} characters.",
                "Give one with which stock restic opens it.");

    async Task Add(Transaction tx, RepositoryId id, string name, LocationId location, string url, HostId host, byte[] password,
        CancellationToken ct)
    {
        // A folder's address is one place on each host; an account of Azure is not in the address.
        var other = await tx.First("""
            select coalesce(r.name, h.name) as name
            from repository r join location l on l.id = r.location_id join host h on h.id = r.host_id
            where r.url = $1 and (l.kind in ('S3', 'Gateway', 'Rest') or r.location_id = $2 or (l.kind = 'Folder' and r.host_id = $3))
            limit 1
            """, [url, location, host], row => row.Text("name"), ct);
        if (other is not null)
            throw new ConflictException("repository.attached", $"The repository at {url} is here already: {other}.",
                "Use that one, or look again at it.");
        await tx.Execute("""
            insert into repository (id, location_id, host_id, url, state, password_sealed, name, adopted_at, upkeep_allowed)
            values ($1, $2, $3, $4, $5, $6, $7, clock(), false)
            """, [id, location, host, url, RepositoryState.Pending, (await secrets.InUse(tx, ct)).Seal("repository", id.ToString(),
                "password", password), name], ct);
    }

    /// <summary>In a location that is here already.</summary>
    static async Task<(LocationId Location, string Url)> In(Transaction tx, LocationId id, AdoptRepositoryRequest request,
        CancellationToken ct)
    {
        var location = await tx.First($"{ListLocations.Select} where l.id = $1", [id], ListLocations.Read, ct)
            ?? throw new NotFoundException("A location with this id");
        if (location.IsClosed) throw RepositoryTable.Closed();
        if (location.Host is { } machine && machine != request.Host)
            throw new BadInputException("host", "This location is a folder of another machine, which alone can open it.",
                "Choose that machine.");
        if (request.Options.Count > 0 || request.Credentials is not null || request.AuthorityPem is not null)
            throw new BadInputException("credentials", "The location has options and credentials of its own.", "Leave them out.");
        var path = Inside(request.Path ?? "");
        return (id, path.Length == 0 ? location.Address : $"{location.Address.TrimEnd('/')}/{path}");
    }

    /// <summary>A path inside a location, without slashes at its ends.</summary>
    static string Inside(string text)
    {
        var parts = text.Trim().Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (text.Length > LongestPath || text.Any(char.IsControl) || parts.Any(part => part is "." or ".."))
            throw new BadInputException("path", $"'{text}' is no path inside a location.", "For example laptops/anna; nothing for the "
                + "location itself.");
        return string.Join('/', parts);
    }

    /// <summary>At an address, which becomes a location for this repository alone.</summary>
    async Task<(LocationId Location, string Url)> At(Transaction tx, string name, AdoptRepositoryRequest request, CancellationToken ct)
    {
        var wanted = Location(name, request);
        var place = await LocationPlace.Of(wanted);
        var other = await tx.First("""
            select name from location where (address = $1 and kind in ('S3', 'Rest')) or (path = $2 and kind = 'Folder' and host_id = $3)
            """, [place.Address, place.Path, wanted.Host], row => row.Text("name"), ct);
        if (other is not null)
            throw new ConflictException("location.same_place", $"The location '{other}' is at this address already.",
                "Choose that location, and the path inside it.");
        var made = await locations.Add(tx, name, wanted, place, isClosed: true, ct)
            ?? throw new ConflictException("location.exists", $"A location is named '{name}' already.", "Choose another name.");
        return (made.Id, made.Address);
    }

    static CreateLocationRequest Location(string name, AdoptRepositoryRequest request)
    {
        if (!string.IsNullOrWhiteSpace(request.Path))
            throw new BadInputException("path", "A path goes with a location.", "Write the whole address.");
        var address = request.Address!.Trim();
        var kind = address.StartsWith("s3:", StringComparison.Ordinal) ? LocationKind.S3
            : address.StartsWith("azure:", StringComparison.Ordinal) ? LocationKind.Azure
            : address.StartsWith("rest:", StringComparison.Ordinal) ? LocationKind.Rest : LocationKind.Folder;
        if (kind != LocationKind.Folder)
            return new CreateLocationRequest
            {
                Name = name,
                Kind = kind,
                Address = address,
                Options = request.Options,
                Credentials = request.Credentials,
                AuthorityPem = request.AuthorityPem,
            };
        var path = address.StartsWith("local:", StringComparison.Ordinal) ? address["local:".Length..] : address;
        if (!path.StartsWith('/'))
            throw new BadInputException("address", $"'{address}' is no address of a repository.", "Write /path, "
                + "s3:https://host/bucket/prefix, azure:container:/prefix or rest:https://host:port/path/.");
        if (request.Options.Count > 0 || request.Credentials is not null)
            throw new BadInputException("credentials", "A folder has neither options nor credentials.", "Leave them out.");
        return new CreateLocationRequest { Name = name, Kind = kind, Path = FilePath.FromText(path), Host = request.Host };
    }
}
