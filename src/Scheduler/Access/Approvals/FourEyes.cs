using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Access.Approvals;

/// <summary>What an approval leads to.</summary>
public enum ApprovedUse
{
    /// <summary>It is done at once, as who asked.</summary>
    AtOnce,
    /// <summary>Who asked does it again and gets the answer, once: the second person does not see it.</summary>
    AskAgain,
}

/// <summary>Something that needs a second person.</summary>
/// <param name="Action">"subject.verb"; <see cref="ApprovedCommands"/> knows how it is done.</param>
/// <param name="Object">Text form of the id of what it is done to.</param>
/// <param name="Effect">What it does, as a sentence for the second person; never a secret.</param>
/// <param name="State">What it was decided on, for example a version: where that is another one later, it is not done.</param>
/// <param name="Use">What an approval leads to.</param>
public sealed record Command(string Action, string Object, string Effect, string State, ApprovedUse Use = ApprovedUse.AtOnce);

/// <summary>Stops what needs a second person until one approved it. Handlers ask it after they checked their input.</summary>
public sealed class FourEyes(Postgres db, AlertBook alerts, TimeProvider clock)
{
    /// <summary>Goes on where four eyes are off, where the node itself asks, or where exactly this was approved and what it touches is as
    /// it was then.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="command">What.</param>
    /// <param name="request">The exact request, without secrets.</param>
    /// <param name="shape">Its JSON.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="ConflictException">"approval.needed": the request is kept and waits for a second person;
    /// "approval.outdated": what it touches was changed since.</exception>
    public async Task Pass<T>(Caller caller, Command command, T request, JsonTypeInfo<T> shape, CancellationToken ct)
    {
        if (caller.Kind == CallerKind.System) return;
        var text = CanonicalJson.Write(JsonSerializer.SerializeToElement(request, shape));
        var hash = HashOf(command.Action, text);
        if (caller.Approval is { } approval)
        {
            await MustBeApproved(approval, command, hash, ct);
            return;
        }
        if (await db.First("select hours from four_eyes where is_on", [], row => (int?)row.Int(0), ct) is not { } hours) return;
        await ApprovalTable.Expire(db, alerts, ct);
        if (await Use(caller, command, hash, ct)) return;
        var id = await db.InTransaction(tx => Ask(tx, caller, command, text, hash, TimeSpan.FromHours(hours), ct), ct);
        throw new ConflictException("approval.needed", $"This needs a second person, and waits for one now: {command.Effect}",
            command.Use == ApprovedUse.AtOnce ? $"It is done as soon as somebody approves {id}, on the page Approvals."
                : $"Do it again once somebody approved {id}, on the page Approvals.");
    }

    /// <summary>Whether the installation wants a second person.</summary>
    public static Task<bool> IsOn(SqlSource db, CancellationToken ct)
        => db.Scalar<bool>("select exists (select from four_eyes where is_on)", [], ct);

    /// <summary>Whether somebody with these could be the second person.</summary>
    public static bool IsApprover(IReadOnlyList<RoleGrant> grants)
        => grants.Any(grant => grant.Scope is null && Roles.Has(Enum.Parse<Role>(grant.Role), Right.ApprovalDecide));

    internal static string HashOf(string action, string command) => HashChain.Hash($"{action}\n{command}");

    /// <summary>An approval that is in the middle of being carried out.</summary>
    async Task MustBeApproved(ApprovalId id, Command command, string hash, CancellationToken ct)
    {
        var found = await db.First("select command_hash, subject_state from approval where id = $1 and state = $2",
            [id, ApprovalState.Approved], row => new { Hash = row.Text(0), State = row.Text(1) }, ct);
        if (found is null || found.Hash != hash) throw new ConflictException("approval.other", "This is not what was approved.",
            "Ask for it anew.");
        if (found.State != HashChain.Hash(command.State)) throw Outdated();
    }

    /// <summary>One that was approved for who asks again: it counts once.</summary>
    async Task<bool> Use(Caller caller, Command command, string hash, CancellationToken ct)
    {
        var found = await db.First("select id, subject_state from approval where requested_by = $1 and command_hash = $2 and state = $3",
            [caller.Name, hash, ApprovalState.Approved], row => new { Id = row.Id<ApprovalId>(0), State = row.Text(1) }, ct);
        if (found is null) return false;
        var isSame = found.State == HashChain.Hash(command.State);
        return await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update approval set state = $2, note = coalesce($4, note) where id = $1 and state = $3", [found.Id,
                isSame ? ApprovalState.Done : ApprovalState.Outdated, ApprovalState.Approved, isSame ? null : Outdated().Message], ct) == 0)
                return false;
            if (isSame) await Audit.Add(tx, caller, "approval.use", found.Id.ToString(), command.Effect, ct);
            await Notifications.Changed(tx, "approvals", found.Id.ToString(), ct);
            return isSame;
        }, ct);
    }

    async Task<ApprovalId> Ask(Transaction tx, Caller caller, Command command, string text, string hash, TimeSpan time,
        CancellationToken ct)
    {
        var id = ApprovalId.New(clock);
        if (await tx.Execute("""
            insert into approval (id, action, object, effect, command, command_hash, subject_state, asks_again, state, requested_by,
                person_id, api_key_id, expires_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, clock() + $13)
            on conflict do nothing
            """, [id, command.Action, command.Object, command.Effect, text, hash, HashChain.Hash(command.State),
                command.Use == ApprovedUse.AskAgain, ApprovalState.Waiting, caller.Name, caller.Person?.Value, caller.Key?.Value, time],
                ct) == 0)
            return await tx.First("select id from approval where requested_by = $1 and command_hash = $2 and state = any($3)",
                [caller.Name, hash, new[] { nameof(ApprovalState.Waiting), nameof(ApprovalState.Approved) }],
                row => row.Id<ApprovalId>(0), ct);   // asked for before
        await alerts.Raise(tx, new RaisedAlert
        {
            Cause = ApprovalTable.Cause(id),
            Kind = AlertKind.ApprovalWaiting,
            Severity = AlertSeverity.Warning,
            Title = $"{caller.Name} asks for a second person: {command.Effect}",
            Effect = "It is not done until somebody else approves it.",
            Action = "Look at the request.",
            ActionUrl = $"/approvals/{id}",
        }, ct);
        await Notifications.Changed(tx, "approvals", id.ToString(), ct);
        await Audit.Add(tx, caller, "approval.request", id.ToString(), $"{command.Action} {command.Object} {hash}", ct);
        return id;
    }

    internal static ConflictException Outdated() => new("approval.outdated", "What this touches was changed after it was asked for, so it "
        + "was not done.", "Look at the present state, and ask anew.");
}
