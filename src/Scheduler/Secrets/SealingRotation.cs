using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Npgsql;

namespace BackupDr.Scheduler.Secrets;

/// <summary>Exchanges the sealing key while all nodes go on. Any node may do the next step, and several may do the same one: each step is
/// written down, so a node that is killed leaves nothing that another would not go on with.</summary>
/// <remarks>
/// The next key reaches the nodes through the database, sealed with the present one. Nobody seals with it before every node has it in its
/// key file; nothing is sealed anew before every node seals with it; and the former key is given up when no value needs it.
/// </remarks>
public sealed class SealingRotation(Postgres db, SealedSecrets secrets)
{
    /// <summary>How long each of the first two steps takes at least: a node that just started says what it has, and what was sealed a
    /// moment ago is stored.</summary>
    public static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    /// <summary>Does what can be done now; gives the step that it leaves.</summary>
    public async Task<RotationStep> Run(CancellationToken ct)
    {
        var state = await State(db, ct);
        if (state.Step == RotationStep.None) return RotationStep.None;
        // This node learns of the exchange with its own next beat.
        if (!secrets.Opens.AsSpan().SequenceEqual(state.Next)) return state.Step;
        if (state.Step == RotationStep.Renewal)
        {
            if ((await Renew(int.MaxValue, ct)).Remaining > 0 || !state.IsDue) return RotationStep.Renewal;
            return await TryEnd(ct) ? RotationStep.None : RotationStep.Renewal;
        }
        if (!state.IsDue || state.WaitsFor.Count > 0) return state.Step;
        var (column, next) = state.Step == RotationStep.HandOver ? ("seals_at", RotationStep.Switch) : ("walks_at", RotationStep.Renewal);
        // Whoever writes a sealed value holds this row: the step waits for a later turn, and this loop for nobody.
        return await db.Execute($"""
            with free as (select singleton from sealing_key where next_fingerprint = $1 and {column} is null for update skip locked)
            update sealing_key k set {column} = clock() from free where free.singleton = k.singleton
            """, [state.Next], ct) == 1 ? next : state.Step;
    }

    /// <summary>Seals anew what the former key sealed, in batches of <see cref="SealedColumn.Batch"/>.</summary>
    /// <param name="most">Batches at most.</param>
    /// <param name="ct">Cancels between two batches.</param>
    internal async Task<RenewedValues> Renew(int most, CancellationToken ct)
    {
        var all = new RenewedValues(0, 0, 0);
        foreach (var column in SealedColumn.All)
        {
            string? after = null;
            for (var isLast = false; !isLast; most--)
            {
                if (most == 0) return all with { Remaining = all.Remaining + 1 };
                var found = await column.After(db, after, ct);
                if (found.Count > 0) all += await db.InTransaction(tx => RenewBatch(tx, column, found, ct), ct);
                (after, isLast) = (found.LastOrDefault().Key, found.Count < SealedColumn.Batch);
            }
        }
        return all;
    }

    async Task<RenewedValues> RenewBatch(Transaction tx, SealedColumn column, List<(string Key, byte[] Box)> found, CancellationToken ct)
    {
        var all = new RenewedValues(0, 0, 0);
        foreach (var (key, box) in found)
        {
            var (anew, isLost) = secrets.SealAnew(column.Table, column.RowOf(key), column.SealedAs, box);
            if (anew is null) all += new RenewedValues(isLost ? 0 : 1, 0, isLost ? 1 : 0);
            else all += await column.Exchange(tx, key, box, anew, ct) == 1 ? new RenewedValues(1, 0, 0) : new RenewedValues(0, 1, 0);
        }
        return all;
    }

    /// <summary>Counts what the newest key sealed, and what is left to do.</summary>
    internal async Task<RenewedValues> Count(SqlSource source, CancellationToken ct)
    {
        var all = new RenewedValues(0, 0, 0);
        foreach (var column in SealedColumn.All)
        {
            string? after = null;
            for (var isLast = false; !isLast;)
            {
                var found = await column.After(source, after, ct);
                foreach (var (key, box) in found)
                {
                    var (anew, isLost) = secrets.SealAnew(column.Table, column.RowOf(key), column.SealedAs, box);
                    all += new RenewedValues(anew is null && !isLost ? 1 : 0, anew is null ? 0 : 1, isLost ? 1 : 0);
                }
                (after, isLast) = (found.LastOrDefault().Key, found.Count < SealedColumn.Batch);
            }
        }
        return all;
    }

