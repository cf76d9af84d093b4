using BackupDr.Contracts;
using Npgsql;

namespace BackupDr.Scheduler.Database;

/// <summary>Finds out whether a commit took place whose answer was lost.</summary>
/// <remarks>
/// A transaction writes a mark of its own beside its changes. Whoever asks writes the same mark: the unique index makes him wait for a
/// transaction that still goes on, finds the mark of one that took place, and forbids one whose commit is still on its way. That holds
/// after a failover too, where transaction numbers may be used again. Source: docs/decisions/0047-commit-marks.md.
/// </remarks>
static class CommitMark
{
    /// <summary>How long it is asked: longer than a failover takes.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);
    /// <summary>How long marks are kept: far longer than anybody asks.</summary>
    internal static readonly TimeSpan Kept = TimeSpan.FromMinutes(15);
    static readonly TimeSpan BetweenTries = TimeSpan.FromMilliseconds(250);
    const int AnswerSeconds = 10;

    /// <summary>What goes with a commit: nothing where the transaction changed nothing.</summary>
    public const string Leave = "insert into commit_mark (id) select $1 where pg_current_xact_id_if_assigned() is not null";

    /// <summary>Whether the transaction with this mark took place.</summary>
    /// <exception cref="UnavailableException">"database.outcome_unknown": the database stayed away.</exception>
    public static async Task<bool> TookPlace(NpgsqlDataSource source, Guid mark, Exception lost, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(Patience);
        while (!late.IsCancellationRequested)
        {
            try { return await Ask(source, mark, late.Token); }
            // Still away, or out of time, which the loop's condition tells.
            catch (Exception e) when (Outage.LeavesCommitOpen(e) || e is OperationCanceledException)
            {
                await Task.Delay(BetweenTries, TimeProvider.System, late.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        throw new UnavailableException("database.outcome_unknown",
            "The database went away in the middle of a change, and nobody could ask it yet whether the change took place.",
            "Look at the object again before you repeat the change.", lost);
    }

    static async Task<bool> Ask(NpgsqlDataSource source, Guid mark, CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await using var claim = new NpgsqlCommand("insert into commit_mark (id, by_reader) values ($1, true) on conflict (id) do nothing",
            connection)
        { CommandTimeout = AnswerSeconds, Parameters = { new NpgsqlParameter<Guid> { TypedValue = mark } } };
        await claim.ExecuteNonQueryAsync(ct);
        // Read back, not counted: an earlier try of ours may have written it and lost the answer.
        await using var look = new NpgsqlCommand("select not by_reader from commit_mark where id = $1", connection)
        { CommandTimeout = AnswerSeconds, Parameters = { new NpgsqlParameter<Guid> { TypedValue = mark } } };
        return await look.ExecuteScalarAsync(ct) is true;
    }

    /// <summary>Removes marks that nobody asks for any more.</summary>
    public static Task<int> Clean(Postgres db, CancellationToken ct)
        => db.Execute("delete from commit_mark where at < clock_timestamp() - $1", [Kept], ct);
}
