using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Host = BackupDr.Contracts.Api.Host;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Lets a host that waits for it do work.</summary>
public sealed class ApproveHost(Postgres db)
{
    /// <exception cref="NotFoundException">There is no such host in service.</exception>
    /// <exception cref="ConflictException">"host.not_waiting".</exception>
    public async Task<Host> Handle(Caller caller, ApproveHostRequest request, CancellationToken ct)
    {
        await caller.Must(Right.HostManage, request.Id, ct);
        return await db.InTransaction(async tx =>
        {
            var host = await HostApproval.Waiting(tx, request.Id, ct);
            await tx.Execute("update host set awaits_approval = false where id = $1", [request.Id], ct);
            await Notifications.Changed(tx, "hosts", request.Id.ToString(), ct);
            await Notifications.WakeHost(tx, request.Id, ct);
            await Audit.Add(tx, caller, "host.approve", request.Id.ToString(), $"{host.Name}, {host.OperatingSystem}", ct);
            return (await HostTable.Find(tx, request.Id, ct))!;
        }, ct);
    }
}

/// <summary>Turns away a host that waits: its certificate is refused from now on.</summary>
public sealed class RefuseHost(Postgres db)
{
    /// <exception cref="NotFoundException">There is no such host in service.</exception>
    /// <exception cref="ConflictException">"host.not_waiting".</exception>
    public async Task Handle(Caller caller, RefuseHostRequest request, CancellationToken ct)
    {
        await caller.Must(Right.HostManage, request.Id, ct);
        await db.InTransaction(async tx =>
        {
            var host = await HostApproval.Waiting(tx, request.Id, ct);
            await tx.Execute("update host set retired_at = clock() where id = $1", [request.Id], ct);
            await tx.Execute("update host_certificate set revoked_at = clock() where host_id = $1 and revoked_at is null", [request.Id],
                ct);
            await Notifications.Changed(tx, "hosts", request.Id.ToString(), ct);
            await Notifications.WakeHost(tx, request.Id, ct);
            await Audit.Add(tx, caller, "host.refuse", request.Id.ToString(), $"{host.Name}, {host.OperatingSystem}", ct);
        }, ct);
    }
}

static class HostApproval
{
    /// <summary>The host, held for the transaction.</summary>
    public static async Task<Host> Waiting(Transaction tx, HostId id, CancellationToken ct)
    {
        await tx.Execute("select from host where id = $1 for update", [id], ct);
        var host = await HostTable.Find(tx, id, ct) ?? throw new NotFoundException("A host with this id");
        return host.State == HostState.Waiting ? host : throw new ConflictException("host.not_waiting",
            $"{host.Name} does not wait for approval.", "Somebody decided already: look at the host's page and at the audit log.");
    }
}
