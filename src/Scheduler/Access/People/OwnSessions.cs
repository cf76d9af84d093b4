using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.People;

/// <summary>Where the caller is signed in.</summary>
public sealed class ListOwnSessions(Postgres db)
{
    public async Task<IReadOnlyList<UserSession>> Handle(Caller caller, ListOwnSessionsRequest request, CancellationToken ct)
    {
        caller.Must(Right.OwnAccount);
        return caller.Person is { } me ? await PersonTable.Sessions(db, me, caller, ct) : [];
    }
}

/// <summary>Ends one of the caller's own sessions.</summary>
public sealed class EndOwnSession(Postgres db)
{
    public async Task Handle(Caller caller, EndOwnSessionRequest request, CancellationToken ct)
    {
        caller.Must(Right.OwnAccount);
        if (caller.Person is not { } me) throw new DeniedException("Only a person has sessions.");
        await EndSession.End(db, caller, me, request.Session, ct);
    }
}

/// <summary>Ends a session of a user.</summary>
public sealed class EndSession(Postgres db)
{
    public Task Handle(Caller caller, EndSessionRequest request, CancellationToken ct)
    {
        caller.Must(Right.UserManage);
        return End(db, caller, request.Id, request.Session, ct);
    }

    /// <exception cref="NotFoundException">It ended already.</exception>
    internal static Task End(Postgres db, Caller caller, UserId person, SessionId session, CancellationToken ct)
        => db.InTransaction(async tx =>
        {
            if (await tx.Execute("delete from session where id = $1 and person_id = $2", [session, person], ct) == 0)
                throw new NotFoundException("An open session with this id");
            await Audit.Add(tx, caller, "session.end", person.ToString(), session.ToString(), ct);
        }, ct);
}
