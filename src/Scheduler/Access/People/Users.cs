using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.People;

/// <summary>Reads people.</summary>
static class PersonTable
{
    const string Select = """
        select p.id, p.name, p.role, p.grants, p.created_at, p.disabled_at, p.must_change_password,
            greatest(p.last_seen_at, (select max(s.last_seen_at) from session s where s.person_id = p.id)) as seen_at,
            (select max(i.expires_at) from invitation i
                where i.person_id = p.id and i.used_at is null and i.expires_at > clock()) as invited
        from person p
        """;

    public static Task<List<User>> List(SqlSource db, Caller caller, UserId? only, CancellationToken ct)
        => db.Query($"{Select} where $1::uuid is null or p.id = $1 order by p.disabled_at is not null, lower(p.name)", [only?.Value],
            row => Read(row, caller), ct);

    /// <exception cref="NotFoundException">There is no such person.</exception>
    public static async Task<User> Get(SqlSource db, Caller caller, UserId id, CancellationToken ct)
        => (await List(db, caller, id, ct)).FirstOrDefault() ?? throw new NotFoundException("A user with this id");

    /// <summary>Holds everybody's rights as they are until the transaction ends, so that two changes cannot remove the last
    /// administrator together.</summary>
    public static Task Hold(Transaction tx, CancellationToken ct) => tx.Execute("lock table person in share row exclusive mode", [], ct);

    /// <exception cref="ConflictException">Nobody could administer the installation then.</exception>
    public static async Task MustKeepAdmin(Transaction tx, CancellationToken ct)
    {
        var people = await tx.Query($"select {Grants.Columns} from person where disabled_at is null", [], Grants.Read, ct);
        if (!people.Any(Grants.IsAdmin)) throw new ConflictException("person.last_admin",
            "Nobody could administer this installation then.", "Make another user an administrator first.");
    }

    /// <summary>Ends all sessions and links of a person.</summary>
    public static async Task SignOutEverywhere(Transaction tx, UserId id, CancellationToken ct)
    {
        await tx.Execute("delete from session where person_id = $1", [id], ct);
        await tx.Execute("delete from invitation where person_id = $1 and used_at is null", [id], ct);
    }

    public static Task<List<UserSession>> Sessions(SqlSource db, UserId id, Caller caller, CancellationToken ct) => db.Query("""
        select id, created_at, last_seen_at, address, token_hash = $4 as is_this from session
        where person_id = $1 and created_at > clock() - $2 and last_seen_at > clock() - $3 order by last_seen_at desc
        """, [id, Access.Sessions.Lifetime, Access.Sessions.IdleTime, caller.Session ?? []], row => new UserSession(
            row.Id<SessionId>("id"), row.Time("created_at"), row.Time("last_seen_at"), row.Text("address"), row.Bool("is_this")), ct);

    static User Read(Row row, Caller caller) => new()
    {
        Id = row.Id<UserId>("id"),
        Name = row.Text("name"),
        Roles = Grants.Read(row),
        CreatedAt = row.Time("created_at"),
        DisabledAt = row.TimeOrNull("disabled_at"),
        LastSeenAt = row.TimeOrNull("seen_at"),
        MustChangePassword = row.Bool("must_change_password"),
        InvitedUntil = row.TimeOrNull("invited"),
        IsMe = row.Id<UserId>("id") == caller.Person,
    };
}

/// <summary>Everybody who may sign in, or could once.</summary>
public sealed class ListUsers(Postgres db)
{
    public async Task<IReadOnlyList<User>> Handle(Caller caller, ListUsersRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        return await PersonTable.List(db, caller, null, ct);
    }
}

/// <summary>One user with its open sessions.</summary>
public sealed class ShowUser(Postgres db)
{
    public async Task<User> Handle(Caller caller, ShowUserRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        var user = await PersonTable.Get(db, caller, request.Id, ct);
        return user with { Sessions = await PersonTable.Sessions(db, request.Id, caller, ct) };
    }
}

