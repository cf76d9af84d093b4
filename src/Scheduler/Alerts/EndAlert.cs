using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Alerts;

/// <summary>A person says that the cause of an alert is gone, where nothing else can see it.</summary>
public sealed class EndAlert(Postgres db, AlertBook book)
{
    const int LongestNote = 500;

    /// <summary>Kinds that end so. Where a split brain is seen again, it is told again.</summary>
    public static readonly IReadOnlyList<AlertKind> Kinds = [AlertKind.ExecutionLeftovers, AlertKind.SplitBrain];

    /// <summary>Ends it.</summary>
    /// <exception cref="BadInputException">There is no note.</exception>
    /// <exception cref="NotFoundException">It is not open.</exception>
    /// <exception cref="ConflictException">"alert.ends_itself": it is of another kind.</exception>
    public async Task<Alert> Handle(Caller caller, EndAlertRequest request, CancellationToken ct)
    {
        caller.Must(Right.AlertAcknowledge);
        var note = request.Note?.Trim() ?? "";
        if (note.Length is 0 or > LongestNote)
            throw new BadInputException("note", "Saying that it is gone needs a note.", "Say in 1 to 500 characters what was done.");
        return await db.InTransaction(async tx =>
        {
            var alert = await tx.First($"{ListAlerts.Select} where id = $1 and cleared_at is null for update", [request.Id],
                ListAlerts.Read, ct) ?? throw new NotFoundException("An open alert with this id");
            if (!Kinds.Contains(alert.Kind))
                throw new ConflictException("alert.ends_itself", "This alert ends by itself when its cause is gone.",
                    "Acknowledge it for a time.");
            await book.Clear(tx, (await tx.Scalar<string>("select cause from alert where id = $1", [request.Id], ct))!, ct);
            await Audit.Add(tx, caller, "alert.end", request.Id.ToString(), $"{alert.Title} {note}", ct);
            return await tx.First($"{ListAlerts.Select} where id = $1", [request.Id], ListAlerts.Read, ct)
                ?? throw new NotFoundException("An alert with this id");
        }, ct);
    }
}
