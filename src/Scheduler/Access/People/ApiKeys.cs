using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.People;

/// <summary>All API keys, those that hold first; never what they consist of.</summary>
public sealed class ListApiKeys(Postgres db)
{
    const int Most = 500;

    public async Task<IReadOnlyList<ApiKey>> Handle(Caller caller, ListApiKeysRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        return await db.Query($"""
            select id, name, {Grants.Columns}, created_at, created_by, expires_at, revoked_at, last_used_at, last_used_from from api_key
            order by revoked_at is not null or coalesce(expires_at < clock(), false), lower(name), created_at desc limit $1
            """, [Most], row => new ApiKey
        {
            Id = row.Id<ApiKeyId>("id"),
            Name = row.Text("name"),
            Roles = Grants.Read(row),
            CreatedAt = row.Time("created_at"),
            CreatedBy = row.TextOrNull("created_by"),
            ExpiresAt = row.TimeOrNull("expires_at"),
            RevokedAt = row.TimeOrNull("revoked_at"),
            LastUsedAt = row.TimeOrNull("last_used_at"),
            LastUsedFrom = row.TextOrNull("last_used_from"),
        }, ct);
    }
}

/// <summary>Makes an API key. The database keeps its hash only.</summary>
public sealed partial class CreateApiKey(Postgres db, TimeProvider clock)
{
    /// <summary>Longest life, in days.</summary>
    public const int MostDays = 366;

    const int KeyBytes = 32;

    /// <exception cref="ConflictException">There is one of this name.</exception>
    public async Task<ApiKeyCreated> Handle(Caller caller, CreateApiKeyRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        if (!NamePattern().IsMatch(request.Name))
            throw new BadInputException("name", $"'{request.Name}' is no name of a key.", "Use 2 to 64 letters, digits, dots, dashes and "
                + "underscores.");
        if (request.Days is < 1 or > MostDays)
            throw new BadInputException("days", $"{request.Days} days are no life of a key.",
                $"Write 1 to {MostDays}; a key ends some day.");
        var grants = await Grants.Check(db, request.Roles, ct);
        Grants.MustNotOutrank(caller, grants);
        if (grants.Any(grant => grant.Role == nameof(Role.Approver)))
            throw new BadInputException("roles", "A key cannot approve: four eyes are those of two persons.",
                "Leave the role Approver out.");
        var key = $"bdrk_{Secret.Random(KeyBytes).Reveal()}";
        var id = ApiKeyId.New(clock);
        return await db.InTransaction(async tx =>
        {
            await tx.Execute("update api_key set revoked_at = expires_at where lower(name) = lower($1) and revoked_at is null and "
                + "expires_at < clock()", [request.Name], ct);   // one that ended by itself does not keep its name
            var expires = await tx.First("""
                insert into api_key (id, name, hash, role, grants, created_by, expires_at) values ($1, $2, $3, $4, $5, $6, clock() + $7)
                on conflict do nothing returning expires_at
                """, [id, request.Name, TokenHash.Of(key), Grants.Former(grants), Grants.Json(grants), caller.Name,
                    TimeSpan.FromDays(request.Days)], row => (DateTimeOffset?)row.Time("expires_at"), ct)
                ?? throw new ConflictException("key.name_taken", $"There is a key named '{request.Name}'.",
                    "Choose another name, or revoke that one first.");
            await Audit.Add(tx, caller, "key.create", id.ToString(), $"{request.Name}: {Grants.Words(grants)}, {request.Days} days", ct);
            return new ApiKeyCreated(id, key, expires);
        }, ct);
    }

    [GeneratedRegex("^[A-Za-z0-9._-]{2,64}$")]
    private static partial Regex NamePattern();
}

/// <summary>Ends an API key from this moment on.</summary>
public sealed class RevokeApiKey(Postgres db)
{
    /// <exception cref="NotFoundException">There is none that holds.</exception>
    public async Task Handle(Caller caller, RevokeApiKeyRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        await db.InTransaction(async tx =>
        {
            var key = await tx.First($"select name, {Grants.Columns} from api_key where id = $1 and revoked_at is null for update",
                [request.Id], row => new { Name = row.Text("name"), Grants = Grants.Read(row) }, ct)
                ?? throw new NotFoundException("A key in use with this id");
            Grants.MustNotOutrank(caller, key.Grants);
            await tx.Execute("update api_key set revoked_at = clock() where id = $1", [request.Id], ct);
            await Audit.Add(tx, caller, "key.revoke", request.Id.ToString(), key.Name, ct);
        }, ct);
    }
}
