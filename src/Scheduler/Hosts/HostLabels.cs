using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Assignment;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Host = BackupDr.Contracts.Api.Host;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Labels of hosts.</summary>
static class HostLabelTable
{
    public static async Task Set(Transaction tx, HostId host, IReadOnlyDictionary<string, string> labels, CancellationToken ct)
    {
        HostLabels.Check(labels);
        await tx.Execute("delete from host_label where host_id = $1 and not key = any($2)", [host, labels.Keys.ToArray()], ct);
        await tx.Execute("""
            insert into host_label (host_id, key, value) select $1, * from unnest($2::text[], $3::text[])
            on conflict (host_id, key) do update set value = excluded.value
            """, [host, labels.Keys.ToArray(), labels.Values.ToArray()], ct);
    }

    /// <summary>Of hosts in service.</summary>
    public static async Task<ILookup<HostId, KeyValuePair<string, string>>> All(SqlSource db, CancellationToken ct)
        => (await db.Query("select host_id, key, value from host_label", [], row => (Host: row.Id<HostId>("host_id"),
            Label: KeyValuePair.Create(row.Text("key"), row.Text("value"))), ct)).ToLookup(one => one.Host, one => one.Label);
}

/// <summary>Gives a host labels, in place of those that it has. Rules of policies choose hosts by them.</summary>
public sealed class SetHostLabels(Postgres db)
{
    /// <summary>Sets them.</summary>
    /// <exception cref="BadInputException">One cannot be, or they are too many.</exception>
    public async Task<Host> Handle(Caller caller, SetHostLabelsRequest request, CancellationToken ct)
    {
        caller.Must(Right.HostManage);
        if (request.Labels is null) throw new BadInputException("labels", "There are no labels.", "Send labels: {}, to take all away.");
        return await db.InTransaction(async tx =>
        {
            if (await tx.First("select id from host where id = $1 and retired_at is null for update", [request.Id],
                row => (HostId?)row.Id<HostId>("id"), ct) is null) throw new NotFoundException("A host in service with this id");
            await HostLabelTable.Set(tx, request.Id, request.Labels, ct);
            await Audit.Add(tx, caller, "host.label", request.Id.ToString(), string.Join(", ",
                request.Labels.Select(label => $"{label.Key}={label.Value}")), ct);
            await Notifications.Changed(tx, "hosts", request.Id.ToString(), ct);
            return (await HostTable.Find(tx, request.Id, ct))!;
        }, ct);
    }
}
