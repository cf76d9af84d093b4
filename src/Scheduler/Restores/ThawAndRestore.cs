using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Restores;

/// <summary>Does again what a restore did that met archived packs, and thaws these.</summary>
public sealed class ThawAndRestore(Postgres db, TimeProvider clock)
{
    /// <summary>Makes the new run.</summary>
    /// <exception cref="BadInputException">Days or price are none.</exception>
    /// <exception cref="ConflictException">It is no restore that ended because of archived packs.</exception>
    public async Task<RunStarted> Handle(Caller caller, ThawAndRestoreRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RestoreStart, request.Id, ct);
        var consent = new ThawConsent(request.Days, request.PriceOfGiB);
        RequestRestore.Check(consent);
        return await db.InTransaction(async tx =>
        {
            var old = await RunTable.Again(tx, request.Id, RunId.New(clock), caller.Name, ct);
            if (old.Job.Restore is not { } restore || !await tx.Scalar<bool>(
                "select state = 'Failed' and result->'archived' is not null from run where id = $1", [request.Id], ct))
                throw new ConflictException("restore.not_archived", "This run did not end because of archived packs.",
                    "Restore from the recovery point.");
            await RunTable.Add(tx, old with { Job = new StoredJob(Restore: restore with { Thaw = consent }) }, ct);
            await Audit.Add(tx, caller, "restore.thaw", old.Id.ToString(), $"{request.Id}, readable for {request.Days} days", ct);
            return new RunStarted(old.Id);
        }, ct);
    }
}
