using System.Net;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Secrets;
using Npgsql;

namespace BackupDr.Scheduler.Cluster;

/// <summary>Makes the one command that lets a further node in: with a token that works once, within half an hour.</summary>
public sealed class CreateNodeToken(Postgres db, CertificateAuthority authority, Listeners listeners, NodeSettings settings)
{
    /// <summary>How long a token can be used.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(30);

    public async Task<NodeToken> Handle(Caller caller, CreateNodeTokenRequest request, CancellationToken ct)
    {
        caller.Must(Right.NodeManage);
        var token = $"bdn1_{Secret.Random(32).Reveal()}_{authority.Fingerprint}";
        var expiresAt = await db.InTransaction(async tx =>
        {
            var until = await tx.Scalar<DateTimeOffset>("insert into node_token (id, hash, created_by, expires_at) values ($1, $2, $3, "
                + "clock() + $4) returning expires_at", [Guid.CreateVersion7(), TokenHash.Of(token), caller.Name, Lifetime], ct);
            await Audit.Add(tx, caller, "node.invite", "", "", ct);
            return until;
        }, ct);
        var command = $"BACKUPDR_JOIN_TOKEN='{token}' backupdr node join {listeners.AgentsPublicUrl}";
        return new NodeToken(command, token, expiresAt, Remark(settings.Database.ConnectionString));
    }

    /// <summary>What another machine could not use.</summary>
    internal static string? Remark(string connectionString)
    {
        var hosts = (new NpgsqlConnectionStringBuilder(connectionString).Host ?? "").Split(',', StringSplitOptions.TrimEntries);
        var own = hosts.Where(host => host.StartsWith('/') || host == "localhost"
            || (IPAddress.TryParse(host.Split(':')[0], out var address) && IPAddress.IsLoopback(address))).ToList();
        return own.Count == 0 ? null : $"Database:ConnectionString of this node names {string.Join(", ", own)}, which means another "
            + "database on another machine. Give the database's address in the network before a node elsewhere joins.";
    }
}

/// <summary>Hands a further node what all of them share, for a token that "node add" made.</summary>
public sealed class JoinNode(Postgres db, SealedSecrets secrets, NodeSettings settings)
{
    const int LongestName = 253;

    /// <exception cref="ConflictException">"join.token_used" or "join.token_expired".</exception>
    /// <exception cref="NotSignedInException">The token is unknown.</exception>
    public async Task<JoinNodeAnswer> Handle(Caller caller, JoinNodeRequest request, CancellationToken ct)
    {
        caller.Must(Right.JoinHost);
        var name = request.Name.Trim();
        if (name.Length is 0 or > LongestName || name.Any(char.IsControl))
            throw new BadInputException("name", $"The node's name is empty, longer than {LongestName} characters, or has control "
                + "characters.", "Give it the machine's name.");
        await db.InTransaction(async tx =>
        {
            // Of many that come at once with the same token, the row lock lets one through; the others find it used.
            if (await tx.Execute("update node_token set used_at = clock(), used_by = $2 where hash = $1 and used_at is null and "
                + "expires_at > clock()", [TokenHash.Of(request.Token), name], ct) == 0) throw await Refused(tx, request.Token, ct);
            await Audit.Add(tx, caller, "node.join", name, $"from {caller.Address}", ct);
        }, ct);
        return new JoinNodeAnswer
        {
            ConnectionString = settings.Database.ConnectionString,
            SealingKey = secrets.KeyText(),
            AgentsPublicUrl = settings.Agents.PublicUrl,
            TrustedProxies = settings.Console.TrustedProxies,
            ConsoleUrl = settings.Console.Url,
            AgentsUrl = settings.Agents.Url,
        };
    }

    static async Task<BackupDrException> Refused(Transaction tx, string token, CancellationToken ct)
    {
        const string hint = "Make a new one with 'backupdr node add'.";
        return await tx.Scalar<bool?>("select used_at is not null from node_token where hash = $1", [TokenHash.Of(token)], ct) switch
        {
            true => new ConflictException("join.token_used", "This token was used already; it works once.", hint),
            false => new ConflictException("join.token_expired", $"This token has expired; it works for "
                + $"{CreateNodeToken.Lifetime.TotalMinutes:0} minutes.", hint),
            null => new NotSignedInException("join.token_unknown", "This token is unknown here.",
                "Copy the whole command that 'backupdr node add' printed."),
        };
    }
}
