using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Makes and reads rows of repositories and locations for other subjects.</summary>
public sealed class RepositoryTable(SealedSecrets secrets, LocationSecrets locations, Listeners listeners, TimeProvider clock)
{
    const string DefaultName = "On the protected host itself";
    static readonly FilePath DefaultFolder = FilePath.FromText("/var/lib/backupdr-repositories");

    /// <summary>The repository of a host in a location; made (Pending, with a random sealed password) where there is none.</summary>
    internal async Task<RepositoryId> For(Transaction tx, LocationId location, HostId host, CancellationToken ct)
    {
        var id = RepositoryId.New(clock);
        using var password = Secret.Random(24);
        await tx.Execute("""
            insert into repository (id, location_id, host_id, url, state, password_sealed)
            select $1, l.id, $3, rtrim(coalesce(l.address, l.path), '/') || '/' || $4, $5, $6 from location l where l.id = $2
            on conflict (location_id, host_id) where adopted_at is null do nothing
            """,
            [id, location, host, host.ToString(), RepositoryState.Pending, (await secrets.InUse(tx, ct)).Seal("repository", id.ToString(),
                "password", password.Bytes)], ct);
        await Notifications.Changed(tx, "storage", null, ct);
        return await tx.First("select id from repository where location_id = $1 and host_id = $2 and adopted_at is null", [location, host],
            row => (RepositoryId?)row.Id<RepositoryId>("id"), ct) ?? throw new NotFoundException("A location with this id");
    }

    /// <summary>The adopted repository that a policy continues.</summary>
    /// <exception cref="NotFoundException">There is no adopted one with this id.</exception>
    /// <exception cref="BadInputException">It is another host's.</exception>
    /// <exception cref="ConflictException">It was not looked through yet.</exception>
    internal static async Task<RepositoryId> Continue(Transaction tx, RepositoryId wanted, HostId host, CancellationToken ct)
    {
        var found = await tx.First("""
            select r.host_id, h.name as host_name, r.state from repository r join host h on h.id = r.host_id
            where r.id = $1 and r.adopted_at is not null
            """, [wanted], row => new
        {
            Host = row.Id<HostId>("host_id"),
            HostName = row.Text("host_name"),
            State = row.Word<RepositoryState>("state"),
        }, ct) ?? throw new NotFoundException("An adopted repository with this id");
        if (found.Host != host)
            throw new BadInputException("repository", $"This repository was attached to {found.HostName}, and only that host continues it.",
                $"Choose a folder of {found.HostName}, or attach the repository to the other host as well.");
        return found.State == RepositoryState.Ready ? wanted : throw new ConflictException("repository.not_ready",
            $"The repository is {found.State}: it was not looked through to the end yet.", "Wait for the look, or look again.");
    }

    /// <summary>Refuses what removes, rewrites or repairs something in a repository, where its owner has not allowed that.</summary>
    /// <exception cref="ConflictException">It is not allowed.</exception>
    internal static async Task MustAllowUpkeep(SqlSource db, RepositoryId id, CancellationToken ct)
    {
        if (!await db.Scalar<bool>("select exists (select from repository where id = $1 and not upkeep_allowed)", [id], ct)) return;
        throw new ConflictException("repository.upkeep", "This repository was adopted, and its owner has not allowed that anything in it "
            + "is removed, rewritten or repaired.", "Allow upkeep on the repository's page, if it is yours to allow.");
    }

    /// <summary>Kinds of jobs that remove, rewrite or repair what is in a repository. A backup only adds to it.</summary>
    internal static readonly string[] UpkeepKinds = [nameof(JobKind.Replicate), nameof(JobKind.Tier),
        nameof(JobKind.Check), nameof(JobKind.Forget), nameof(JobKind.Prune)];

    /// <summary>Kinds of jobs that remove something for good: handed out only by the control plane that is confirmed to be the latest. A
    /// replication removes from the further places what was removed from the first; where that cannot be confirmed it only adds.</summary>
    internal static readonly string[] RemovalKinds = [nameof(JobKind.Forget), nameof(JobKind.Prune), nameof(JobKind.Replicate)];

    internal static BadInputException Closed() => new("location", "This location is the place of an adopted repository, and nothing else "
        + "is put there.", "Choose another location; a policy continues an adopted repository by naming the repository.");

    /// <summary>The location for a host: the one asked for, else a fitting one, else a folder on each protected host itself, made
    /// now.</summary>
    /// <exception cref="BadInputException">The location asked for belongs to another machine.</exception>
    internal async Task<LocationId> Choose(Transaction tx, LocationId? wanted, HostId host, CancellationToken ct)
    {
        if (wanted is { } asked)
        {
            var found = await tx.First("select host_id, is_closed from location where id = $1", [asked],
                row => new { Host = row.IdOrNull<HostId>("host_id"), IsClosed = row.Bool("is_closed") }, ct)
                ?? throw new NotFoundException("A location with this id");
            if (found.IsClosed) throw Closed();
            if (found.Host is { } machine && machine != host)
                throw new BadInputException("location", "This location is a folder of another machine, and a folder location belongs to "
                    + "one machine.",
                    "Choose a folder on the host itself, or a location of the kind Gateway.");
            return asked;
        }
        var fitting = await tx.First("select id from location where (host_id = $1 or host_id is null) and not is_closed "
            + "order by host_id nulls last, created_at limit 1", [host],
            row => (LocationId?)row.Id<LocationId>("id"), ct);
        if (fitting is { } one) return one;
        var made = LocationId.New(clock);
        await tx.Execute("insert into location (id, name, kind, path) values ($1, $2, $3, $4) on conflict do nothing",
            [made, DefaultName, LocationKind.Folder, DefaultFolder], ct);
        return await tx.First("select id from location where lower(name) = lower($1)", [DefaultName], row => row.Id<LocationId>("id"), ct);
    }

