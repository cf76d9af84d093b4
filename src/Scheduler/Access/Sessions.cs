using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>Finds the caller that a session's token or an API key stands for.</summary>
public sealed class Sessions(Postgres db)
{
    /// <summary>How long a session lasts at most.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(12);

    /// <summary>How long a session lasts without being used.</summary>
    public static readonly TimeSpan IdleTime = TimeSpan.FromHours(1);

    /// <summary>The person with this session, or null where it ended.</summary>
    public async Task<Caller?> OfSession(string token, string address, CancellationToken ct)
    {
        var hash = TokenHash.Of(token);
        return await db.First("""
            update session set last_seen_at = clock() from person
            where token_hash = $1 and session.created_at > clock() - $2 and last_seen_at > clock() - $3
                and person.id = person_id and person.disabled_at is null
            returning person.id, person.name, person.role, person.must_change_password
            """, [hash, Lifetime, IdleTime],
            row => Caller.OfPerson(row.Id<UserId>("id"), row.Text("name"), row.Word<Role>("role"), hash, row.Bool("must_change_password"),
                address), ct);
    }

    /// <summary>The program with this API key, or null.</summary>
    public async Task<Caller?> OfKey(string key, string address, CancellationToken ct)
        => await db.First("select name, role from api_key where hash = $1 and revoked_at is null", [TokenHash.Of(key)],
            row => Caller.OfKey(row.Text("name"), row.Word<Role>("role"), address), ct);
}
