using System.Security.Cryptography.X509Certificates;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Finds the host that a client certificate stands for. Nothing else, no header and no body, tells who an agent is.</summary>
public sealed class AgentAdmission(Postgres db, CertificateAuthority authority)
{
    /// <summary>The agent, or null where the certificate is not ours, ended or revoked, or its host is out of service.</summary>
    public async Task<Caller?> Of(X509Certificate2 certificate, string address, CancellationToken ct)
    {
        if (authority.HostOf(certificate) is not { } host) return null;
        var serial = certificate.SerialNumber;
        var isNew = await db.First("""
            select c.first_used_at is null as is_new from host_certificate c join host h on h.id = c.host_id
            where c.serial = $1 and c.host_id = $2 and c.revoked_at is null and h.retired_at is null
            """, [serial, host], row => (bool?)row.Bool("is_new"), ct);
        if (isNew is null) return null;
        if (isNew.Value) await Supersede(serial, ct);
        return Caller.Agent(host, address);
    }

    /// <summary>The first use of a renewed certificate shows that the agent has kept it: from now on the older ones are refused.</summary>
    async Task Supersede(string serial, CancellationToken ct)
    {
        await using var tx = await db.Begin(ct);
        await tx.Execute("update host_certificate set first_used_at = coalesce(first_used_at, clock()) where serial = $1", [serial], ct);
        await tx.Execute("""
            update host_certificate old set revoked_at = clock() from host_certificate used
            where used.serial = $1 and old.host_id = used.host_id and old.issued_at < used.issued_at and old.revoked_at is null
            """, [serial], ct);
        await tx.Commit(ct);
    }
}
