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

    /// <exception cref="BadInputException">The agents' URL is not one.</exception>
    /// <exception cref="NotFoundException">There is no host to replace.</exception>
    public async Task<JoinToken> Handle(Caller caller, CreateJoinTokenRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        var url = (request.AgentsUrl ?? listeners.AgentsPublicUrl).TrimEnd('/');
        if (!Listeners.IsPublicUrl(url))
            throw new BadInputException("agentsUrl", $"'{url}' is no address of the agents' listener.",
                "It looks like https://backup.example.com:8421");
        var token = $"bdr1_{Secret.Random(32).Reveal()}_{authority.Fingerprint}";
        var id = JoinTokenId.New(clock);
        await using var tx = await db.Begin(ct);
        if (request.Replaces is { } former && await HostTable.Find(tx, former, ct) is null)
            throw new NotFoundException("A host with this id");
        var expiresAt = await tx.Scalar<DateTimeOffset>("""
            insert into join_token (id, hash, agents_url, created_by, expires_at, replaces) values ($1, $2, $3, $4, clock() + $5, $6)
            returning expires_at
            """, [id, TokenHash.Of(token), url, caller.Name, Lifetime, request.Replaces], ct);
        await Notifications.Changed(tx, "joins", id.ToString(), ct);
        await Audit.Add(tx, caller, "host.invite", id.ToString(), request.Replaces is { } place ? $"{url}, in place of {place}" : url, ct);
        await tx.Commit(ct);
        return new JoinToken(id, token, Command(url, token), expiresAt, url);
    }

    /// <summary>-k only switches off the public authorities, who do not know ours: the pinned key authenticates the node.</summary>
    string Command(string url, string token)
        => $"curl -fsSk --pinnedpubkey 'sha256//{authority.ListenerPin}' '{url}/install.sh?token={token}' | sudo sh";
}

/// <summary>How far the host with a token has come.</summary>
public sealed class ShowJoinToken(Postgres db)
{
    public async Task<JoinProgress> Handle(Caller caller, ShowJoinTokenRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        var (progress, host) = await db.First("""
            select t.expires_at, t.script_fetched_at, t.archive_fetched_at, t.used_at, t.host_id, t.replaces, h.last_seen_at,
                t.host_id is null and t.expires_at <= clock() as is_expired
            from join_token t left join host h on h.id = t.host_id where t.id = $1
            """, [request.Id], row => (new JoinProgress
        {
            Id = request.Id,
            ExpiresAt = row.Time("expires_at"),
            ScriptFetchedAt = row.TimeOrNull("script_fetched_at"),
            ArchiveFetchedAt = row.TimeOrNull("archive_fetched_at"),
            JoinedAt = row.TimeOrNull("used_at"),
            FirstSeenAt = row.TimeOrNull("last_seen_at"),
            IsExpired = row.Bool("is_expired"),
            Replaces = row.IdOrNull<HostId>("replaces"),
        }, row.IdOrNull<HostId>("host_id")), ct);
        if (progress is null) throw new NotFoundException("A join token with this id");
        return host is { } id ? progress with { Host = await HostTable.Find(db, id, ct) } : progress;
    }
}
