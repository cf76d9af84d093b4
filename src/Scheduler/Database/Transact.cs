namespace BackupDr.Scheduler.Database;

/// <summary>Units of work.</summary>
static class Transact
{
    /// <summary>Runs a unit of work in one transaction; what it throws rolls everything back.</summary>
    public static async Task<T> InTransaction<T>(this Postgres db, Func<Transaction, Task<T>> work, CancellationToken ct)
    {
        await using var tx = await db.Begin(ct);
        var result = await work(tx);
        await tx.Commit(ct);
        return result;
    }

    /// <summary>Runs a unit of work in one transaction; what it throws rolls everything back.</summary>
    public static Task InTransaction(this Postgres db, Func<Transaction, Task> work, CancellationToken ct)
        => db.InTransaction(async tx => { await work(tx); return true; }, ct);
}