/// <summary>Makes a person with a one-time password or a link; one who exists is left alone.</summary>
public sealed partial class CreateUser(Postgres db, FourEyes eyes, TimeProvider clock)
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
        if (request.Invite && request.OneTimePassword is not null)
            throw new BadInputException("invite", "A user gets a link or a one-time password.", "Leave one of them out.");
        var grants = await Grants.Check(db, request.Roles ?? [new RoleGrant(nameof(Role.Admin))], ct);
        Grants.MustNotOutrank(caller, grants);
        if (FourEyes.IsApprover(grants))
            await eyes.Pass(caller, new Command("user.create", request.Name, $"Makes the user {request.Name}: {Grants.Words(grants)}.", "",
                ApprovedUse.AskAgain), request with { OneTimePassword = null }, WireJson.Default.CreateUserRequest, ct);
        var password = request.OneTimePassword ?? Secret.Random(16).Reveal();
        var hash = PasswordHash.Make(password);
        await using var tx = await db.Begin(ct);
        var id = UserId.New(clock);
        if (await tx.Execute("insert into person (id, name, password, role, grants, must_change_password) values ($1, $2, $3, $4, $5, "
            + "true) on conflict do nothing", [id, request.Name, hash, Grants.Former(grants), Grants.Json(grants)], ct) == 0)
        {
            return await tx.First("select id, name from person where lower(name) = lower($1)", [request.Name],
                row => new UserCreated(row.Id<UserId>("id"), row.Text("name"), null), ct)
                ?? throw new ConflictException("person.changed", "A person with this name was removed just now.", "Try again.");
        }
        var link = request.Invite ? await Invitations.Make(tx, id, ct) : null;
        await Audit.Add(tx, caller, "person.create", id.ToString(), $"{request.Name}: {Grants.Words(grants)}", ct);
        await tx.Commit(ct);
        return new UserCreated(id, request.Name, request.Invite ? null : password, link);
    }

    [GeneratedRegex("^[A-Za-z0-9.@_-]{2,64}$")]
    private static partial Regex NamePattern();
}

/// <summary>Gives a user these roles and no others.</summary>
public sealed class SetUserRoles(Postgres db, FourEyes eyes)
{
    /// <exception cref="ConflictException">Nobody could administer the installation then.</exception>
    /// <exception cref="DeniedException">It is about the caller itself, or about an administrator and the caller is none.</exception>
    public async Task<User> Handle(Caller caller, SetUserRolesRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        if (caller.Person == request.Id) throw new DeniedException("Own roles are given by somebody else.", "Ask another administrator.");
        var grants = await Grants.Check(db, request.Roles, ct);
        var before = await PersonTable.Get(db, caller, request.Id, ct);
        Grants.MustNotOutrank(caller, grants, before.Roles);
        if (FourEyes.IsApprover(grants) || FourEyes.IsApprover(before.Roles))
            await eyes.Pass(caller, new Command("user.roles", request.Id.ToString(),
                $"Gives {before.Name} the roles {Grants.Words(grants)} in place of {Grants.Words(before.Roles)}.",
                    Grants.Words(before.Roles)),
                request, WireJson.Default.SetUserRolesRequest, ct);
        return await db.InTransaction(async tx =>
        {
            await PersonTable.Hold(tx, ct);
            if (await tx.Execute("update person set grants = $2, role = $3 where id = $1", [request.Id, Grants.Json(grants),
                Grants.Former(grants)], ct) == 0) throw new NotFoundException("A user with this id");
            await PersonTable.MustKeepAdmin(tx, ct);
            await Audit.Add(tx, caller, "person.roles", request.Id.ToString(), $"{before.Name}: {Grants.Words(grants)}, before "
                + Grants.Words(before.Roles), ct);
            return await PersonTable.Get(tx, caller, request.Id, ct);
        }, ct);
    }
}

/// <summary>Lets a user in no more, from this moment on.</summary>
public sealed class DisableUser(Postgres db, FourEyes eyes)
{
    /// <exception cref="ConflictException">Nobody could administer the installation then.</exception>
    public async Task Handle(Caller caller, DisableUserRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        if (caller.Person == request.Id) throw new DeniedException("Nobody disables themselves.", "Ask another administrator.");
        var user = await PersonTable.Get(db, caller, request.Id, ct);
        Grants.MustNotOutrank(caller, user.Roles);
        if (FourEyes.IsApprover(user.Roles))
            await eyes.Pass(caller, new Command("user.disable", request.Id.ToString(), $"Lets {user.Name}, who approves, in no more.", ""),
                request, WireJson.Default.DisableUserRequest, ct);
        await db.InTransaction(async tx =>
        {
            await PersonTable.Hold(tx, ct);
            if (await tx.Execute("update person set disabled_at = clock() where id = $1 and disabled_at is null", [request.Id], ct) == 0)
                return;
            await PersonTable.MustKeepAdmin(tx, ct);
            await PersonTable.SignOutEverywhere(tx, request.Id, ct);
            await Audit.Add(tx, caller, "person.disable", request.Id.ToString(), user.Name, ct);
        }, ct);
    }
}

/// <summary>Lets a user in again, with the password that it had.</summary>
public sealed class EnableUser(Postgres db)
{
    public async Task Handle(Caller caller, EnableUserRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        await db.InTransaction(async tx =>
        {
            var user = await PersonTable.Get(tx, caller, request.Id, ct);
            Grants.MustNotOutrank(caller, user.Roles);
            if (await tx.Execute("update person set disabled_at = null where id = $1 and disabled_at is not null", [request.Id], ct) == 0)
                return;
            await Audit.Add(tx, caller, "person.enable", request.Id.ToString(), user.Name, ct);
        }, ct);
    }
}
