using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;

namespace BackupDr.Scheduler.Retention;

/// <summary>What retention says of an item and its points now.</summary>
public sealed class ShowItemRetention(Postgres db)
{
    /// <summary>How far it is looked ahead.</summary>
    internal const int DaysAhead = 400;

    /// <summary>Shows; of a retired item all points stay.</summary>
    public async Task<ItemRetention> Handle(Caller caller, ShowItemRetentionRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyRead, request.Id, ct);
        var item = await RetentionTable.Item(db, request.Id, ct);
        if (item is null)
        {
            if (!await db.Scalar<bool>("select exists (select from item where id = $1)", [request.Id], ct))
                throw new NotFoundException("An item with this id");
            return new ItemRetention
            {
                Item = request.Id,
                Sentence = "Keeps every recovery point: its policy was removed.",
                Problem = "Its policy was removed, so no rules are left by which something would go.",
            };
        }
        var points = (await PointTrash.Of(db, [item.Id], ct))[item.Id].ToList();
        var schedule = await db.First("select p.spec from item i join policy p on p.id = i.policy_id where i.id = $1", [item.Id],
            row => row.Json("spec", WireJson.Default.PolicySpec)!.Schedule, ct);
        var forecast = RetentionForecast.Run([.. points.Select(one => one.Point)], [.. points.Select(one => one.TrashUntil)],
            Thinned.Next(schedule!), item.Terms(item.Spec), item.Trash, item.Now, DaysAhead);
        var verdicts = KeepPlan.Make([.. points.Select(one => one.Point)], item.Terms(item.Spec), item.Now);
        return new ItemRetention
        {
            Item = item.Id,
            Sentence = RetentionWords.Sentence(item.Spec),
            Hold = item.Hold,
            Problem = item.Problem,
            LookedAt = item.LookedAt,
            DueAt = item.DueAt,
            Points = [.. points.Select((one, at) => Of(one, verdicts[at], forecast.Points[at].DroppedAt, item.Trash)).Reverse()],
        };
    }

    static PointRetention Of(JudgedPoint one, KeepVerdict verdict, DateTimeOffset? dropsAt, TimeSpan trash) => new()
    {
        Id = one.Id,
        ReceivedAt = one.Point.ReceivedAt,
        Reasons = verdict.Reasons,
        DropsAt = verdict.Keeps ? dropsAt : null,
        TrashUntil = one.TrashUntil,
        BytesAdded = one.BytesAdded,
        Words = Words(one, verdict, dropsAt, trash),
    };

    static string Words(JudgedPoint one, KeepVerdict verdict, DateTimeOffset? dropsAt, TimeSpan trash)
    {
        if (one.IsHanded) return "being forgotten";
        if (verdict.Keeps)
            return $"kept by {RetentionWords.Words(verdict.Reasons)}"
                + (dropsAt is { } goes ? $", goes {Day(goes + trash)}" : "");
        return one.TrashUntil is { } until ? $"in the trash until {Day(until)}" : "goes into the trash with the next look";
    }

    static string Day(DateTimeOffset at) => at.UtcDateTime.ToString("d MMM yyyy", System.Globalization.CultureInfo.InvariantCulture);
}
