using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runs;

/// <summary>How many backups may be under way at once, on a host and into a location. Decided in the transaction of the claim.</summary>
static class RunCaps
{
    const string UnderWay = "o.kind = 'Backup' and o.state in ('Leased', 'Running')";
    const string OnHost = $"(select count(*)::int from run o where o.host_id = h.id and {UnderWay})";
    const string IntoLocation = "(select count(*)::int from run o join repository t on t.id = o.repository_id where t.location_id = l.id "
        + $"and {UnderWay})";

    /// <summary>Of a run r with its host h and location l: the caps, and for a backup that waits what is under way.</summary>
    public const string Columns = $"""
         h.backups_at_once as host_cap, l.backups_at_once as location_cap,
         case when r.state = 'Queued' and r.kind = 'Backup' and h.backups_at_once is not null then {OnHost} end as host_busy,
         case when r.state = 'Queued' and r.kind = 'Backup' and l.backups_at_once is not null then {IntoLocation} end as location_busy

        """;

    /// <summary>Whether there is room for a backup r, as it looks before anything is locked.</summary>
    public const string Room = $"(h.backups_at_once is null or {OnHost} < h.backups_at_once) and (l.backups_at_once is null or "
        + $"{IntoLocation} < l.backups_at_once)";

    /// <summary>What a waiting backup of a row with <see cref="Columns"/> waits for; null where no cap holds it.</summary>
    public static string? WaitsFor(Row row)
    {
        if (!row.IsNull("host_busy") && row.Int("host_busy") >= row.Int("host_cap"))
            return $"a backup on {row.Text(7)} to end: {Under(row.Int("host_busy"), "is", "are")} under way there; the cap is "
                + $"{row.Int("host_cap")}";
        if (!row.IsNull("location_busy") && row.Int("location_busy") >= row.Int("location_cap"))
            return $"room in {row.Text("location")}: {Under(row.Int("location_busy"), "run already writes", "runs already write")} there; "
                + $"the cap is {row.Int("location_cap")}";
        return null;
    }

    static string Under(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";

    /// <summary>Whether there is room, for certain: claims of the same host or location by other nodes wait until this transaction
    /// ends. Locks the host before the location, and no second one of either.</summary>
    public static async Task<bool> HasRoom(Transaction tx, HostId host, LocationId location, CancellationToken ct)
    {
        await tx.Execute("select from host where id = $1 and backups_at_once is not null for no key update", [host], ct);
        await tx.Execute("select from location where id = $1 and backups_at_once is not null for no key update", [location], ct);
        return await tx.Scalar<bool>($"select {Room} from host h, location l where h.id = $1 and l.id = $2", [host, location], ct);
    }

    /// <summary>Wakes the host whose backup has waited longest for room where one just ended.</summary>
    public static async Task Freed(Transaction tx, RepositoryId repository, CancellationToken ct)
    {
        // Few locations have a cap, and to look through all that waits costs more than the rest of the end of a run.
        if (await tx.First("select l.id from repository e join location l on l.id = e.location_id where e.id = $1 and "
            + "l.backups_at_once is not null", [repository], row => (LocationId?)row.Id<LocationId>(0), ct) is not { } location) return;
        var next = await tx.First("""
            select r.host_id from repository s join run r on r.repository_id = s.id
            where s.location_id = $1 and r.kind = 'Backup' and r.state = 'Queued' and r.due_at <= clock()
            order by r.due_at limit 1
            """, [location], row => (HostId?)row.Id<HostId>(0), ct);
        if (next is { } host) await Notifications.WakeHost(tx, host, ct);
    }
}
