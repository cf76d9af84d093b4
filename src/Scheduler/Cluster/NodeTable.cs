using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Cluster;

/// <summary>Reads and writes nodes.</summary>
static class NodeTable
{
    /// <summary>Silence after which a node counts as gone: five beats.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(10);

    /// <summary>How long the row of a start that ended by itself is shown.</summary>
    static readonly TimeSpan Kept = TimeSpan.FromDays(7);

    /// <summary>Enters this start, in place of earlier ones of the same name that are gone.</summary>
    public static async Task Enter(Transaction tx, Guid instance, NodeFace face, CancellationToken ct)
    {
        await tx.Execute("delete from node where name = $1 and (last_seen_at < clock() - $2 or stopped_at is not null) and instance <> $3 "
            + "or stopped_at < clock() - $4", [face.Name, Silence, instance, Kept], ct);
        await tx.Execute("""
            insert into node (instance, name, version, roles, agents_url, console_url) values ($1, $2, $3, $4, $5, $6)
            on conflict (instance) do nothing
            """, [instance, face.Name, face.Version, face.Roles.ToArray(), face.AgentsUrl, face.ConsoleUrl], ct);
        await Notifications.Changed(tx, "nodes", null, ct);
    }

    /// <summary>Says that it lives. Null where the row is gone; else whether it is to drain.</summary>
    public static Task<bool?> Beat(Postgres db, NodeStanding standing, SealedSecrets secrets, DateTimeOffset now, CancellationToken ct)
        => db.Scalar<bool?>("""
            update node set last_seen_at = clock(), agents = $2, loops = $3,
                skew_ms = (extract(epoch from $4::timestamptz - clock_timestamp()) * 1000)::bigint, opens = $5, seals = $6
            where instance = $1 returning draining_at is not null
            """, [standing.Instance, standing.Agents, standing.Loops, now, secrets.Opens, secrets.Seals], ct);

    /// <summary>Says that it ended in order.</summary>
    public static Task Left(Postgres db, Guid instance, CancellationToken ct)
        => db.Execute("update node set stopped_at = clock(), agents = 0, loops = 0 where instance = $1", [instance], ct);

    /// <summary>The nodes that agents may find, in the order of their names. A node that is gone stays in the list until it is removed:
    /// it is expected back.</summary>
    public static Task<List<AgentsNode>> AgentsNodes(Postgres db, CancellationToken ct) => db.Query("""
        select instance, agents_url, agents, stopped_at is null and draining_at is null and last_seen_at >= clock() - $1 as serves
        from node where 'Api' = any(roles) order by name, agents_url
        """, [Silence], row => new AgentsNode(row.Guid("instance"), row.Text("agents_url"), row.Int("agents"), row.Bool("serves")), ct);

    public static Task<List<Node>> All(SqlSource db, CancellationToken ct) => db.Query("""
        select name, version, roles, agents_url, console_url, started_at, last_seen_at, draining_at, drained_by, agents, loops, skew_ms,
            case when stopped_at is not null then 'Stopped' when last_seen_at < clock() - $1 then 'Silent'
                when draining_at is null then 'Online' when agents = 0 and loops = 0 then 'Drained' else 'Draining' end as state
        from node order by name, started_at
        """, [Silence], row => new Node
    {
        Name = row.Text("name"),
        State = row.Word<NodeState>("state"),
        Version = row.Text("version"),
        Roles = row.Texts("roles"),
        AgentsUrl = row.Text("agents_url"),
        ConsoleUrl = row.Text("console_url"),
        StartedAt = row.Time("started_at"),
        LastSeenAt = row.Time("last_seen_at"),
        DrainingAt = row.TimeOrNull("draining_at"),
        DrainedBy = row.TextOrNull("drained_by"),
        Agents = row.Int("agents"),
        Loops = row.Int("loops"),
        SkewMs = row.Long("skew_ms"),
    }, ct);

    public static Task<int> Drain(Transaction tx, string name, string? by, CancellationToken ct)
        => tx.Execute("update node set draining_at = case when $2::text is null then null else coalesce(draining_at, clock()) end, "
            + "drained_by = $2 where name = $1 and stopped_at is null", [name, by], ct);

    public static Task<int> Remove(Transaction tx, string name, CancellationToken ct)
        => tx.Execute("delete from node where name = $1", [name], ct);
}

/// <summary>What a node says of itself when it starts.</summary>
sealed record NodeFace(string Name, string Version, IReadOnlyList<string> Roles, string AgentsUrl, string ConsoleUrl);

/// <summary>A node that serves agents, or did.</summary>
sealed record AgentsNode(Guid Instance, string Url, int Agents, bool Serves);
