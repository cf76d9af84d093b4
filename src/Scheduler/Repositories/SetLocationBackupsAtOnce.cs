using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Sets how many backups of all hosts may write into a location at once. Those that do, go on.</summary>
public sealed class SetLocationBackupsAtOnce(Postgres db)
{
    /// <exception cref="BadInputException">The number is below 1 or above 1,000.</exception>
    public async Task<Location> Handle(Caller caller, SetLocationBackupsAtOnceRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageManage);
        if (request.Count is < 1 or > SetLocationBackupsAtOnceRequest.Most)
            throw new BadInputException("count", $"{request.Count} backups at once cannot be.",
                $"Write 1 to {SetLocationBackupsAtOnceRequest.Most}, or nothing for any number.");
        return await SetLocationTier.Keep(db, caller, request.Id, "location.caps", request.Count is { } count
            ? $"{count} backups at once" : "any number of backups at once", tx => tx.Execute(
                "update location set backups_at_once = $2 where id = $1", [request.Id, request.Count], ct), ct);
    }
}
