using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Turns a join token and a certificate request into a host. The token works once, for an hour.</summary>
public sealed class JoinAgent(Postgres db, CertificateAuthority authority, TimeProvider clock)
{
    const int LongestHostName = 253;
    const int LongestText = 200;

    /// <exception cref="ConflictException">The token was used or has expired, or the agent is of a version that this node does not
    /// understand.</exception>
    /// <exception cref="NotSignedInException">The token is unknown.</exception>
    public async Task<JoinAnswer> Handle(Caller caller, JoinRequest request, CancellationToken ct)
    {
        caller.Must(Right.JoinHost);
        if (request.ProtocolVersion is > AgentProtocol.Version or < AgentProtocol.Version - 1 or < 1)
            throw new ConflictException("agent.version", $"The agent speaks protocol version {request.ProtocolVersion}; this node speaks "
                + $"{AgentProtocol.Version}.",
                "Install the agent that this node offers.");
        var name = request.HostName.Trim();
        if (name.Length is 0 or > LongestHostName || name.Any(char.IsControl))
            throw new BadInputException("hostName", $"The host name is empty, longer than {LongestHostName} characters, or has control "
                + $"characters.", "Send the machine's name.");
        var host = HostId.New(clock);
        var signed = authority.Sign(request.CsrPem, host);

        await using var tx = await db.Begin(ct);
        await tx.Execute("""
            insert into host (id, name, operating_system, agent_version, protocol_version, is_mover) values ($1, $2, $3, $4, $5, $6)
            """, [host, name, Short(request.OperatingSystem), Short(request.AgentVersion), request.ProtocolVersion, request.Mover], ct);
        // Of many that come at once with the same token, the row lock lets one through; the others find it used.
        var token = await tx.First("""
            update join_token set used_at = clock(), host_id = $2 where hash = $1 and used_at is null and expires_at > clock() returning id
            """, [TokenHash.Of(request.Token), host], row => (JoinTokenId?)row.Id<JoinTokenId>("id"), ct)
            ?? throw await Refused(tx, request.Token, ct);   // the host's row goes with the transaction
        await tx.Execute("insert into host_certificate (serial, host_id, expires_at) values ($1, $2, $3)",
            [signed.Serial, host, signed.ExpiresAt], ct);
        await Notifications.Changed(tx, "joins", token.ToString(), ct);
        await Notifications.Changed(tx, "hosts", host.ToString(), ct);
        await Audit.Add(tx, Caller.Agent(host), "host.join", host.ToString(),
            $"{name}, {Short(request.OperatingSystem)}, {token}, from {caller.Address}", ct);
        await tx.Commit(ct);
        return new JoinAnswer(host, signed.Pem, authority.AuthorityPem, signed.ExpiresAt);
    }

    static async Task<BackupDrException> Refused(Transaction tx, string token, CancellationToken ct)
    {
        const string hint = "Make a new one in the console under Agents, Add host.";
        var isUsed = await tx.Scalar<bool?>("select used_at is not null from join_token where hash = $1", [TokenHash.Of(token)], ct);
        return isUsed switch
        {
            true => new ConflictException("join.token_used", "This join token was used already; it works once.", hint),
            false => new ConflictException("join.token_expired", $"This join token has expired; it works for "
                + $"{CreateJoinToken.Lifetime.TotalMinutes:0} minutes.", hint),
            null => new NotSignedInException("join.token_unknown", "This join token is unknown here.",
                "Copy the whole line from the console of this installation."),
        };
    }

    static string Short(string text) => text.Length <= LongestText ? text : text[..LongestText];
}

/// <summary>Signs a new certificate for an agent that has a valid one. The old one works until the new one is first used.</summary>
public sealed class RenewCertificate(Postgres db, CertificateAuthority authority)
{
    /// <exception cref="BadInputException">It is no certificate request.</exception>
    public async Task<RenewAnswer> Handle(Caller caller, RenewRequest request, CancellationToken ct)
    {
        caller.Must(Right.AgentWork);
        var host = caller.MustBeHost();
        var signed = authority.Sign(request.CsrPem, host);
        await using var tx = await db.Begin(ct);
        await tx.Execute("insert into host_certificate (serial, host_id, expires_at) values ($1, $2, $3)",
            [signed.Serial, host, signed.ExpiresAt], ct);
        await Audit.Add(tx, caller, "host.renew", host.ToString(), signed.Serial, ct);
        await tx.Commit(ct);
        return new RenewAnswer(signed.Pem, signed.ExpiresAt);
    }
}
