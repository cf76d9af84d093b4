using System.Reflection;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;

namespace BackupDr.Scheduler.Telemetry;

/// <summary>GET metrics: numbers for a monitoring system, in Prometheus' text format.</summary>
public sealed record ShowMetricsRequest;

/// <summary>What there is to watch: from the tables, so that each node tells the same of the fleet, and from this process.</summary>
public sealed class ShowMetrics(Postgres db, ListItems listItems, NodeOptions node)
{
    /// <summary>Items that get series of their own.</summary>
    const int MostItems = 5000;
    static readonly string Version =
        typeof(ShowMetrics).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>Gives the text.</summary>
    public async Task<string> Handle(Caller caller, ShowMetricsRequest request, CancellationToken ct)
    {
        caller.Must(Right.SafetyRead);
        return (await Text(caller, ct)).ToString();
    }

    /// <summary>The same for the node itself, which does not read text.</summary>
    internal async Task<IReadOnlyList<MetricFamily>> Read(Caller caller, CancellationToken ct) => (await Text(caller, ct)).Families;

    async Task<PrometheusText> Text(Caller caller, CancellationToken ct)
    {
        var text = new PrometheusText();
        text.Family("backupdr_node_info", MetricKind.Gauge, "1; which node answers, and its version.")
            .Value(1, ("node", node.NameOrMachine), ("version", Version));
        await Runs(text, ct);
        await Hosts(text, ct);
        Items(text, await listItems.Handle(caller, new ListItemsRequest(), ct));
        await ControlPlane(text, ct);
        Process(text);
        return text;
    }

    async Task Runs(PrometheusText text, CancellationToken ct)
    {
        var open = await db.Query("""
            select kind, state, count(*) as runs, extract(epoch from clock() - min(due_at))::float8 as oldest from run
            where state in ('Queued', 'Leased', 'Running') group by kind, state order by kind, state
            """, [], row => (Kind: row.Text("kind"), State: row.Text("state"), Runs: row.Long("runs"), Oldest: row.Double("oldest")), ct);
        text.Family("backupdr_runs_open", MetricKind.Gauge, "Runs that have not ended, by kind and state.");
        foreach (var one in open) text.Value(one.Runs, ("kind", one.Kind), ("state", one.State));
        text.Family("backupdr_queue_oldest_seconds", MetricKind.Gauge, "How long the run that is due for longest has waited for an agent.")
            .Value(Math.Max(0, open.Where(one => one.State == "Queued").Select(one => one.Oldest).DefaultIfEmpty().Max()));
        // The time as a subquery: once, and so that the index of what ended can be used.
        var ended = await db.Query("""
            select kind, state, count(*) as runs from run where finished_at > (select clock()) - interval '1 day'
            group by kind, state order by kind, state
            """, [], row => (Kind: row.Text("kind"), State: row.Text("state"), Runs: row.Long("runs")), ct);
        text.Family("backupdr_runs_ended_last_day", MetricKind.Gauge, "Runs that ended in the last 24 hours, by kind and how they ended.");
        foreach (var one in ended) text.Value(one.Runs, ("kind", one.Kind), ("state", one.State));
    }

    async Task Hosts(PrometheusText text, CancellationToken ct)
    {
        text.Family("backupdr_hosts", MetricKind.Gauge, "Hosts by the state of their agents.");
        foreach (var group in (await HostTable.All(db, ct)).GroupBy(host => host.State).OrderBy(group => group.Key))
            text.Value(group.Count(), ("state", group.Key.ToString()));
        text.Family("backupdr_alerts_open", MetricKind.Gauge, "Open alerts, by kind and severity.");
        foreach (var one in await db.Query("""
            select kind, severity, count(*) as alerts from alert where cleared_at is null group by kind, severity order by kind, severity
            """, [], row => (Kind: row.Text("kind"), Severity: row.Text("severity"), Alerts: row.Long("alerts")), ct))
            text.Value(one.Alerts, ("kind", one.Kind), ("severity", one.Severity));
    }

    static void Items(PrometheusText text, IReadOnlyList<Item> items)
    {
        text.Family("backupdr_items", MetricKind.Gauge, "Protected items, by state.");
        foreach (var group in items.GroupBy(item => item.State).OrderBy(group => group.Key))
            text.Value(group.Count(), ("state", group.Key.ToString()));
        var told = items.Where(item => item.State != ItemState.Off).OrderBy(item => item.Id.Value).Take(MostItems).ToList();
        Each("backupdr_item_newest_point_timestamp_seconds", "The newest moment of an item that can be restored to, as seconds since 1970.",
            item => item.NewestMoment is { } at ? at.ToUnixTimeMilliseconds() / 1000.0 : null);
        Each("backupdr_item_rpo_seconds", "What an item's policy wants: the most that may be lost.", item => item.Rpo.TotalSeconds);
        Each("backupdr_item_proof_timestamp_seconds", "When an item was last restored as a test, and proven, as seconds since 1970.",
            item => item.LastProofAt is { } at ? at.ToUnixTimeMilliseconds() / 1000.0 : null);

        void Each(string name, string help, Func<Item, double?> value)
        {
            text.Family(name, MetricKind.Gauge, help);
            foreach (var item in told)
                if (value(item) is { } number) text.Value(number, ("item", item.Name), ("host", item.HostName), ("id", item.Id.ToString()));
        }
    }

    async Task ControlPlane(PrometheusText text, CancellationToken ct)
    {
        var (term, exported) = await db.First("select term, exported_at from control_plane", [],
            row => (row.Long("term"), row.TimeOrNull("exported_at")), ct);
        text.Family("backupdr_control_plane_term", MetricKind.Gauge, "Raised by each rebuild.").Value(term);
        text.Family("backupdr_control_plane_export_timestamp_seconds", MetricKind.Gauge,
            "When the state of the control plane was last stored outside of its database, as seconds since 1970.");
        if (exported is { } at) text.Value(at.ToUnixTimeMilliseconds() / 1000.0);
        text.Family("backupdr_database_bytes", MetricKind.Gauge, "Size of the nodes' database.")
            .Value(await db.Scalar<long>("select pg_database_size(current_database())", [], ct));
    }

    static void Process(PrometheusText text)
    {
        using var process = System.Diagnostics.Process.GetCurrentProcess();
        text.Family("process_cpu_seconds_total", MetricKind.Counter, "Processor time of this node.")
            .Value(process.TotalProcessorTime.TotalSeconds);
        text.Family("process_resident_memory_bytes", MetricKind.Gauge, "Memory of this node.").Value(process.WorkingSet64);
        text.Family("process_start_time_seconds", MetricKind.Gauge, "When this node started, as seconds since 1970.")
            .Value(new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds() / 1000.0);
        text.Family("dotnet_gc_heap_bytes", MetricKind.Gauge, "Managed memory in use.")
            .Value(GC.GetTotalMemory(forceFullCollection: false));
        text.Family("dotnet_gc_pause_seconds_total", MetricKind.Counter, "Time that collections stopped this node.")
            .Value(GC.GetTotalPauseDuration().TotalSeconds);
        text.Family("dotnet_threadpool_queue_length", MetricKind.Gauge, "Work that waits for a thread.")
            .Value(ThreadPool.PendingWorkItemCount);
    }
}
