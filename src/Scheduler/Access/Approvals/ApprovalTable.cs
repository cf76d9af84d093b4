using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.Approvals;

/// <summary>Reads requests, and ends those that nobody decided about.</summary>
static class ApprovalTable
{
    const string Select = """
        select a.id, a.action, a.object, a.effect, a.command, a.command_hash, a.state, a.requested_by, a.requested_at, a.expires_at,
            a.decided_by, a.decided_at, a.note, a.person_id, a.api_key_id, a.asks_again, k.created_by as key_of
        from approval a left join api_key k on k.id = a.api_key_id
        """;

    /// <summary>What groups its alert.</summary>
    public static string Cause(ApprovalId id) => $"approval:{id}";

    public static Task<List<StoredApproval>> List(SqlSource db, string where, object?[] values, CancellationToken ct)
        => db.Query($"{Select} where {where}", values, row => new StoredApproval(new Approval
        {
            Id = row.Id<ApprovalId>("id"),
            Action = row.Text("action"),
            Object = row.Text("object"),
            Effect = row.Text("effect"),
            Command = row.Text("command"),
            CommandHash = row.Text("command_hash"),
            State = row.Word<ApprovalState>("state"),
            RequestedBy = row.Text("requested_by"),
            RequestedAt = row.Time("requested_at"),
            ExpiresAt = row.Time("expires_at"),
            DecidedBy = row.TextOrNull("decided_by"),
            DecidedAt = row.TimeOrNull("decided_at"),
            Note = row.TextOrNull("note"),
        }, row.IdOrNull<UserId>("person_id"), row.IdOrNull<ApiKeyId>("api_key_id"), row.TextOrNull("key_of"), row.Bool("asks_again")), ct);

    /// <exception cref="NotFoundException">There is no such request.</exception>
    public static async Task<StoredApproval> Get(SqlSource db, ApprovalId id, CancellationToken ct)
        => (await List(db, "a.id = $1", [id], ct)).FirstOrDefault() ?? throw new NotFoundException("A request with this id");

    /// <summary>Ends what nobody decided about in time.</summary>
    public static async Task Expire(Postgres db, AlertBook alerts, CancellationToken ct)
    {
        if (!await db.Scalar<bool>("select exists (select from approval where state in ('Waiting', 'Approved') and expires_at <= clock())",
            [], ct)) return;
        await db.InTransaction(async tx =>
        {
            foreach (var id in await tx.Query("update approval set state = 'Expired' where state in ('Waiting', 'Approved') and expires_at "
                + "<= clock() returning id", [], row => row.Id<ApprovalId>(0), ct))
            {
                await alerts.Clear(tx, Cause(id), ct);
                await Notifications.Changed(tx, "approvals", id.ToString(), ct);
            }
        }, ct);
    }
}

/// <summary>A request with who asked.</summary>
/// <param name="Approval">As people see it.</param>
/// <param name="Person">Who asked, for a person.</param>
/// <param name="Key">Who asked, for a program.</param>
/// <param name="KeyOf">Who made that key.</param>
/// <param name="AsksAgain">Whether who asked does it again once it is approved.</param>
sealed record StoredApproval(Approval Approval, UserId? Person, ApiKeyId? Key, string? KeyOf, bool AsksAgain)
{
    /// <summary>Whether it is the caller's own: asked for by it, or with a key that it made.</summary>
    public bool IsOf(Caller caller) => Person is not null && Person == caller.Person || Approval.RequestedBy == caller.Name
        || KeyOf == caller.Name;

    /// <summary>Whether a caller may decide about it.</summary>
    public bool CanBeDecidedBy(Caller caller)
        => caller is { Kind: CallerKind.Person } && caller.MayEverywhere(Right.ApprovalDecide) && !IsOf(caller)
            && Approval.State == ApprovalState.Waiting;
}
