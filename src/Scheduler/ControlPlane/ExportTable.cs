using System.Text.Json;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>A node's right to write the next export.</summary>
/// <param name="Epoch">Raised with each claim: who comes back late changes nothing.</param>
/// <param name="Term">The term of this control plane.</param>
/// <param name="Seq">Number of the newest entry; 0 for none.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="At">When it was written.</param>
/// <param name="Last">What it says; null for none.</param>
sealed record ExportClaim(long Epoch, long Term, long Seq, string Hash, DateTimeOffset? At, ExportEntry? Last);

/// <summary>The rows that say how far the exports are.</summary>
static class ExportTable
{
    /// <summary>From one export to the next, where something changed.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(5);

    /// <summary>After one that reached no place, or not all of them.</summary>
    public static readonly TimeSpan AfterFailure = TimeSpan.FromMinutes(1);

    /// <summary>How long a node may take before another one begins.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    /// <summary>An outage of a place that is over sooner is not told.</summary>
    static readonly TimeSpan ToldAfter = TimeSpan.FromMinutes(15);

    /// <summary>Takes the next export, if it is due and nobody has it.</summary>
    public static Task<ExportClaim?> Claim(Postgres db, CancellationToken ct) => db.First("""
        update control_plane set export_epoch = export_epoch + 1, export_held_until = clock() + $1
        where export_due_at <= clock() and (export_held_until is null or export_held_until <= clock())
        returning export_epoch, term, export_seq, export_hash, exported_at, last_entry
        """, [Patience], row => new ExportClaim(row.Long("export_epoch"), row.Long("term"), row.Long("export_seq"),
        row.Text("export_hash"), row.TimeOrNull("exported_at"), row.TextOrNull("last_entry") is { } text
            ? JsonSerializer.Deserialize(text, ExportJson.Default.ExportEntry) : null), ct);

    /// <summary>Makes the next export due now.</summary>
    public static Task Hurry(SqlSource db, CancellationToken ct)
        => db.Execute("update control_plane set export_due_at = clock()", [], ct);

    /// <summary>Keeps what was written, and gives the claim back.</summary>
    /// <returns>False where another node has taken over meanwhile; then nothing was changed.</returns>
    public static async Task<bool> End(Transaction tx, ExportClaim claim, SignedEntry? written, long seq,
        IReadOnlyList<ExportPlace> places, CancellationToken ct)
    {
        var wait = places.Count > 0 && places.All(place => place.Problem is null) ? Every : AfterFailure;
        if (await tx.Execute("""
            update control_plane set export_held_until = null, export_due_at = clock() + $2 where export_epoch = $1
            """, [claim.Epoch, wait], ct) == 0) return false;
        if (written is not null)
            await tx.Execute("update control_plane set export_seq = $1, export_hash = $2, exported_at = clock(), last_entry = $3",
                [seq, written.Hash, written.Entry], ct);
        await tx.Execute("delete from control_export where not place = any($1)", [places.Select(place => place.Key).ToArray()], ct);
        foreach (var place in places) await Keep(tx, place, written is null ? null : seq, ct);
        await Notifications.Changed(tx, "storage", null, ct);
        return true;
    }

    /// <summary>The place that could not be written for longest, where that is longer than people are left alone with it.</summary>
    public static Task<string?> LongestProblem(Transaction tx, CancellationToken ct) => tx.First("""
        select coalesce(l.name, e.place) || ': ' || e.problem as told from control_export e left join location l on l.id = e.location_id
        where e.problem is not null and e.problem_since < clock() - $1 order by e.problem_since limit 1
        """, [ToldAfter], row => row.TextOrNull("told"), ct);

    static Task Keep(Transaction tx, ExportPlace place, long? seq, CancellationToken ct) => place.Problem is { } problem
        ? tx.Execute("""
            insert into control_export (place, location_id, problem, problem_since) values ($1, $2, $3, clock())
            on conflict (place) do update set problem = $3, problem_since = coalesce(control_export.problem_since, clock())
            """, [place.Key, place.Location, problem], ct)
        : tx.Execute("""
            insert into control_export (place, location_id, seq, exported_at) values ($1, $2, coalesce($3, 0), clock())
            on conflict (place) do update set seq = coalesce($3, control_export.seq), exported_at = clock(), problem = null,
                problem_since = null
            """, [place.Key, place.Location, seq], ct);

    /// <summary>Places that are to be swept: those that were not for a day.</summary>
    public static async Task<Dictionary<string, HashSet<string>>> Unswept(Postgres db, CancellationToken ct)
        => (await db.Query("select place, doomed from control_export where coalesce(swept_at, '-infinity') < clock() - interval '1 day'",
            [], row => (Place: row.Text("place"), Doomed: row.Texts("doomed").ToHashSet(StringComparer.Ordinal)), ct))
            .ToDictionary(one => one.Place, one => one.Doomed);

    /// <summary>Keeps which parts nothing needs any more.</summary>
    public static Task Swept(Postgres db, string place, IEnumerable<string> doomed, CancellationToken ct)
        => db.Execute("update control_export set swept_at = clock(), doomed = $2 where place = $1", [place, doomed.ToArray()], ct);
}
