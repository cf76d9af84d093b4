using System.Globalization;
using System.IO.Compression;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Npgsql;

namespace BackupDr.Scheduler.Telemetry;

/// <summary>What somebody who helps needs to see of an installation, in one file, without anything that opens a door.</summary>
/// <remarks>
/// Tables are written by the names of their columns, and only those that are listed here: a column that is added later is not in the
/// bundle until somebody has looked at it. Sealed columns, hashes of passwords and keys, and credentials are in none.
/// </remarks>
public sealed class WriteSupportBundle(Postgres db, NodeSettings settings, RecentLog log, ShowMetrics metrics)
{
    const int MostRuns = 500, MostEvents = 5000;

    static readonly (string File, string Sql)[] Tables =
    [
        ("hosts", """
            select id, name, operating_system, agent_version, protocol_version, is_mover, joined_at, last_seen_at, retired_at, load
            from host order by id
            """),
        ("locations", """
            select id, name, kind, path, address, host_id, created_at, credentials_set_at, tested_at, test_lines, quota_bytes, lock_days,
                lock_mode, tier_class, tier_after_days, bandwidth, is_closed from location order by id
            """),
        ("repositories", """
            select id, location_id, host_id, url, state, config_id, created_at, name, adopted_at, look_problem, upkeep_allowed, checked_at,
                damage, check_due_at, tier_due_at from repository order by id
            """),
        ("replicas", "select repository_id, location_id, url, added_at, tried_at, equal_at, problem from replica order by 1, 2"),
        ("policies", """
            select id, name, spec - 'hooks' as spec, version, created_at, paused_at, pause_reason, removed_at from policy order by id
            """),
        ("items", """
            select id, policy_id, host_id, repository_id, name, source->>'kind' as kind, created_at, retired_at from item order by id
            """),
        ("duties", "select item_id, epoch, holder, held_until, version, report, reported_at, ended_at from duty order by item_id"),
        ("alerts", """
            select id, cause, kind, severity, title, effect, raised_at, updated_at, cleared_at, acknowledged_by from alert
            order by raised_at desc limit 500
            """),
        ("channels", "select id, name, kind, is_paused, created_at, answered_at, answer, answer_is_good from channel order by id"),
        ("messages", """
            select id, channel_id, state, created_at, due_at, attempts, ended_at, answer from message order by created_at desc limit 500
            """),
        ("control_plane", "select installation, term, export_seq, exported_at, export_due_at, export_held_until from control_plane"),
        ("exports", "select place, seq, exported_at, problem, problem_since, swept_at from control_export order by place"),
        ("runs", $"""
            select id, kind, state, title, item_id, policy_id, host_id, repository_id, point_id, nominal_at, due_at, created_at, started_at,
                finished_at, requested_by, lease_epoch, lease_until, cancel_asked_at, progress, result->'error' as error from run
            order by id desc limit {MostRuns}
            """),
        ("run_events", $"""
            select run_id, seq, epoch, at, level, code, text from run_event where level <> 'Info' order by run_id desc, seq
            limit {MostEvents}
            """),
        ("migrations", "select name, applied_at from migration order by name"),
        ("tables", """
            select relname as name, n_live_tup as rows, n_dead_tup as dead, pg_total_relation_size(relid) as bytes, last_autovacuum,
                last_autoanalyze from pg_stat_user_tables order by relname
            """),
        ("connections", """
            select application_name, state, wait_event_type, wait_event, count(*) as connections, max(clock_timestamp() - xact_start)::text
                as longest from pg_stat_activity where datname = current_database() group by 1, 2, 3, 4 order by 1, 2
            """),
    ];

    /// <summary>Handles POST support-bundle.</summary>
    public async Task<SupportBundle> Handle(Caller caller, WriteSupportBundleRequest request, CancellationToken ct)
    {
        caller.Must(Right.AuditRead);
        var now = await db.Scalar<DateTimeOffset>("select clock()", [], ct);
        await db.InTransaction(tx => Audit.Add(tx, caller, "support_bundle.write", "", "", ct), ct);
        using var buffer = new MemoryStream();
        await using (var zip = new ZipArchive(buffer, ZipArchiveMode.Create, leaveOpen: true))
        {
            await Put(zip, "about.txt", About(now), ct);
            await Put(zip, "settings.txt", Shown(settings), ct);
            await Put(zip, "metrics.txt", await metrics.Handle(caller, new ShowMetricsRequest(), ct), ct);
            await Put(zip, "log.txt", string.Join('\n', log.All), ct);
            foreach (var (file, sql) in Tables) await Put(zip, $"{file}.jsonl", await Rows(sql, ct), ct);
        }
        return new SupportBundle(string.Create(CultureInfo.InvariantCulture, $"backupdr-support-{now:yyyyMMdd-HHmmss}.zip"),
            buffer.ToArray());
    }

    static async Task Put(ZipArchive zip, string name, string text, CancellationToken ct)
    {
        await using var entry = await zip.CreateEntry(name, CompressionLevel.Optimal).OpenAsync(ct);
        await entry.WriteAsync(Encoding.UTF8.GetBytes(text), ct);
    }

    async Task<string> Rows(string sql, CancellationToken ct)
        => string.Join('\n', await db.Query($"select to_jsonb(t)::text as row from ({sql}) t", [], row => row.Text("row"), ct));

    string About(DateTimeOffset now) => string.Create(CultureInfo.InvariantCulture, $"""
        written    {now:u}
        node       {settings.Node.NameOrMachine} ({string.Join(", ", settings.Node.Roles)})
        version    {typeof(WriteSupportBundle).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}
        runtime    {RuntimeInformation.FrameworkDescription}
        system     {RuntimeInformation.OSDescription}, {Environment.ProcessorCount} processors
        started    {System.Diagnostics.Process.GetCurrentProcess().StartTime.ToUniversalTime():u}

        """);

    /// <summary>Settings by name, without the database's password.</summary>
    internal static string Shown(NodeSettings settings)
    {
        var database = new NpgsqlConnectionStringBuilder(settings.Database.ConnectionString);
        if (database.Password is { Length: > 0 }) database.Password = "…";
        if (database.SslPassword is { Length: > 0 }) database.SslPassword = "…";
        var text = new StringBuilder();
        foreach (var section in typeof(NodeSettings).GetProperties())
            foreach (var key in section.PropertyType.GetProperties().Where(key => key.CanWrite))
            {
                var value = key.GetValue(section.GetValue(settings));
                text.Append(CultureInfo.InvariantCulture, $"{section.Name}:{key.Name} = ")
                    .AppendLine(key.Name == nameof(DatabaseOptions.ConnectionString) ? database.ConnectionString
                        : value is System.Collections.IEnumerable and not string ? string.Join(",", ((System.Collections.IEnumerable)value)
                            .Cast<object>()) : Convert.ToString(value, CultureInfo.InvariantCulture));
            }
        return text.ToString();
    }
}
