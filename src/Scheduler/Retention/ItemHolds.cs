using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;

namespace BackupDr.Scheduler.Retention;

/// <summary>Writes the holds on items' retention.</summary>
static class HoldTable
{
    /// <summary>Puts a hold, unless there is one; what is in the trash comes out of it with the look that is due now.</summary>
    /// <returns>Whether it was put.</returns>
    public static async Task<bool> Put(Transaction tx, ItemId item, string by, string reason, RecoveryPointId? point, CancellationToken ct)
    {
        var put = await tx.Execute("insert into retention_hold (item_id, held_by, reason, point_id) values ($1, $2, $3, $4) "
            + "on conflict do nothing", [item, by, reason, point?.Value], ct) > 0;
        if (!put) return false;
        await RetentionTable.Look(tx, item, ct);
        await Notifications.Changed(tx, "points", null, ct);
        return true;
    }
}

/// <summary>Stops the retention of an item: nothing of it is forgotten until a person lets it go on.</summary>
public sealed class HoldItem(Postgres db)
{
    /// <summary>Stops it.</summary>
    /// <exception cref="ConflictException">It is stopped already.</exception>
    public async Task Handle(Caller caller, HoldItemRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RetentionManage, request.Id, ct);
        var reason = Reasons.Of(request.Reason, "For example: the host may have been broken into.");
        await db.InTransaction(async tx =>
        {
            if (await RetentionTable.Item(tx, request.Id, ct) is null) throw new NotFoundException("An item in service with this id");
            if (!await HoldTable.Put(tx, request.Id, caller.Name, reason, null, ct))
                throw new ConflictException("item.held", "The retention of this item is on hold already.", "Lift that hold first.");
            await Audit.Add(tx, caller, "item.hold", request.Id.ToString(), reason, ct);
        }, ct);
    }
}

/// <summary>Lets the retention of an item go on.</summary>
public sealed class LiftItemHold(Postgres db, FourEyes eyes, AlertBook alerts)
{
    /// <summary>Lifts the hold. What goes then lies in the trash first, as always.</summary>
    /// <exception cref="NotFoundException">There is none.</exception>
    public async Task Handle(Caller caller, LiftItemHoldRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RetentionManage, request.Id, ct);
        var reason = Reasons.Of(request.Reason, "For example: the files were moved to another host on purpose.");
        var held = await db.First("select i.name, h.reason, h.held_at::text from retention_hold h join item i on i.id = h.item_id "
            + "where h.item_id = $1 and h.lifted_at is null", [request.Id],
            row => new { Name = row.Text(0), Reason = row.Text(1), At = row.Text(2) }, ct)
            ?? throw new NotFoundException("A hold on the retention of an item with this id");
        await eyes.Pass(caller, new Command("item.lift", request.Id.ToString(), $"Lets the retention of {held.Name} go on ({held.Reason}): "
            + reason, held.At), request, WireJson.Default.LiftItemHoldRequest, ct);
        await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update retention_hold set lifted_at = clock(), lifted_by = $2, lifted_reason = $3 where item_id = $1 "
                + "and lifted_at is null", [request.Id, caller.Name, reason], ct) == 0)
                throw new NotFoundException("A hold on the retention of an item with this id");
            await RetentionTable.LookSoon(tx, request.Id, ct);
            await alerts.Clear(tx, AnomalyHold.Cause(request.Id), ct);
            await Audit.Add(tx, caller, "item.lift", request.Id.ToString(), reason, ct);
            await Notifications.Changed(tx, "points", null, ct);
        }, ct);
    }
}
