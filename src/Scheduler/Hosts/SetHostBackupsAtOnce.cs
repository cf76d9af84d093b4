using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Host = BackupDr.Contracts.Api.Host;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Sets how many backups may be under way at once on a host. Those that are, go on.</summary>
public sealed class SetHostBackupsAtOnce(Postgres db)
{
    /// <exception cref="BadInputException">The number is none of 1 and 2.</exception>
    public async Task<Host> Handle(Caller caller, SetHostBackupsAtOnceRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        if (request.Count is < 1 or > SetHostBackupsAtOnceRequest.Most)
            throw new BadInputException("count", $"{request.Count} backups at once cannot be: an agent works on "
                + $"{SetHostBackupsAtOnceRequest.Most} runs at a time.", "Write 1 or 2.");
        return await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update host set backups_at_once = $2 where id = $1 and retired_at is null", [request.Id, request.Count],
                ct) == 0) throw new NotFoundException("A host in service with this id");
            await Audit.Add(tx, caller, "host.caps", request.Id.ToString(), $"{request.Count ?? SetHostBackupsAtOnceRequest.Most} backups "
                + "at once", ct);
            await Notifications.Changed(tx, "hosts", request.Id.ToString(), ct);
            await Notifications.WakeHost(tx, request.Id, ct);
            return (await HostTable.Find(tx, request.Id, ct))!;
        }, ct);
    }
}
