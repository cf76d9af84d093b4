using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Hosts;

/// <summary>What holds of tokens in more than one place.</summary>
static class JoinTokenTable
{
    /// <summary>Whether a row lets one more host in now. "used_at" is what nodes of the version before note.</summary>
    public const string IsUsable = "expires_at > clock() and used < uses and (uses > 1 or used_at is null)";
}

/// <summary>Makes a token with which hosts can join, and the line to run there: one host within an hour, or as many and as long as
/// asked.</summary>
public sealed class CreateJoinToken(Postgres db, CertificateAuthority authority, Listeners listeners, TimeProvider clock)
{
    /// <summary>How long a token can be used where nobody said how long.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    /// <exception cref="BadInputException">The agents' URL is not one, or so many uses or hours cannot be.</exception>
    /// <exception cref="NotFoundException">There is no host to replace.</exception>
    public async Task<JoinToken> Handle(Caller caller, CreateJoinTokenRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        var url = (request.AgentsUrl ?? listeners.AgentsPublicUrl).TrimEnd('/');
        if (!Listeners.IsPublicUrl(url))
            throw new BadInputException("agentsUrl", $"'{url}' is no address of the agents' listener.",
                "It looks like https://backup.example.com:8421");
        var uses = Within("uses", request.Uses ?? 1, CreateJoinTokenRequest.MostUses);
        var lifetime = request.Hours is { } hours ? TimeSpan.FromHours(Within("hours", hours, CreateJoinTokenRequest.MostHours)) : Lifetime;
        if (uses > 1 && request.Replaces is not null)
            throw new BadInputException("uses", $"{uses} machines cannot take the place of one host.", "Leave uses at 1.");
        var token = $"bdr1_{Secret.Random(32).Reveal()}_{authority.Fingerprint}";
        var id = JoinTokenId.New(clock);
        await using var tx = await db.Begin(ct);
        if (request.Replaces is { } former && await HostTable.Find(tx, former, ct) is null)
            throw new NotFoundException("A host with this id");
        var expiresAt = await tx.Scalar<DateTimeOffset>("""
            insert into join_token (id, hash, agents_url, created_by, expires_at, replaces, uses, needs_approval)
            values ($1, $2, $3, $4, clock() + $5, $6, $7, $8) returning expires_at
            """, [id, TokenHash.Of(token), url, caller.Name, lifetime, request.Replaces, uses, request.NeedsApproval], ct);
        await Notifications.Changed(tx, "joins", id.ToString(), ct);
        await Audit.Add(tx, caller, "host.invite", id.ToString(), (request.Replaces is { } place ? $"{url}, in place of {place}" : url)
            + (uses == 1 ? "" : $", {uses} hosts") + (request.NeedsApproval ? ", each approved first" : "") + $", until {expiresAt:u}", ct);
        await tx.Commit(ct);
        return new JoinToken(id, token, Command(url, token), expiresAt, url, uses, request.NeedsApproval);
    }

    static int Within(string field, int given, int most) => given >= 1 && given <= most ? given
        : throw new BadInputException(field, $"{given} {field} cannot be.", $"Give 1 to {most}.");

    /// <summary>-k only switches off the public authorities, who do not know ours: the pinned key authenticates the node.</summary>
    string Command(string url, string token)
        => $"curl -fsSk --pinnedpubkey 'sha256//{authority.ListenerPin}' '{url}/install.sh?token={token}' | sudo sh";
}

/// <summary>How far the host with a token has come.</summary>
public sealed class ShowJoinToken(Postgres db)
{
    const int MostHosts = 100;

    public async Task<JoinProgress> Handle(Caller caller, ShowJoinTokenRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        var (progress, host) = await db.First("""
            select t.expires_at, t.script_fetched_at, t.archive_fetched_at, t.used_at, t.host_id, t.replaces, h.last_seen_at,
                t.host_id is null and t.expires_at <= clock() as is_expired, t.uses, greatest(t.used, (t.used_at is not null)::int) as used
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
            Uses = row.Int("uses"),
            Used = row.Int("used"),
        }, row.IdOrNull<HostId>("host_id")), ct);
        if (progress is null) throw new NotFoundException("A join token with this id");
        if (progress.Uses > 1) progress = progress with { Hosts = await HostTable.OfToken(db, request.Id, MostHosts, ct) };
        return host is { } id ? progress with { Host = await HostTable.Find(db, id, ct) } : progress;
    }
}
