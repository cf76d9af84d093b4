using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Host = BackupDr.Contracts.Api.Host;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Reads hosts.</summary>
static class HostTable
{
    /// <summary>Silence after which a host is no longer online: two long polls and a little.</summary>
    public static readonly TimeSpan Silence = TimeSpan.FromSeconds(65);

    public const string Select = """
        select h.id, h.name, h.operating_system, h.agent_version, h.is_mover, h.joined_at, h.last_seen_at, (select max(c.expires_at) from host_certificate c where c.host_id = h.id and c.revoked_at is null), h.load, h.inventory,
               h.retired_at is not null, h.last_seen_at > clock() - $1,
               (select count(*)::int from item i where i.host_id = h.id and i.retired_at is null)
        from host h
        """;

    public static Host Read(Row row) => new()
    {
        Id = row.Id<HostId>(0), Name = row.Text(1), OperatingSystem = row.Text(2), AgentVersion = row.Text(3), IsMover = row.Bool(4),
        JoinedAt = row.Time(5), LastSeenAt = row.TimeOrNull(6), CertificateExpiresAt = row.TimeOrNull(7), Load = row.Double(8),
        Inventory = row.IsNull(9) ? null : JsonSerializer.Deserialize(row.Text(9), WireJson.Default.InventoryRequest),
        State = row.Bool(10) ? HostState.Retired : !row.IsNull(11) && row.Bool(11) ? HostState.Online : HostState.Silent,
        Items = row.Int(12),
    };
}

/// <summary>All hosts, by name.</summary>
public sealed class ListHosts(Postgres db)
{
    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<Host>> Handle(Caller caller, ListHostsRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostRead);
        return await db.Query($"{HostTable.Select} order by h.retired_at is not null, h.name, h.id", [HostTable.Silence], HostTable.Read, ct);
    }
}

/// <summary>One host.</summary>
public sealed class ShowHost(Postgres db)
{
    /// <summary>Shows.</summary>
    public async Task<Host> Handle(Caller caller, ShowHostRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostRead);
        return await db.First($"{HostTable.Select} where h.id = $2", [HostTable.Silence, request.Id.Value], HostTable.Read, ct) ?? throw new NotFoundException("A host with this id");
    }
}

/// <summary>Takes a host out of service. Its agent is refused from now on; recovery points stay.</summary>
public sealed class RetireHost(Postgres db)
{
    /// <summary>Retires.</summary>
    public async Task Handle(Caller caller, RetireHostRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update host set retired_at = clock() where id = $1 and retired_at is null", [request.Id.Value], ct) == 0) throw new NotFoundException("A host in service with this id");
            await tx.Execute("update host_certificate set revoked_at = clock() where host_id = $1 and revoked_at is null", [request.Id], ct);
            await tx.Execute("update item set retired_at = clock() where host_id = $1 and retired_at is null", [request.Id.Value], ct);
            await Audit.Add(tx, caller, "host.retire", request.Id.ToString(), "", ct);
            await Notifications.Changed(tx, "hosts", request.Id.ToString(), ct);
        }, ct);
    }
}

/// <summary>What lies in a folder of a live host, asked of its agent.</summary>
public sealed class BrowseHost(AgentQuestions questions)
{
    /// <summary>Asks and waits up to 15 seconds.</summary>
    public async Task<BrowseAnswer> Handle(Caller caller, BrowseHostRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostBrowse);
        if (!request.Path.IsAbsolute) throw new BadInputException("path", $"'{request.Path}' is not absolute.", "Begin with a slash.");
        return new BrowseAnswer(await questions.Ask(request.Host, AgentRequestKind.ListFolder, request.Path, null, null, ct));
    }
}
