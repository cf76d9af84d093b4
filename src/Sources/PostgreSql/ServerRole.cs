using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What a server is among those that copy each other.</summary>
/// <param name="IsStandby">Whether it follows another.</param>
/// <param name="ReplayedAt">When the newest transaction that it has was committed; null for a primary, and where none was seen yet.</param>
/// <param name="NotReplayedBytes">Log that it received and did not apply yet; null for a primary.</param>
/// <param name="IsReceiving">Whether it receives log now; null for a primary.</param>
public sealed record ServerStanding(bool IsStandby, DateTimeOffset? ReplayedAt, long? NotReplayedBytes, bool? IsReceiving);

/// <summary>Looks at servers that run, and makes primaries of standbys.</summary>
public static class ServerRole
{
    /// <summary>What a server is now.</summary>
    /// <exception cref="SourceException">The server cannot be asked.</exception>
    public static async Task<ServerStanding> Look(ServerAddress address, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(address, ct);
        return await Look(session, ct);
    }

    /// <summary>The same of a server that may be starting or stopping; null where it lets nobody in now.</summary>
    public static async Task<ServerStanding?> TryLook(ServerAddress address, CancellationToken ct)
    {
        try { return await Look(address, ct); }
        catch (UnavailableException) { return null; }   // nobody listens
        // It recovers, or shuts down.
        catch (ServerException e) when (e.SqlState == Npgsql.PostgresErrorCodes.CannotConnectNow) { return null; }
    }

    static Task<ServerStanding> Look(ServerSession session, CancellationToken ct) => session.Row("""
        select pg_is_in_recovery(), case when pg_is_in_recovery() then pg_last_xact_replay_timestamp() end,
            case when pg_is_in_recovery() then pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())::bigint end,
            case when pg_is_in_recovery() then exists (select from pg_stat_wal_receiver) end
        """, row => new ServerStanding(row.GetBoolean(0), row.IsDBNull(1) ? null : row.GetFieldValue<DateTimeOffset>(1),
            row.IsDBNull(2) ? null : row.GetInt64(2), row.IsDBNull(3) ? null : row.GetBoolean(3)), ct);

    /// <summary>Makes a primary of a standby, and waits until it takes writes. One that is a primary stays what it is.</summary>
    /// <param name="address">The standby; its role needs the right to execute pg_promote.</param>
    /// <param name="limit">How long to wait.</param>
    /// <param name="isLossless">Whether it is refused unless the standby has all that the primary had; on the standby's host only.</param>
    /// <param name="ct">Ends the waiting, not the promotion.</param>
    /// <returns>What it was before.</returns>
    /// <exception cref="SourceException">It could not be promoted, or is not a primary within the time.</exception>
    public static async Task<ServerStanding> Promote(ServerAddress address, TimeSpan limit, bool isLossless, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(address, ct);
        var before = await Look(session, ct);
        if (!before.IsStandby) return before;
        if (isLossless) await StandbyLog.MustHaveAll(session, address, limit, ct);
        var seconds = Math.Max(1, (int)Math.Min(limit.TotalSeconds, int.MaxValue)).ToString(CultureInfo.InvariantCulture);
        await session.Execute($"select pg_promote(true, {seconds})", ct);
        return (await Look(session, ct)).IsStandby ? throw new SourceException("postgres.not_promoted",
            $"{address} is a standby still after {seconds} s.", "Its log says what it waits for.") : before;
    }

    /// <summary>The first value of a query that changes nothing.</summary>
    /// <param name="address">The server; a superuser is not let through, because its queries could run programs.</param>
    /// <param name="query">One query.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>As the server writes it; null for null, and where there is no row.</returns>
    /// <exception cref="SourceException">It was not answered.</exception>
    public static async Task<string?> Ask(ServerAddress address, string query, TimeSpan limit, CancellationToken ct)
    {
        await using var session = await ServerSession.Open(address, ct);
        if (await session.Text("select current_setting('is_superuser')", ct) == "on")
            throw new SourceException("postgres.superuser", $"{address} is a superuser, and runbooks ask as one that may only read.",
                "CREATE ROLE asserter LOGIN PASSWORD '…' IN ROLE pg_read_all_data;");
        var milliseconds = Math.Max(1, (long)limit.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        await session.Execute($"set statement_timeout = {milliseconds}; set timezone = 'UTC'; set default_transaction_read_only = on", ct);
        var answer = await session.Texts(query, 1, ct);
        return answer.Rows is [{ Count: > 0 } row, ..] ? row[0] : null;
    }
}
