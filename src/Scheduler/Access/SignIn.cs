using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>A session that was opened.</summary>
/// <param name="Token">For the cookie; the database keeps only its hash.</param>
/// <param name="Me">Who signed in.</param>
public sealed record OpenedSession(string Token, Me Me)
{
    /// <summary>Shows no token.</summary>
    public override string ToString() => $"session of {Me.Name}";
}

/// <summary>Turns a name and a password into a session.</summary>
public sealed class SignIn(Postgres db) : IDisposable
{
    /// <summary>Wrong attempts within <see cref="Window"/> for one name from one address; after that nobody is let in until it has
    /// passed.</summary>
    public const int AttemptsForNameAndAddress = 10;

    /// <summary>Wrong attempts within <see cref="Window"/> for one name from everywhere.</summary>
    public const int AttemptsForName = 100;

    /// <summary>Over how long wrong attempts are counted.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMinutes(15);

    const int MaximumPassword = 1024;

    readonly SemaphoreSlim _hashing = new(2);   // a hash costs a tenth of a second of a core; sign-ins may not take all cores

    /// <exception cref="NotSignedInException">Name or password is wrong; it is not told which.</exception>
    /// <exception cref="LimitedException">Too many wrong attempts.</exception>
    public async Task<OpenedSession> Handle(Caller caller, SignInRequest request, CancellationToken ct)
    {
        caller.Must(Right.SignIn);
        if (request.Name.Length > 64 || request.Password.Length > MaximumPassword) throw Refused();
        var failures = await db.First("""
            select count(*) filter (where address = $2) as here, count(*) as everywhere
            from sign_in_failure where name = lower($1) and at > clock() - $3
            """, [request.Name, caller.Address, Window], row => (Here: row.Long("here"), Everywhere: row.Long("everywhere")), ct);
        if (failures.Here >= AttemptsForNameAndAddress || failures.Everywhere >= AttemptsForName)
            throw new LimitedException("access.too_many_attempts", "There were too many wrong attempts with this name.", Window);

        var person = await db.First("select id, name, password, role, grants, must_change_password from person where lower(name) = "
            + "lower($1) and disabled_at is null",
            [request.Name], row => new
            {
                Id = row.Id<UserId>("id"),
                Name = row.Text("name"),
                Password = row.Text("password"),
                Roles = Grants.Read(row),
                MustChange = row.Bool("must_change_password")
            }, ct);
        if (!await Fits(request.Password, person?.Password ?? PasswordHash.Nobody, ct) || person is null)
        {
            await db.Execute("insert into sign_in_failure (name, address) values (lower($1), $2)", [request.Name, caller.Address], ct);
            throw Refused();
        }
        var token = Secret.Random(32).Reveal();
        await using var tx = await db.Begin(ct);
        await tx.Execute("insert into session (token_hash, person_id, address) values ($1, $2, $3)",
            [TokenHash.Of(token), person.Id, caller.Address], ct);
        await tx.Execute("update person set last_seen_at = clock() where id = $1", [person.Id], ct);
        await tx.Execute("delete from session where created_at < clock() - $1", [Sessions.Lifetime], ct);
        await tx.Execute("delete from sign_in_failure where at < clock() - $1 or (name = lower($2) and address = $3)",
            [Window, request.Name, caller.Address], ct);
        var now = Caller.OfPerson(person.Id, person.Name, []);
        await Audit.Add(tx, now, "session.open", person.Id.ToString(), caller.Address.Length > 0 ? $"from {caller.Address}" : "", ct);
        await tx.Commit(ct);
        return new OpenedSession(token, ShowMe.Of(person.Name, person.Roles, person.MustChange));
    }

    async Task<bool> Fits(string password, string stored, CancellationToken ct)
    {
        await _hashing.WaitAsync(ct);
        try
        {
            return PasswordHash.Fits(password, stored);
        }
        finally
        {
            _hashing.Release();
        }
    }

    static NotSignedInException Refused() => new("access.wrong_password", "Name or password is wrong.",
        "Check both; capitals count in the password.");

    public void Dispose() => _hashing.Dispose();
}

/// <summary>What the database keeps of tokens and keys.</summary>
static class TokenHash
{
    public static byte[] Of(string token) => SHA256.HashData(Encoding.UTF8.GetBytes(token));
}
