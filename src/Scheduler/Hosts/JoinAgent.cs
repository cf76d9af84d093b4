using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Turns a join token and a certificate request into a host. The token is the right: it works once, for an hour.</summary>
public sealed class JoinAgent(Postgres db, CertificateAuthority authority, TimeProvider clock)
{
    /// <summary>Joins a host.</summary>
    /// <exception cref="DeniedException">The token is unknown, used or expired.</exception>
    /// <exception cref="ConflictException">The agent is of a version that this node does not understand.</exception>
    public async Task<JoinAnswer> Handle(Caller caller, JoinRequest request, CancellationToken ct)
    {
        caller.Must(Right.JoinHost);
        if (request.ProtocolVersion is > AgentProtocol.Version or < 1)
            throw new ConflictException("agent.version", $"The agent speaks protocol version {request.ProtocolVersion}; this node speaks {AgentProtocol.Version}.", "Install the agent that this node offers.");
        var name = request.HostName.Trim();
        if (name.Length is 0 or > 253 || name.Any(char.IsControl)) throw new BadInputException("hostName", "The host name is empty, longer than 253 characters or has control characters.", "Send the machine's name.");
        var host = HostId.New(clock);
        var signed = authority.Sign(request.CsrPem, host);
        return await db.InTransaction(async tx =>
        {
            await tx.Execute("""
                insert into host (id, name, operating_system, agent_version, protocol_version, is_mover) values ($1, $2, $3, $4, $5, $6)
                """, [host.Value, name, Short(request.OperatingSystem), Short(request.AgentVersion), request.ProtocolVersion, request.Mover], ct);
            var token = await tx.First("update join_token set used_at = clock(), host_id = $2 where hash = $1 and host_id is null and expires_at > clock() returning id", [TokenHash.Of(request.Token), host.Value], row => row.Id<JoinTokenId>(0), ct);
            if (token.Value == Guid.Empty) throw await Refused(tx, request.Token, ct);   // the host's row goes with the transaction
            await tx.Execute("insert into host_certificate (serial, host_id, expires_at) values ($1, $2, $3)", [signed.Serial, host, signed.ExpiresAt], ct);
            await Audit.Add(tx, Caller.Agent(host, caller.Address), "host.join", host.ToString(), $"{name}, {Short(request.OperatingSystem)}, token {token}", ct);
            await Notifications.Changed(tx, "joins", token.ToString(), ct);
            await Notifications.Changed(tx, "hosts", host.ToString(), ct);
            return new JoinAnswer(host, signed.Pem, authority.AuthorityPem, signed.ExpiresAt);
        }, ct);
    }

    static async Task<DeniedException> Refused(Transaction tx, string token, CancellationToken ct)
    {
        var known = await tx.First("select host_id is not null from join_token where hash = $1", [TokenHash.Of(token)], row => row.Bool(0) ? "used" : "expired", ct);
        return known switch
        {
            "used" => new DeniedException("This join token was used already; it works once.", "Make a new one in the console under Agents, Add host."),
            "expired" => new DeniedException("This join token has expired; it works for an hour.", "Make a new one in the console under Agents, Add host."),
            _ => new DeniedException("This join token is unknown here.", "Copy the whole line from the console, and check that it is this installation's."),
        };
    }

    static string Short(string text) => text.Length <= 200 ? text : text[..200];
}

/// <summary>Signs a new certificate for an agent that has a valid one.</summary>
public sealed class RenewCertificate(Postgres db, CertificateAuthority authority)
{
    /// <summary>Renews.</summary>
    public async Task<RenewAnswer> Handle(Caller caller, RenewRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        var host = caller.MustBeHost();
        var signed = authority.Sign(request.CsrPem, host);
        await db.InTransaction(async tx =>
        {
            await tx.Execute("insert into host_certificate (serial, host_id, expires_at) values ($1, $2, $3)", [signed.Serial, host, signed.ExpiresAt], ct);
            await Audit.Add(tx, caller, "host.renew", host.ToString(), signed.Serial, ct);
        }, ct);
        return new RenewAnswer(signed.Pem, signed.ExpiresAt);
    }
}

/// <summary>Keeps what an agent found on its host.</summary>
public sealed class RecordInventory(Postgres db)
{
    /// <summary>Keeps it.</summary>
    public async Task Handle(Caller caller, InventoryRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        await db.InTransaction(async tx =>
        {
            await tx.Execute("update host set inventory = $2 where id = $1", [caller.MustBeHost(), JsonText.Of(request, WireJson.Default.InventoryRequest)], ct);
            await Notifications.Changed(tx, "hosts", caller.Host.ToString(), ct);
        }, ct);
    }
}
