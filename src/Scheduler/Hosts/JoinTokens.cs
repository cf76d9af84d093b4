using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Makes a token with which one host can join within an hour, and the line to run there.</summary>
public sealed class CreateJoinToken(Postgres db, CertificateAuthority authority, Listeners listeners, TimeProvider clock)
{
    /// <summary>How long a token can be used.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    /// <summary>Makes the token; it is shown this once.</summary>
    public async Task<JoinToken> Handle(Caller caller, CreateJoinTokenRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        var url = request.AgentsUrl ?? listeners.AgentsPublicUrl;
        if (!Listeners.IsPublicUrl(url))
            throw new BadInputException("agentsUrl", $"'{url}' is no address of the agents' listener.", "It looks like https://backup.example.net:8421");
        url = url.TrimEnd('/');
        var token = $"bdr1_{Secret.Random(32).Reveal()}_{authority.Fingerprint}";
        var id = JoinTokenId.New(clock);
        return await db.InTransaction(async tx =>
        {
            var expires = await tx.Scalar<DateTimeOffset>("insert into join_token (id, hash, agents_url, created_by, expires_at) values ($1, $2, $5, $3, clock() + $4) returning expires_at", [id, TokenHash.Of(token), caller.Name, Lifetime, url], ct);
            await Audit.Add(tx, caller, "host.token", id.ToString(), url, ct);
            // -k only switches off the public authorities, who do not know ours; the pinned key authenticates the node.
            var line = $"curl -fsSk --pinnedpubkey 'sha256//{authority.ListenerPin}' '{url}/install.sh?token={token}' | sudo sh";
            return new JoinToken(id, token, line, expires, url);
        }, ct);
    }
}

/// <summary>How far the host with a token has come.</summary>
public sealed class ShowJoinToken(Postgres db, ShowHost showHost)
{
    /// <summary>Tells.</summary>
    public async Task<JoinProgress> Handle(Caller caller, ShowJoinTokenRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        var (progress, host) = await db.First("""
            select t.expires_at, t.script_fetched_at, t.archive_fetched_at, t.used_at, t.host_id, h.last_seen_at, t.host_id is null and t.expires_at < clock()
            from join_token t left join host h on h.id = t.host_id where t.id = $1
            """, [request.Id.Value], row => (new JoinProgress
        {
            Id = request.Id, ExpiresAt = row.Time(0), ScriptFetchedAt = row.TimeOrNull(1), ArchiveFetchedAt = row.TimeOrNull(2), JoinedAt = row.TimeOrNull(3),
            FirstSeenAt = row.TimeOrNull(5), IsExpired = row.Bool(6),
        }, row.IdOrNull<HostId>(4)), ct);
        if (progress is null) throw new NotFoundException("A join token with this id");
        return host is { } id ? progress with { Host = await showHost.Handle(caller, new ShowHostRequest(id), ct) } : progress;
    }
}
