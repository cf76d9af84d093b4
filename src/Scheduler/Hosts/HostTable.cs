using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alone;
using BackupDr.Scheduler.Database;
using Host = BackupDr.Contracts.Api.Host;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Reads hosts.</summary>
static class HostTable
{
    /// <summary>Silence after which a host is no longer online: two long polls and a little.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(65);

    const string Select = $"""
        select h.id, h.name, h.operating_system, h.agent_version, h.is_mover, h.joined_at, h.replaced_at, h.last_seen_at,
            h.load, h.inventory, h.backups_at_once,
            (select max(c.expires_at) from host_certificate c where c.host_id = h.id and c.revoked_at is null) as certificate_expires_at,
            case when h.retired_at is not null then 'Retired' when h.awaits_approval then 'Waiting'
                when h.last_seen_at > clock() - $1 then 'Online' else 'Silent' end as state,
            (select count(*) from item i where i.host_id = h.id and i.retired_at is null) as items,
            (select jsonb_object_agg(l.key, l.value order by l.key) from host_label l where l.host_id = h.id) as labels,
            {HostAloneTable.Columns}
        from host h left join host_alone a on a.host_id = h.id
        """;

    public static Task<List<Host>> All(SqlSource db, CancellationToken ct)
        => db.Query($"{Select} order by h.retired_at is not null, lower(h.name), h.id", [Silence], Read, ct);

    /// <summary>Those that joined with a token, by name.</summary>
    public static Task<List<Host>> OfToken(SqlSource db, JoinTokenId token, int most, CancellationToken ct)
        => db.Query($"{Select} where h.join_token_id = $2 order by lower(h.name), h.id limit $3", [Silence, token, most], Read, ct);

    /// <summary>Whether it is approved only later, and gets nothing until then.</summary>
    public static Task<bool> Waits(SqlSource db, HostId id, CancellationToken ct)
        => db.Scalar<bool>("select exists (select from host where id = $1 and awaits_approval)", [id], ct);

    public static Task<Host?> Find(SqlSource db, HostId id, CancellationToken ct) =>
        db.First($"{Select} where h.id = $2", [Silence, id], Read, ct);

    /// <summary>The id of the host of a name; null for none. One that is out of service is found only where no other has it.</summary>
    public static async Task<HostId?> FindByName(SqlSource db, string name, CancellationToken ct) =>
        (await db.Query("select id from host where name = $1 order by retired_at is not null, joined_at desc limit 1", [name],
            row => row.Id<HostId>(0), ct)).Select(id => (HostId?)id).FirstOrDefault();

    static Host Read(Row row) => new()
    {
        Id = row.Id<HostId>("id"),
        Name = row.Text("name"),
        State = row.Word<HostState>("state"),
        OperatingSystem = row.Text("operating_system"),
        AgentVersion = row.Text("agent_version"),
        IsMover = row.Bool("is_mover"),
        JoinedAt = row.Time("joined_at"),
        ReplacedAt = row.TimeOrNull("replaced_at"),
        LastSeenAt = row.TimeOrNull("last_seen_at"),
        CertificateExpiresAt = row.TimeOrNull("certificate_expires_at"),
        Labels = row.Json("labels", WireJson.Default.IReadOnlyDictionaryStringString),
        Items = (int)row.Long("items"),
        Load = row.Double("load"),
        BackupsAtOnce = row.IsNull("backups_at_once") ? null : row.Int("backups_at_once"),
        Inventory = row.Json("inventory", WireJson.Default.InventoryRequest),
        Alone = HostAloneTable.Read(row),
    };
}
