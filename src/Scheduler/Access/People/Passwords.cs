using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.People;

/// <summary>Gives the caller a new password and ends the other sessions.</summary>
public sealed class ChangePassword(Postgres db)
{
    /// <summary>Shortest password.</summary>
    public const int MinimumLength = 12;

    /// <summary>Longest password.</summary>
    public const int MaximumLength = 1024;

    /// <exception cref="BadInputException">The current password is wrong, or the new one is too short or the same.</exception>
    public async Task Handle(Caller caller, ChangePasswordRequest request, CancellationToken ct)
    {
        caller.Must(Right.OwnAccount);
        if (caller.Person is not { } person) throw new DeniedException("Only a person has a password.");
        Check("new", request.New);
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

    /// <exception cref="BadInputException">It is too short or too long.</exception>
    internal static void Check(string field, string password)
    {
        if (password.Length is < MinimumLength or > MaximumLength)
            throw new BadInputException(field, $"The new password has {password.Length} characters.",
                $"Choose at least {MinimumLength}; a sentence is good.");
    }
}

/// <summary>Gives another user a new one-time password or a link, and signs it out everywhere.</summary>
public sealed class ResetPassword(Postgres db, FourEyes eyes)
{
    public async Task<UserCreated> Handle(Caller caller, ResetPasswordRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        if (caller.Person == request.Id) throw new DeniedException("An own password is changed with the present one.", "Go to /password.");
        var user = await PersonTable.Get(db, caller, request.Id, ct);
        Grants.MustNotOutrank(caller, user.Roles);
        if (FourEyes.IsApprover(user.Roles))
            await eyes.Pass(caller, new Command("user.password", request.Id.ToString(),
                $"Shows a way to sign in as {user.Name}, who approves.", "", ApprovedUse.AskAgain), request,
                WireJson.Default.ResetPasswordRequest, ct);
        var password = Secret.Random(16).Reveal();
        await using var tx = await db.Begin(ct);
        await PersonTable.SignOutEverywhere(tx, request.Id, ct);
        await tx.Execute("update person set password = $2, must_change_password = true where id = $1",
            [request.Id, PasswordHash.Make(password)], ct);
        var link = request.Invite ? await Invitations.Make(tx, request.Id, ct) : null;
        await Audit.Add(tx, caller, "person.reset", request.Id.ToString(), user.Name, ct);
        await tx.Commit(ct);
        return new UserCreated(request.Id, user.Name, request.Invite ? null : password, link);
    }
}

/// <summary>Links with which a person chooses its first password.</summary>
static class Invitations
{
    /// <summary>How long a link holds.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromDays(3);

    /// <summary>Makes a link; the one before ends.</summary>
    /// <returns>A path of the console.</returns>
    public static async Task<string> Make(Transaction tx, UserId person, CancellationToken ct)
    {
        var token = Secret.Random(32).Reveal();
        await tx.Execute("delete from invitation where person_id = $1", [person], ct);
        await tx.Execute("insert into invitation (hash, person_id, expires_at) values ($1, $2, clock() + $3)",
            [TokenHash.Of(token), person, Lifetime], ct);
        return $"/welcome?token={Uri.EscapeDataString(token)}";
    }
}

/// <summary>Whoever holds a link chooses a password, once.</summary>
public sealed class AcceptInvitation(Postgres db)
{
    /// <exception cref="NotSignedInException">The link was used, is too old, or is none.</exception>
    public async Task<Me> Handle(Caller caller, AcceptInvitationRequest request, CancellationToken ct)
    {
        caller.Must(Right.SignIn);
        ChangePassword.Check("password", request.Password);
        await using var tx = await db.Begin(ct);
        var person = await tx.First($"""
            update invitation i set used_at = clock() from person p
            where i.hash = $1 and i.used_at is null and i.expires_at > clock() and p.id = i.person_id and p.disabled_at is null
            returning p.id, p.name, p.role, p.grants
            """, [TokenHash.Of(request.Token)], row => new
        {
            Id = row.Id<UserId>("id"),
            Name = row.Text("name"),
            Grants = Grants.Read(row),
        }, ct) ?? throw new NotSignedInException("access.invitation_over", "This link was used already, or is too old.",
            "Ask whoever sent it for another one.");
        await tx.Execute("update person set password = $2, must_change_password = false where id = $1",
            [person.Id, PasswordHash.Make(request.Password)], ct);
        await Audit.Add(tx, Caller.OfPerson(person.Id, person.Name, [], address: caller.Address), "person.welcome", person.Id.ToString(),
            caller.Address.Length > 0 ? $"from {caller.Address}" : "", ct);
        await tx.Commit(ct);
        return ShowMe.Of(person.Name, person.Grants, mustChange: false);
    }
}
