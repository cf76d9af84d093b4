using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>Finds the caller that a session's token or an API key stands for.</summary>
public sealed class Sessions(Postgres db, ScopedThings things)
{
    /// <summary>How long a session lasts at most.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    /// <summary>How long a session lasts without being used.</summary>
    public static readonly TimeSpan IdleTime = TimeSpan.FromHours(1);

    // Often enough to be of use, seldom enough to cost nothing.
    static readonly TimeSpan NotedEvery = TimeSpan.FromMinutes(1);

    /// <summary>The person with this session, or null where it ended.</summary>
    public async Task<Caller?> OfSession(string token, string address, CancellationToken ct)
    {
        var hash = TokenHash.Of(token);
        var found = await db.First($"""
            update session set last_seen_at = clock() from person
            where token_hash = $1 and session.created_at > clock() - $2 and session.last_seen_at > clock() - $3
                and person.id = person_id and person.disabled_at is null
            returning person.id, person.name, person.role, person.grants, person.must_change_password
            """, [hash, Lifetime, IdleTime], row => new
        {
            Id = row.Id<UserId>("id"),
            Name = row.Text("name"),
            Grants = Grants.Read(row),
            MustChange = row.Bool("must_change_password"),
        }, ct);
        if (found is null) return null;
        return Caller.OfPerson(found.Id, found.Name, await Grants.Resolve(found.Grants, things, ct), hash, found.MustChange, address)
            with
        { Things = things };
    }

    /// <summary>Whether a session is still open. Asking is no use of it, so that a page left open does not keep it alive.</summary>
    public Task<bool> Holds(string token, CancellationToken ct) => db.Scalar<bool>("""
        select exists (select from session s join person p on p.id = s.person_id
            where s.token_hash = $1 and s.created_at > clock() - $2 and s.last_seen_at > clock() - $3 and p.disabled_at is null)
        """, [TokenHash.Of(token), Lifetime, IdleTime], ct);

    /// <summary>The program with this API key, or null.</summary>
    public async Task<Caller?> OfKey(string key, string address, CancellationToken ct)
    {
        var found = await db.First($"""
            select id, name, {Grants.Columns}, coalesce(last_used_at < clock() - $2 or last_used_from <> $3, true) as is_new from api_key
            where hash = $1 and revoked_at is null and coalesce(expires_at > clock(), true)
            """, [TokenHash.Of(key), NotedEvery, address], row => new
        {
            Id = row.Id<ApiKeyId>("id"),
            Name = row.Text("name"),
            Grants = Grants.Read(row),
            IsNew = row.Bool("is_new"),
        }, ct);
        if (found is null) return null;
        if (found.IsNew)
            await db.Execute("update api_key set last_used_at = clock(), last_used_from = $2 where id = $1", [found.Id, address], ct);
        return Caller.OfKey(found.Name, await Grants.Resolve(found.Grants, things, ct), found.Id, address) with { Things = things };
    }

    /// <summary>A person as it would act now, without a session: for what it asked for earlier. Null where it may not sign in.</summary>
    internal async Task<Caller?> OfPerson(UserId id, CancellationToken ct)
    {
        var found = await db.First($"select name, {Grants.Columns} from person where id = $1 and disabled_at is null", [id],
            row => new { Name = row.Text("name"), Grants = Grants.Read(row) }, ct);
        return found is null ? null : Caller.OfPerson(id, found.Name, await Grants.Resolve(found.Grants, things, ct)) with
        {
            Things = things,
        };
    }

    /// <summary>A key as it would act now. Null where it does not hold any more.</summary>
    internal async Task<Caller?> OfKey(ApiKeyId id, CancellationToken ct)
    {
        var found = await db.First($"select name, {Grants.Columns} from api_key where id = $1 and revoked_at is null and "
            + "coalesce(expires_at > clock(), true)", [id], row => new { Name = row.Text("name"), Grants = Grants.Read(row) }, ct);
        return found is null ? null : Caller.OfKey(found.Name, await Grants.Resolve(found.Grants, things, ct), id) with { Things = things };
    }
}