    /// <summary>What an agent needs to open a repository; password and credentials are opened for this one answer.</summary>
    internal async Task<RepositoryAccess> Access(SqlSource db, RepositoryId id, CancellationToken ct)
    {
        var access = await Own(db, id, ct);
        // Reading from several places mends the one that was wrong, so it is upkeep.
        var replicas = await db.Query("""
            select c.repository_id as id, c.url, l.kind, l.id as location_id, l.options, l.credentials_sealed, l.authority_pem,
                l.bandwidth, l.lock_days, l.lock_mode, l.tier_class, l.tier_after_days
            from replica c join location l on l.id = c.location_id join repository r on r.id = c.repository_id
            where r.id = $1 and r.upkeep_allowed order by c.added_at, l.id
            """, [id], row =>
        {
            var way = WayTo(row);
            return new RepositoryPlace
            {
                Location = row.Id<LocationId>("location_id"),
                Url = way.Url,
                Options = way.Options,
                Variables = way.Variables,
                AuthorityPem = way.AuthorityPem,
                Bandwidth = row.TextOrNull("bandwidth"),
                Tier = LocationRules.Tier(row),
            };
        }, ct);
        return replicas.Count == 0 ? access : access with { Replicas = replicas };
    }

    async Task<RepositoryAccess> Own(SqlSource db, RepositoryId id, CancellationToken ct)
        => await db.First($"select r.config_id, r.password_sealed, {WayColumns} from repository r join location l on l.id = r.location_id "
            + "where r.id = $1", [id], row =>
        {
            var way = WayTo(row);
            return new RepositoryAccess
            {
                Id = id,
                Location = row.Id<LocationId>("location_id"),
                Url = way.Url,
                IsGateway = way.IsGateway,
                Options = way.Options,
                Variables = way.Variables,
                AuthorityPem = way.AuthorityPem,
                Bandwidth = row.TextOrNull("bandwidth"),
                Tier = LocationRules.Tier(row),
                ConfigId = row.TextOrNull("config_id"),
                Password = Encoding.UTF8.GetString(secrets.Open("repository", id.ToString(), "password", row.Bytes("password_sealed"))),
            };
        }, ct) ?? throw new NotFoundException("A repository with this id");

    /// <summary>The stores that hold a repository and in which its agent can see terms of control planes by itself.</summary>
    internal Task<List<RepositoryPlace>> TermPlaces(SqlSource db, RepositoryId id, CancellationToken ct) => db.Query($"""
        select r.id, l.address as url, {LocationColumns} from location l join repository r on r.id = $1
        where l.kind in ('S3', 'Azure') and not l.is_closed
          and (l.id = r.location_id or l.id in (select c.location_id from replica c where c.repository_id = r.id)) order by l.id
        """, [id], row =>
        {
            var way = WayTo(row);
            return new RepositoryPlace
            {
                Location = row.Id<LocationId>("location_id"),
                Url = way.Url,
                Options = way.Options,
                Variables = way.Variables,
                AuthorityPem = way.AuthorityPem,
            };
        }, ct);

    // Of a repository r in its location l.
    const string WayColumns = $"r.id, r.url, {LocationColumns}";
    const string LocationColumns = "l.kind, l.id as location_id, l.options, l.credentials_sealed, l.authority_pem, l.bandwidth, "
        + LocationRules.Columns;

    /// <summary>How an agent gets to a repository.</summary>
    sealed record Way(string Url, bool IsGateway = false, IReadOnlyList<string>? Options = null,
        IReadOnlyDictionary<string, string>? Variables = null, string? AuthorityPem = null);

    Way WayTo(Row row) => row.Word<LocationKind>("kind") switch
    {
        LocationKind.Folder => new Way(row.Text("url")),
        // Agents go through the gateway, and never learn where behind it the folder is.
        LocationKind.Gateway => new Way($"rest:{listeners.AgentsPublicUrl}{GatewayEndpoint.Root}/{row.Id<RepositoryId>("id")}/", true),
        _ => new Way(row.Text("url"), false, LocationRules.Options(row), locations.Variables(row), row.TextOrNull("authority_pem")),
    };

    /// <summary>An Init run made the repository, or (without an id) failed to.</summary>
    internal static async Task Initialised(Transaction tx, RepositoryId id, string? configId, CancellationToken ct)
    {
        await tx.Execute("update repository set state = $2, config_id = coalesce(config_id, $3::text) where id = $1",
            [id, configId is null ? RepositoryState.Failed : RepositoryState.Ready, configId], ct);
        await Notifications.Changed(tx, "storage", id.ToString(), ct);
    }

    /// <summary>A repository whose making or adoption failed is to be tried again.</summary>
    internal static Task AwaitInit(Transaction tx, RepositoryId id, CancellationToken ct)
        => tx.Execute("update repository set state = $2 where id = $1 and state = $3",
            [id, RepositoryState.Pending, RepositoryState.Failed], ct);
}
