using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Turns a join token and a certificate request into a host, or into the machine that a lost host goes on with. Each use
/// of the token lets one host in.</summary>
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
        AgentVersions.Check(request.ProtocolVersion, request.AgentVersion);
        var name = request.HostName.Trim();
        if (name.Length is 0 or > LongestHostName || name.Any(char.IsControl))
            throw new BadInputException("hostName", $"The host name is empty, longer than {LongestHostName} characters, or has control "
                + $"characters.", "Send the machine's name.");
        await using var tx = await db.Begin(ct);
        // Of many that come at once with the same token, the row lock lets one through for each use; the others find it used. A node of
        // the version before counts no uses, but notes the only one of its tokens.
        var (token, former, waits) = await tx.First($"update join_token set used_at = clock(), used = used + 1 where hash = $1 and "
            + $"{JoinTokenTable.IsUsable} returning id, replaces, needs_approval", [TokenHash.Of(request.Token)],
            row => (row.Id<JoinTokenId>("id"), row.IdOrNull<HostId>("replaces"), row.Bool("needs_approval")), ct);
        if (token == default) throw await Refused(tx, request.Token, ct);
        var host = former ?? HostId.New(clock);
        var signed = authority.Sign(request.CsrPem, host);   // where it cannot, the token stays unused with the transaction
        var known = former is null ? null : await TakePlace(tx, host, request, ct);
        if (former is null) await tx.Execute("""
            insert into host (id, name, operating_system, agent_version, protocol_version, is_mover) values ($1, $2, $3, $4, $5, $6)
            """, [host, name, Short(request.OperatingSystem), Short(request.AgentVersion), request.ProtocolVersion, request.Mover], ct);
        await tx.Execute("update host set join_token_id = $2, awaits_approval = $3 where id = $1", [host, token, waits], ct);
        if (former is null && request.Labels is { } labels) await HostLabelTable.Set(tx, host, labels, ct);
        await tx.Execute("update join_token set host_id = $2 where id = $1", [token, host], ct);
        await tx.Execute("insert into host_certificate (serial, host_id, expires_at) values ($1, $2, $3)",
            [signed.Serial, host, signed.ExpiresAt], ct);
        await Notifications.Changed(tx, "joins", token.ToString(), ct);
        await Notifications.Changed(tx, "hosts", host.ToString(), ct);
        var machine = $"{name}, {Short(request.OperatingSystem)}, {token}, from {caller.Address}";
        await (former is null ? Audit.Add(tx, Caller.Agent(host), "host.join", host.ToString(), machine, ct)
            : Audit.Add(tx, Caller.Agent(host), "host.replace", host.ToString(), machine, ct));
        await tx.Commit(ct);
        return new JoinAnswer(host, signed.Pem, authority.AuthorityPem, signed.ExpiresAt, known);
    }

    /// <summary>Makes the machine that joins the host; the one that was it is refused from now on. Gives the name that it keeps, under
    /// which its snapshots are found.</summary>
    static async Task<string> TakePlace(Transaction tx, HostId host, JoinRequest request, CancellationToken ct)
    {
        await tx.Execute("update host_certificate set revoked_at = clock() where host_id = $1 and revoked_at is null", [host], ct);
        await Notifications.WakeHost(tx, host, ct);
        return await tx.First("""
            update host set operating_system = $2, agent_version = $3, protocol_version = $4, is_mover = $5, replaced_at = clock(),
                retired_at = null, last_seen_at = null, inventory = null
            where id = $1 returning name
            """, [host, Short(request.OperatingSystem), Short(request.AgentVersion), request.ProtocolVersion, request.Mover],
            row => row.Text("name"), ct) ?? throw new NotFoundException("The host whose place it takes");
    }

    static async Task<BackupDrException> Refused(Transaction tx, string token, CancellationToken ct)
    {
        const string hint = "Make a new one in the console under Agents, Add host.";
        var (uses, isOver, endedAt) = await tx.First("select uses, expires_at <= clock() as is_over, expires_at from join_token "
            + "where hash = $1", [TokenHash.Of(token)], row => (row.Int("uses"), row.Bool("is_over"), row.Time("expires_at")), ct);
        return (uses, isOver) switch
        {
            (0, _) => new NotSignedInException("join.token_unknown", "This join token is unknown here.",
                "Copy the whole line from the console of this installation."),
            (_, true) => new ConflictException("join.token_expired", $"This join token expired at {endedAt:u}.", hint),
            (1, _) => new ConflictException("join.token_used", "This join token was used already; it works once.", hint),
            _ => new ConflictException("join.token_used", $"This join token was used already by {uses} hosts, as many as it lets in.",
                hint),
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