    /// <summary>Gives the former key up. Values that are being written keep it from that: they are waited for in a later turn.</summary>
    async Task<bool> TryEnd(CancellationToken ct)
    {
        try
        {
            return await db.InTransaction(async tx =>
            {
                // Shorter than the server's look for deadlocks, so that it is never somebody else who is ended.
                await tx.Execute("set local lock_timeout = '200ms'", [], ct);
                await tx.Execute($"lock table {string.Join(", ", SealedColumn.All.Select(one => one.Table))} in share mode", [], ct);
                var count = await Count(tx, ct);
                if (count.Remaining > 0) return false;
                if (await tx.Execute("""
                    update sealing_key set fingerprint = next_fingerprint, next_sealed = null, next_fingerprint = null, next_at = null,
                        seals_at = null, walks_at = null, rotated_at = clock() where next_fingerprint = $1 and walks_at is not null
                    """, [secrets.Opens], ct) == 0) return false;   // another node was first
                await Notifications.Changed(tx, "nodes", null, ct);
                await Audit.Add(tx, Caller.System("secrets"), "secret.rotated", "", FormattableString.Invariant(
                    $"{count.Sealed} values are sealed anew; the former key is given up")
                    + (count.Lost == 0 ? "" : FormattableString.Invariant($"; {count.Lost} opened with neither key")), ct);
                return true;
            }, ct);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.DeadlockDetected)
        {
            return false;   // somebody is writing; the next turn comes in seconds
        }
    }

    /// <summary>Where an exchange is, and which nodes it waits for.</summary>
    internal static async Task<RotationState> State(SqlSource source, CancellationToken ct)
    {
        var state = await source.First("""
            select next_fingerprint, next_at, coalesce(rotated_at, created_at) as used_since, case when next_sealed is null then 'None'
                when seals_at is null then 'HandOver' when walks_at is null then 'Switch' else 'Renewal' end as step,
                coalesce(coalesce(walks_at, seals_at, next_at) <= clock() - $1, false) as is_due
            from sealing_key
            """, [Margin], row => new RotationState(row.Word<RotationStep>("step"), row.BytesOrNull("next_fingerprint") ?? [],
            row.Bool("is_due"), row.TimeOrNull("next_at"), row.Time("used_since"), []), ct)
            ?? throw new InvalidOperationException("The fingerprint of the sealing key is gone.");
        if (state.Step is RotationStep.None or RotationStep.Renewal) return state;
        // Also those that are silent or stopped: with the former key alone they would not start again.
        var column = state.Step == RotationStep.HandOver ? "opens" : "seals";
        return state with
        {
            WaitsFor = await source.Query($"select distinct name from node where {column} is distinct from $1 order by name",
                [state.Next], row => row.Text("name"), ct),
        };
    }
}

/// <summary>Where an exchange of the key is.</summary>
/// <param name="Step">The step.</param>
/// <param name="Next">Fingerprint of the next key; empty where there is none.</param>
/// <param name="IsDue">Whether the step took long enough.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="UsedSince">When the present key came into use.</param>
/// <param name="WaitsFor">Nodes that are not so far.</param>
sealed record RotationState(RotationStep Step, byte[] Next, bool IsDue, DateTimeOffset? StartedAt, DateTimeOffset UsedSince,
    IReadOnlyList<string> WaitsFor);

/// <summary>Values by how they are sealed.</summary>
/// <param name="Sealed">With the newest key.</param>
/// <param name="Remaining">Not yet.</param>
/// <param name="Lost">With none that is here.</param>
readonly record struct RenewedValues(long Sealed, long Remaining, long Lost)
{
    public static RenewedValues operator +(RenewedValues one, RenewedValues other)
        => new(one.Sealed + other.Sealed, one.Remaining + other.Remaining, one.Lost + other.Lost);
}
