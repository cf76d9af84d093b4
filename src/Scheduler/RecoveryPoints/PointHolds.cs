using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.RecoveryPoints;

/// <summary>Puts a legal hold on a recovery point: it is not forgotten until the hold is lifted.</summary>
public sealed class HoldPoint(Postgres db)
{
    /// <summary>Puts it; a point in the trash is out of it then. A second hold takes the place of the first.</summary>
    /// <exception cref="ConflictException">It is gone, or a run is removing it.</exception>
    public async Task Handle(Caller caller, HoldPointRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RetentionManage, request.Id, ct);
        var reason = Reasons.Of(request.Reason, "For example: case 2026-17, ask legal before it goes.");
        await db.InTransaction(async tx =>
        {
            await Reasons.MustBeKeepable(tx, request.Id, ct);
            await tx.Execute("update recovery_point set held_at = clock(), held_by = $2, held_reason = $3, trashed_at = null, "
                + "trash_until = null where id = $1", [request.Id, caller.Name, reason], ct);
            await Audit.Add(tx, caller, "point.hold", request.Id.ToString(), reason, ct);
            await Notifications.Changed(tx, "points", request.Id.ToString(), ct);
        }, ct);
    }
}

/// <summary>Lifts a legal hold. What the rules say of the point then, the next look of retention finds.</summary>
public sealed class LiftPointHold(Postgres db, FourEyes eyes)
{
    /// <summary>Lifts it.</summary>
    /// <exception cref="NotFoundException">There is none on it.</exception>
    public async Task Handle(Caller caller, LiftPointHoldRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RetentionManage, request.Id, ct);
        var reason = Reasons.Of(request.Reason, "For example: case 2026-17 is closed.");
        var held = await db.First("select held_reason, held_at::text from recovery_point where id = $1 and held_at is not null",
            [request.Id],
            row => new { Reason = row.Text(0), At = row.Text(1) },
                ct) ?? throw new NotFoundException("A legal hold on a point with this id");
        await eyes.Pass(caller, new Command("point.lift", request.Id.ToString(), $"Lifts the legal hold of a recovery point "
            + $"({held.Reason}): {reason}", held.At), request, WireJson.Default.LiftPointHoldRequest, ct);
        await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update recovery_point set held_at = null, held_by = null, held_reason = null where id = $1 "
                + "and held_at is not null", [request.Id], ct) == 0) throw new NotFoundException("A legal hold on a point with this id");
            await Audit.Add(tx, caller, "point.lift", request.Id.ToString(), reason, ct);
            await Notifications.Changed(tx, "points", request.Id.ToString(), ct);
        }, ct);
    }
}

/// <summary>Takes a recovery point out of the trash.</summary>
public sealed class TakeOutPoint(Postgres db)
{
    /// <summary>How long it stays then at least.</summary>
    public static readonly TimeSpan StaysFor = TimeSpan.FromDays(30);

    /// <summary>Takes it out.</summary>
    /// <exception cref="ConflictException">It is gone, or a run is removing it, or it is not in the trash.</exception>
    public async Task Handle(Caller caller, TakeOutPointRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RetentionManage, request.Id, ct);
        await db.InTransaction(async tx =>
        {
            await Reasons.MustBeKeepable(tx, request.Id, ct);
            if (await tx.Execute("update recovery_point set trashed_at = null, trash_until = null, taken_out_until = clock() + $2, "
                + "taken_out_by = $3 where id = $1 and trash_until is not null", [request.Id, StaysFor, caller.Name], ct) == 0)
                throw new ConflictException("point.not_in_trash", "This recovery point is not in the trash.", "Look at it again.");
            await Audit.Add(tx, caller, "point.take_out", request.Id.ToString(), "", ct);
            await Notifications.Changed(tx, "points", request.Id.ToString(), ct);
        }, ct);
    }
}

/// <summary>What people write when they hold something, and what can be held.</summary>
static class Reasons
{
    /// <exception cref="BadInputException">Nothing is said, or too much.</exception>
    public static string Of(string text, string example)
        => text.Trim() is { Length: > 0 and <= PointTrash.LongestReason } reason ? reason
            : throw new BadInputException("reason", $"A reason of 1 to {PointTrash.LongestReason} characters is needed.", example);

    /// <exception cref="NotFoundException">There is no such point.</exception>
    /// <exception cref="ConflictException">It is gone, or being removed.</exception>
    public static async Task MustBeKeepable(Transaction tx, RecoveryPointId id, CancellationToken ct)
    {
        var point = await tx.First("select gone_at is not null, forget_run_id is not null from recovery_point where id = $1 for update",
            [id], row => new { IsGone = row.Bool(0), IsHanded = row.Bool(1) }, ct)
            ?? throw new NotFoundException("A recovery point with this id");
        if (point.IsGone) throw new ConflictException("point.gone", "The snapshot of this recovery point is gone already.",
            "Choose another recovery point.");
        if (point.IsHanded) throw new ConflictException("point.being_forgotten", "A run is removing this recovery point, and nobody can "
            + "say whether its snapshot is still there.", "Choose another recovery point.");
    }
}
