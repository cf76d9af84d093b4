using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>What the database, and so each node on it, knows of terms.</summary>
static class TermTable
{
    /// <summary>The same as <see cref="TermVotes.ConfirmedFor"/>.</summary>
    public const string ConfirmedFor = "90 seconds";

    /// <summary>How long after the first place was asked something that removes may still be handed out.</summary>
    public const string FreshFor = "10 seconds";

    /// <summary>True in SQL while no later control plane is known.</summary>
    public const string IsLatest = "not exists (select from control_plane where later_term is not null)";

    /// <summary>True in SQL while it is also confirmed: what removes something waits where it is not.</summary>
    public const string IsConfirmed = "exists (select from control_plane where later_term is null and term_confirmed_at > clock() "
        + $"- interval '{ConfirmedFor}')";

    /// <summary>True in SQL where most places have just confirmed it: what removes something is handed out only then.</summary>
    public const string IsFresh = "exists (select from control_plane where later_term is null and term_confirmed_at > clock() "
        + $"- interval '{FreshFor}')";

    /// <summary>Our term, and the later one.</summary>
    public static Task<(long Own, LaterTerm? Later)> Read(SqlSource db, CancellationToken ct) => db.First(
        "select term, later_term, later_term_seen_in, later_term_seen_at from control_plane", [], row => (row.Long("term"),
            row.IsNull(1) ? null : new LaterTerm(row.Long("term"), row.Long("later_term"), row.Text("later_term_seen_in"),
                row.Time("later_term_seen_at"))), ct);

    /// <summary>Keeps that a later term has begun.</summary>
    /// <returns>Whether that is news, also where a still later one was known not to be.</returns>
    public static async Task<bool> Learn(Transaction tx, long term, string seenIn, CancellationToken ct) => await tx.Execute("""
        update control_plane set later_term = $1, later_term_seen_in = $2, later_term_seen_at = coalesce(later_term_seen_at, clock())
        where term < $1 and coalesce(later_term, 0) < $1
        """, [term, seenIn], ct) == 1;

    /// <summary>Keeps that most places held no later term.</summary>
    /// <param name="db">The database.</param>
    /// <param name="own">Our term.</param>
    /// <param name="age">How long ago the first of them was asked.</param>
    /// <param name="ct">Cancels.</param>
    public static Task Confirm(SqlSource db, long own, TimeSpan age, CancellationToken ct) => db.Execute("""
        update control_plane set term_confirmed_at = greatest(nullif(term_confirmed_at, 'infinity'), clock() - $2) where term = $1
        """, [own, age], ct);

    /// <summary>Keeps that there is no place to ask: then nobody but this database can say.</summary>
    public static Task Alone(SqlSource db, long own, CancellationToken ct) => db.Execute("""
        update control_plane set term_confirmed_at = 'infinity' where term = $1 and term_confirmed_at is distinct from 'infinity'
        """, [own], ct);

    /// <summary>Keeps that there are places to ask, and that most of them did not answer.</summary>
    public static Task Doubt(SqlSource db, long own, CancellationToken ct)
        => db.Execute("update control_plane set term_confirmed_at = null where term = $1 and term_confirmed_at = 'infinity'", [own], ct);
}
