using System.Security.Cryptography.X509Certificates;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Finds the host that a client certificate stands for. Identity comes from the certificate alone, never from a body or a header.</summary>
public sealed class AgentIdentities(Postgres db, CertificateAuthority authority)
{
    /// <summary>The agent with this certificate; null where it is none of ours, was revoked, or its host was retired.</summary>
    public async Task<Caller?> Of(X509Certificate2? certificate, string address, CancellationToken ct)
    {
        if (certificate is null || authority.HostOf(certificate) is not { } host) return null;
        var serves = await db.Scalar<bool>("""
            select exists (select from host h join host_certificate c on c.host_id = h.id
                           where h.id = $1 and h.retired_at is null and c.serial = $2 and c.revoked_at is null)
            """, [host, certificate.SerialNumber], ct);
        return serves ? Caller.Agent(host, address) : null;
    }
}
