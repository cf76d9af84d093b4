using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Objectives;
using BackupDr.Contracts.Rules.Proof;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;

namespace BackupDr.Scheduler.Health;

/// <summary>Writes what each day was like, while it lasts. Any node may do it at any time; one does.</summary>
public sealed class ItemDays(Postgres db)
{
    /// <summary>Least time between two looks of any nodes.</summary>
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(50);

    /// <summary>How long a day is remembered: a year, and the month of a report.</summary>
    static readonly TimeSpan Memory = TimeSpan.FromDays(400);

    /// <summary>Looks, if no other node just did; gives the number of days that were written.</summary>
    public Task<int> Run(CancellationToken ct) => db.InTransaction(async tx =>
    {
        if (await tx.First("select looked_at, clock() from item_day_look where looked_at < clock() - $1 for update skip locked", [Pause],
            row => ((DateTimeOffset, DateTimeOffset)?)(row.Time(0), row.Time(1)), ct) is not var (former, now)) return 0;
        await tx.Execute("update item_day_look set looked_at = $1", [now], ct);
        if (former.UtcDateTime.Date != now.UtcDateTime.Date)
            await tx.Execute("delete from item_day where day < $1", [AchievedRpo.Day(now - Memory)], ct);
        var oldest = now - AchievedRpo.Window;
        return await Write(tx, [.. await States(tx, now, ct), .. await Gaps(tx, former > oldest ? former : oldest, ct)], ct);
    }, ct);

    /// <summary>What today is worse by than it was; of a log how far behind it is.</summary>
    static async Task<IEnumerable<ItemDay>> States(Transaction tx, DateTimeOffset now, CancellationToken ct)
    {
        var today = AchievedRpo.Day(now);
        var known = (await tx.Query("select item_id, state, gap from item_day where day = $1", [today],
            row => (Item: row.Id<ItemId>(0), State: row.WordOrNull<ItemState>("state"), Gap: row.SpanOrNull("gap")), ct))
            .ToDictionary(one => one.Item);
        var items = await ItemTable.List(tx, ItemTable.InService, null, ct);
        return items.Select(item =>
        {
            var was = known.GetValueOrDefault(item.Id);
            var isWorse = was.State is not { } state || ItemStates.Rank(item.State) < ItemStates.Rank(state);
            var behind = item is { Source.Log: not null, NewestMoment: { } newest } ? now - newest : (TimeSpan?)null;
            return new ItemDay
            {
                Item = item.Id,
                Day = today,
                State = isWorse ? item.State : null,
                Reason = isWorse ? item.StateReason : null,
                Gap = behind > (was.Gap ?? TimeSpan.Zero) ? behind : null,
            };
        }).Where(day => day.State is not null || day.Gap is not null);
    }

    /// <summary>The gaps that ended since the last look. Those of a log do not count: between its base backups nothing is lost.</summary>
    static async Task<IEnumerable<ItemDay>> Gaps(Transaction tx, DateTimeOffset after, CancellationToken ct)
        => (await tx.Query("""
            with fresh as (select r.item_id, r.received_at from recovery_point r join item i on i.id = r.item_id
                where r.is_complete and r.received_at > $1 and i.source->'postgreSql'->>'log' is null
                  and i.source->'mariaDb'->>'log' is null)
            select item_id, received_at from fresh
            union all
            select i.item_id, (select max(r.received_at) from recovery_point r where r.item_id = i.item_id and r.is_complete
                and r.received_at <= $1) from (select distinct item_id from fresh) i
            """, [after], row => (Item: row.Id<ItemId>(0), At: row.TimeOrNull(1)), ct))
            .Where(one => one.At is not null).GroupBy(one => one.Item, one => one.At!.Value)
            .SelectMany(item => AchievedRpo.Ended(item, after)
                .Select(gap => new ItemDay { Item = item.Key, Day = gap.Day, Gap = gap.Gap }));

    static async Task<int> Write(Transaction tx, IReadOnlyList<ItemDay> days, CancellationToken ct)
    {
        if (days.Count == 0) return 0;
        // A statement may touch a row once, and today's state and gap come apart.
        var rows = days.GroupBy(day => (day.Item, day.Day)).Select(same => same.Aggregate((one, other) => one with
        {
            State = one.State ?? other.State,
            Reason = one.Reason ?? other.Reason,
            Gap = one.Gap > other.Gap || other.Gap is null ? one.Gap : other.Gap,
        })).ToList();
        return await tx.Execute("""
            insert into item_day as d (item_id, day, state, reason, gap)
            select * from unnest($1::uuid[], $2::date[], $3::text[], $4::text[], $5::interval[])
            on conflict (item_id, day) do update set state = coalesce(excluded.state, d.state),
                reason = case when excluded.state is null then d.reason else excluded.reason end, gap = greatest(d.gap, excluded.gap)
            """, [rows.Select(row => row.Item.Value).ToArray(), rows.Select(row => row.Day).ToArray(),
                rows.Select(row => row.State?.ToString()).ToArray(), rows.Select(row => row.Reason).ToArray(),
                rows.Select(row => row.Gap).ToArray()], ct);
    }
}

/// <summary>The last 30 days of the items in service.</summary>
public sealed class ListItemDays(Postgres db)
{
    /// <summary>Lists them by item and day; a day on which nobody looked is not there.</summary>
    public async Task<IReadOnlyList<ItemDay>> Handle(Caller caller, ListItemDaysRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyRead);
        var (hosts, policies) = caller.Visible(Right.PolicyRead);
        return await db.Query("""
            select d.item_id, d.day, d.state, d.reason, d.gap from item_day d join item i on i.id = d.item_id
            where d.day > ((select clock()) at time zone 'UTC')::date - 30 and ($1::uuid is null and i.retired_at is null or d.item_id = $1)
              and ($2::uuid[] is null or i.host_id = any($2) or i.policy_id = any($3))
            order by d.item_id, d.day
            """, [request.Item, hosts, policies], row => new ItemDay
        {
            Item = row.Id<ItemId>("item_id"),
            Day = row.Day("day"),
            State = row.WordOrNull<ItemState>("state"),
            Reason = row.TextOrNull("reason"),
            Gap = row.SpanOrNull("gap"),
        }, ct);
    }
}
