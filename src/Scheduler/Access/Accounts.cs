using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access;

/// <summary>Who is signed in.</summary>
public sealed class ShowMe
{
    public Task<Me> Handle(Caller caller, ShowMeRequest request, CancellationToken ct)
    {
        caller.Must(Right.OwnAccount);
        var roles = caller.Grants.Select(grant => new RoleGrant(grant.Role.ToString(), grant.Scope?.Text)).ToList();
        return Task.FromResult(Of(caller.Name, roles, caller.MustChangePassword));
    }

    internal static Me Of(string name, IReadOnlyList<RoleGrant> roles, bool mustChange)
        => new(name, string.Join(",", roles.Select(grant => grant.Role.ToLowerInvariant()).Distinct()), mustChange, roles);
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
