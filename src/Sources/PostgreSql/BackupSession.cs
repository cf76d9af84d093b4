using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Contracts;

namespace BackupDr.Sources.PostgreSql;

/// <summary>The session that a base backup is taken in: from the start call to the end it is one connection.</summary>
/// <remarks>
/// A temporary slot of the same session keeps the log that the backup needs; both are gone when the session ends, however it ends.
/// </remarks>
sealed class BackupSession : IAsyncDisposable
{
    readonly ServerSession _session;

    BackupSession(ServerSession session, ClusterFacts facts) => (_session, Facts) = (session, facts);

    public ClusterFacts Facts { get; }
    public ServerSession Server => _session;
    public Lsn Start { get; private set; }
    public DateTimeOffset StartedAt { get; private set; }
    /// <summary>Why the log is not held by a slot; null where it is.</summary>
    public string? Unheld { get; private set; }

    /// <summary>Begins a backup.</summary>
    /// <param name="address">The server.</param>
    /// <param name="label">Words for the label, without line breaks.</param>
    /// <param name="fast">Whether the checkpoint is made at once, which costs input and output, or spread over minutes.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<BackupSession> Begin(ServerAddress address, string label, bool fast, CancellationToken ct)
    {
        var session = await ServerSession.Open(address, ct);
        try
        {
            var backup = new BackupSession(session, await ClusterFacts.Read(session, ct));
            await backup.HoldLog(ct);
            backup.StartedAt = await backup.Clock(ct);
            var call = backup.Facts.Version >= 150_000 ? "pg_backup_start($1, $2)" : "pg_start_backup($1, $2, false)";
            backup.Start = Lsn.Parse(await session.Text($"select {call}::text", ct, label, fast));
            return backup;
        }
        catch
        {
            await session.DisposeAsync();
            throw;
        }
    }

    async Task HoldLog(CancellationToken ct)
    {
        var name = $"backupdr_base_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}";
        try { await _session.Execute("select pg_create_physical_replication_slot($1, true, true)", ct, name); }
        catch (BackupDrException e) when (e is DeniedException or ServerException) { Unheld = e.Message; }
    }

    async Task<DateTimeOffset> Clock(CancellationToken ct)
        => await _session.Row("select clock_timestamp()", row => row.GetFieldValue<DateTimeOffset>(0), ct);

    /// <exception cref="SourceException">The session is gone, and with it the backup.</exception>
    public void MustBeOpen()
    {
        if (!_session.IsOpen) throw Lost(null);
    }

    /// <summary>Ends the backup; the log up to its end is on the server's disk then.</summary>
    /// <exception cref="SourceException">The session was lost, or the server was promoted meanwhile: what was read is worth nothing.
    /// </exception>
    public async Task<BackupEnd> Stop(CancellationToken ct)
    {
        var call = Facts.Version >= 150_000 ? "pg_backup_stop(false)" : "pg_stop_backup(false, false)";
        try
        {
            var (lsn, label, map) = await _session.Row($"select lsn::text, labelfile, spcmapfile from {call}",
                row => (row.GetString(0), row.GetString(1), row.IsDBNull(2) ? "" : row.GetString(2)), ct);
            return new BackupEnd(Lsn.Parse(lsn), label, map, await Clock(ct), TimelineOf(label));
        }
        catch (UnavailableException e) { throw Lost(e); }
        catch (ServerException e) when (e.SqlState is "55000") { throw Lost(e); }
    }

    static SourceException Lost(Exception? inner) => new("postgres.session_lost",
        "The session of the backup ended before the backup did" + (inner is null ? "." : $": {inner.Message}"),
        "Nothing was published. Run the backup again; what was stored is reused.", inner);

    /// <summary>The timeline that a label says the backup began on.</summary>
    public static uint TimelineOf(string label)
    {
        foreach (var line in label.Split('\n'))
            if (line.StartsWith("START TIMELINE: ", StringComparison.Ordinal)
                && uint.TryParse(line.AsSpan(16).Trim(), CultureInfo.InvariantCulture, out var timeline)) return timeline;
        throw new SourceException("postgres.label", "The label of the backup names no timeline.", "The server's version is not known.");
    }

    public ValueTask DisposeAsync() => _session.DisposeAsync();
}

/// <summary>What the stop call gave.</summary>
/// <param name="Stop">Where a recovery is consistent at the earliest.</param>
/// <param name="Label">Content of backup_label.</param>
/// <param name="TablespaceMap">Content of tablespace_map; empty without tablespaces.</param>
/// <param name="StoppedAt">The server's clock afterwards.</param>
/// <param name="Timeline">Timeline at the start.</param>
sealed record BackupEnd(Lsn Stop, string Label, string TablespaceMap, DateTimeOffset StoppedAt, uint Timeline);
