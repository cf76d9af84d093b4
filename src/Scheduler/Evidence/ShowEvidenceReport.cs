using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Objectives;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;

namespace BackupDr.Scheduler.Evidence;

/// <summary>One month of a policy in numbers, each with the record that it comes from.</summary>
public sealed class ShowEvidenceReport(Postgres db)
{
    const int MostRecords = 100_000;

    /// <summary>Reports.</summary>
    /// <exception cref="BadInputException">The month is none.</exception>
    public async Task<EvidenceReport> Handle(Caller caller, ShowEvidenceReportRequest request, CancellationToken ct)
    {
        await caller.Must(Right.EvidenceRead, request.Id, ct);
        var now = await db.Scalar<DateTimeOffset>("select clock()", [], ct);
        var (from, to) = Month(request.Month, now);
        var name = await db.First("select name from policy where id = $1", [request.Id], row => row.Text("name"), ct)
            ?? throw new NotFoundException("A policy with this id");
        var records = await db.Query($"{EvidenceTable.Select} where e.at >= $1 and e.at < $2 and e.kind in ('drill', 'restore') "
            + "and e.body::jsonb->>'policy' = $3 order by e.seq limit $4",
            [from.UtcDateTime, to.UtcDateTime, request.Id.ToString(), MostRecords], row => ListEvidence.Entry(EvidenceTable.Read(row)), ct);
        var items = await db.Query("select id, name from item where policy_id = $1 and retired_at is null and created_at < $2 "
            + "order by name", [request.Id, to.UtcDateTime], row => (Id: row.Id<ItemId>(0), Name: row.Text(1)), ct);
        var gaps = (await db.Query("select item_id, max(gap) as gap from item_day where gap is not null and day >= $1 and day < $2 "
            + "and item_id in (select id from item where policy_id = $3) group by item_id",
            [AchievedRpo.Day(from), AchievedRpo.Day(to), request.Id], row => (Item: row.Id<ItemId>("item_id"), Gap: row.Span("gap")), ct))
            .ToDictionary(one => one.Item, one => one.Gap);
        var states = (await ItemTable.List(db, "i.retired_at is null and i.policy_id = $2", request.Id.Value, ct))
            .ToDictionary(item => item.Id);
        var byItem = records.Where(entry => TypedId.TryParse<ItemId>(entry.Subject, out _))
            .GroupBy(entry => ItemId.Parse(entry.Subject)).ToDictionary(group => group.Key, group => group.ToList());
        var rows = items.Select(item => Row(item.Id, item.Name, byItem.GetValueOrDefault(item.Id, [])))
            .Concat(byItem.Where(group => items.All(item => item.Id != group.Key))
                .Select(group => Row(group.Key, group.Value[^1].Body.ItemName ?? group.Key.ToString(), group.Value)));
        return new EvidenceReport
        {
            Policy = request.Id,
            PolicyName = name,
            Month = from.UtcDateTime.ToString("yyyy-MM", CultureInfo.InvariantCulture),
            From = from,
            To = to,
            Rows = [.. rows.Select(row => row with
            {
                State = states.GetValueOrDefault(row.Item)?.State,
                StateReason = states.GetValueOrDefault(row.Item)?.StateReason,
                Rpo = states.GetValueOrDefault(row.Item)?.Rpo,
                LongestGap = Longest(gaps.TryGetValue(row.Item, out var gap) ? gap : null, states.GetValueOrDefault(row.Item), to, now),
            }).OrderBy(row => row.ItemName, StringComparer.Ordinal)],
            AsOf = now,
        };
    }

    /// <summary>Of the present month the wait that lasts counts too.</summary>
    static TimeSpan? Longest(TimeSpan? ended, Item? item, DateTimeOffset to, DateTimeOffset now)
        => now < to ? AchievedRpo.Worst(ended, item?.NewestMoment, now) : ended;

    static EvidenceReportRow Row(ItemId item, string name, List<EvidenceEntry> entries)
    {
        var drills = entries.Where(entry => entry.Kind == "drill").ToList();
        var proven = drills.Where(entry => entry.Body.Result == "Proven").ToList();
        return new EvidenceReportRow
        {
            Item = item,
            ItemName = name,
            Proven = proven.Count,
            Failed = drills.Count(entry => entry.Body.Result == "Failed"),
            Skipped = drills.Count(entry => entry.Body.Result == "Skipped"),
            Restores = entries.Count(entry => entry.Kind == "restore"),
            Slowest = Worst(drills, body => body.Rto),
            Oldest = Worst(drills, body => body.Rpo),
            LastProven = proven.Count == 0 ? null : proven[^1].Id,
            LastProvenAt = proven.Count == 0 ? null : proven[^1].At,
        };
    }

    static EvidenceMeasure? Worst(List<EvidenceEntry> drills, Func<EvidenceBody, EvidenceTarget?> of)
        => drills.Select(entry => of(entry.Body) is { } target ? new EvidenceMeasure(Number(target.AchievedSeconds),
            Number(target.TargetSeconds), entry.Id) : null).OfType<EvidenceMeasure>().MaxBy(measure => measure.Seconds);

    static double Number(string text) => double.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : 0;

    static (DateTimeOffset From, DateTimeOffset To) Month(string? text, DateTimeOffset now)
    {
        var from = new DateTime(now.UtcDateTime.Year, now.UtcDateTime.Month, 1, 0, 0, 0, DateTimeKind.Utc);
        if (!string.IsNullOrEmpty(text) && !DateTime.TryParseExact(text, "yyyy-MM", CultureInfo.InvariantCulture,
            DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out from))
            throw new BadInputException("month", $"'{text}' is no month.", "For example 2026-11.");
        return (new DateTimeOffset(from), new DateTimeOffset(from.AddMonths(1)));
    }
}
