using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>Who is signed in.</summary>
public sealed class ShowMe
{
    public Task<Me> Handle(Caller caller, ShowMeRequest request, CancellationToken ct)
    {
        caller.Must(Right.OwnAccount);
        return Task.FromResult(new Me(caller.Name, WordOf(caller.Role), caller.MustChangePassword));
    }

    /// <summary>A role as the API writes it.</summary>
    internal static string WordOf(Role role) => role.ToString().ToLowerInvariant();
}

/// <summary>Ends the caller's session.</summary>
public sealed class SignOut(Postgres db)
{
    public async Task Handle(Caller caller, CancellationToken ct)
    {
        caller.Must(Right.OwnAccount);
        if (caller is not { Session: { } session, Person: { } person }) return;   // an API key has no session to end
        await using var tx = await db.Begin(ct);
        await tx.Execute("delete from session where token_hash = $1", [session], ct);
        await Audit.Add(tx, caller, "session.close", person.ToString(), "", ct);
        await tx.Commit(ct);
    }
}

/// <summary>Gives the caller a new password and ends the other sessions.</summary>
public sealed class ChangePassword(Postgres db)
{
    /// <summary>Shortest password.</summary>
    public const int MinimumLength = 12;

    /// <exception cref="BadInputException">The current password is wrong, or the new one is too short or the same.</exception>
    public async Task Handle(Caller caller, ChangePasswordRequest request, CancellationToken ct)
    {
        caller.Must(Right.OwnAccount);
        if (caller.Person is not { } person) throw new DeniedException("Only a person has a password.");
        if (request.New.Length is < MinimumLength or > 1024)
            throw new BadInputException("new", $"The new password has {request.New.Length} characters.",
                $"Choose at least {MinimumLength}; a sentence is good.");
        if (request.New == request.Current) throw new BadInputException("new", "The new password is the old one.", "Choose another one.");
        await using var tx = await db.Begin(ct);
        var stored = await tx.Scalar<string>("select password from person where id = $1 for update", [person], ct);
        if (stored is null || !PasswordHash.Fits(request.Current, stored))
            throw new BadInputException("current", "The current password is wrong.", "Type the one that you signed in with.");
        await tx.Execute("update person set password = $2, must_change_password = false where id = $1",
            [person, PasswordHash.Make(request.New)], ct);
        await tx.Execute("delete from session where person_id = $1 and token_hash <> $2", [person, caller.Session ?? []], ct);
        await Audit.Add(tx, caller, "person.password", person.ToString(), "", ct);
        await tx.Commit(ct);
    }
}

/// <summary>Makes a person with a one-time password; one who exists is left alone.</summary>
public sealed partial class CreateUser(Postgres db, TimeProvider clock)
{
    public async Task<UserCreated> Handle(Caller caller, CreateUserRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        if (!NamePattern().IsMatch(request.Name))
            throw new BadInputException("name", $"'{request.Name}' is no user name.",
                "Use 2 to 64 letters, digits, dots, dashes, underscores and at signs.");
        if (request.OneTimePassword is { Length: < ChangePassword.MinimumLength or > 1024 })
            throw new BadInputException("oneTimePassword", "The one-time password is too short or too long.",
                $"Use at least {ChangePassword.MinimumLength} characters, or leave it out to have one made.");
        var password = request.OneTimePassword ?? Secret.Random(16).Reveal();
        var hash = PasswordHash.Make(password);
        await using var tx = await db.Begin(ct);
        var id = UserId.New(clock);
        if (await tx.Execute("insert into person (id, name, password, role, must_change_password) values ($1, $2, $3, $4, true) on "
            + "conflict do nothing",
            [id, request.Name, hash, Role.Admin], ct) == 0)
        {
            return await tx.First("select id, name from person where lower(name) = lower($1)", [request.Name],
                row => new UserCreated(row.Id<UserId>("id"), row.Text("name"), null), ct)
                ?? throw new ConflictException("person.changed", "A person with this name was removed just now.", "Try again.");
        }
        await Audit.Add(tx, caller, "person.create", id.ToString(), request.Name, ct);
        await tx.Commit(ct);
        return new UserCreated(id, request.Name, password);
    }

    [GeneratedRegex("^[A-Za-z0-9.@_-]{2,64}$")]
    private static partial Regex NamePattern();
}
