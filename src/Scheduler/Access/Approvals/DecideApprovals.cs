using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.Approvals;

/// <summary>Requests that wait for a second person, or those that do not any more.</summary>
public sealed class ListApprovals(Postgres db, AlertBook alerts)
{
    const int Most = 100;

    public async Task<IReadOnlyList<Approval>> Handle(Caller caller, ListApprovalsRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.ApprovalRead);
        await ApprovalTable.Expire(db, alerts, ct);
        var found = await ApprovalTable.List(db, request.Over
            ? "a.state not in ('Waiting', 'Approved') order by a.id desc limit $1"
            : "a.state in ('Waiting', 'Approved') order by a.expires_at, a.id limit $1", [Most], ct);
        return [.. found.Where(one => ShowApproval.MaySee(caller, one)).Select(one => ShowApproval.For(caller, one))];
    }
}

/// <summary>One request.</summary>
public sealed class ShowApproval(Postgres db, AlertBook alerts)
{
    public async Task<Approval> Handle(Caller caller, ShowApprovalRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.ApprovalRead);
        await ApprovalTable.Expire(db, alerts, ct);
        var found = await ApprovalTable.Get(db, request.Id, ct);
        return MaySee(caller, found) ? For(caller, found) : throw new NotFoundException("A request with this id");
    }

    /// <summary>A request is about whatever it is about: who sees a part of the fleet only, sees its own requests.</summary>
    internal static bool MaySee(Caller caller, StoredApproval one) => caller.MayEverywhere(Right.ApprovalRead) || one.IsOf(caller);

    internal static Approval For(Caller caller, StoredApproval one) => one.Approval with { IsMine = one.CanBeDecidedBy(caller) };
}

/// <summary>A second person approves a request, and it is done as who asked.</summary>
public sealed class ApproveApproval(Postgres db, AlertBook alerts, Sessions sessions, IServiceProvider handlers)
{
    internal const int LongestNote = 500;

    /// <exception cref="DeniedException">The caller asked for it itself, or is no person.</exception>
    /// <exception cref="ConflictException">It was decided about, is too old, is not what was looked at, or cannot be done.</exception>
    public async Task<Approval> Handle(Caller caller, ApproveRequest request, CancellationToken ct)
    {
        caller.Must(Right.ApprovalDecide);
        await ApprovalTable.Expire(db, alerts, ct);
        var found = await ApprovalTable.Get(db, request.Id, ct);
        MustBeAnother(caller, found);
        if (found.Approval.CommandHash != request.CommandHash)
            throw new ConflictException("approval.other", "This request is not the one that was looked at.", "Look at it again.");
        var note = Note(request.Note);
        await db.InTransaction(async tx =>
        {
            await Decide(tx, caller, found, ApprovalState.Approved, note, ct);
            await alerts.Clear(tx, ApprovalTable.Cause(request.Id), ct);
            await Audit.Add(tx, caller, "approval.approve", request.Id.ToString(), $"{found.Approval.Action} {found.Approval.Object} "
                + $"asked for by {found.Approval.RequestedBy}, {found.Approval.CommandHash} {note}", ct);
        }, ct);
        if (!found.AsksAgain) await Carry(found, ct);
        return ShowApproval.For(caller, await ApprovalTable.Get(db, request.Id, ct));
    }

    /// <summary>Does it as who asked, with the rights that this one has now.</summary>
    async Task Carry(StoredApproval found, CancellationToken ct)
    {
        try
        {
            var who = found.Person is { } person ? await sessions.OfPerson(person, ct)
                : found.Key is { } key ? await sessions.OfKey(key, ct) : null;
            if (who is null) throw new DeniedException($"{found.Approval.RequestedBy} may do nothing here any more.");
            await ApprovedCommands.Do(handlers, found.Approval.Action, who with { Approval = found.Approval.Id }, found.Approval.Command,
                ct);
        }
        catch (BackupDrException e)
        {
            await End(found.Approval.Id, e.Code == "approval.outdated" ? ApprovalState.Outdated : ApprovalState.Failed, e.Message, ct);
            throw;
        }
        await End(found.Approval.Id, ApprovalState.Done, null, ct);
    }

    async Task End(ApprovalId id, ApprovalState state, string? why, CancellationToken ct)
        => await db.InTransaction(async tx =>
        {
            await tx.Execute("update approval set state = $2, note = coalesce($3, note) where id = $1", [id, state, why], ct);
            await Notifications.Changed(tx, "approvals", id.ToString(), ct);
        }, ct);

    static void MustBeAnother(Caller caller, StoredApproval found)
    {
        if (caller.Kind != CallerKind.Person) throw new DeniedException("Only a person can be the second one.", "Sign in to the console.");
        if (found.IsOf(caller)) throw new DeniedException("Whoever asks cannot approve.", "Ask another person.");
    }

    /// <exception cref="ConflictException">Somebody decided just before, or it is too late.</exception>
    internal static async Task Decide(Transaction tx, Caller caller, StoredApproval found, ApprovalState state, string? note,
        CancellationToken ct)
    {
        if (await tx.Execute("update approval set state = $2, decided_by = $3, decided_at = clock(), note = $4 where id = $1 "
            + "and state = $5 and expires_at > clock()", [found.Approval.Id, state, caller.Name, note, ApprovalState.Waiting], ct) == 0)
            throw new ConflictException("approval.over", "This request does not wait any more: it was decided about, or is too old.",
                "Look at it again.");
        await Notifications.Changed(tx, "approvals", found.Approval.Id.ToString(), ct);
    }

    internal static string? Note(string? text) => text?.Trim() is not { Length: > 0 } note ? null : note.Length <= LongestNote ? note
        : throw new BadInputException("note", $"The note has {note.Length} characters.", $"Write {LongestNote} at most.");
}

/// <summary>A second person refuses a request, or who asked takes it back.</summary>
public sealed class RefuseApproval(Postgres db, AlertBook alerts)
{
    /// <exception cref="ConflictException">It does not wait any more.</exception>
    public async Task<Approval> Handle(Caller caller, RefuseRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.ApprovalRead);
        var found = await ApprovalTable.Get(db, request.Id, ct);
        if (!found.IsOf(caller)) caller.Must(Right.ApprovalDecide);
        var note = ApproveApproval.Note(request.Note);
        await db.InTransaction(async tx =>
        {
            await ApproveApproval.Decide(tx, caller, found, ApprovalState.Refused, note, ct);
            await alerts.Clear(tx, ApprovalTable.Cause(request.Id), ct);
            await Audit.Add(tx, caller, "approval.refuse", request.Id.ToString(), $"{found.Approval.Action} {found.Approval.Object} "
                + $"asked for by {found.Approval.RequestedBy} {note}", ct);
        }, ct);
        return ShowApproval.For(caller, await ApprovalTable.Get(db, request.Id, ct));
    }
}
