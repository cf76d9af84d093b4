using System.CommandLine;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg list</c>.</summary>
static class PgListCommand
{
    public static Command Make()
    {
        var cluster = new Option<string?>("--cluster")
        {
            Description = "System identifier of the cluster, where the repository holds several.",
        };
        var command = new Command("list", "List the base backups of a cluster, and what can be restored from each. Exit code 3 with a gap.")
        {
            cluster,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            using var opened = await repository.Open(given, ct);
            var set = await RecoverySet.Load(opened, given.GetValue(cluster), ct);
            var ranges = set.Bases.Select(from => (Base: from, Range: RecoveryPlanner.RangeOf(from, set.Log))).ToList();
            output.Line($"Cluster {set.SystemIdentifier}");
            foreach (var (from, range) in ranges)
                output.Line($"  {from.Id[..8]}  from {from.Stop} at {from.StoppedAt:yyyy-MM-dd HH:mm:ss} UTC, timeline {from.Timeline}"
                    + (range is null ? "; its timeline leads nowhere" : $", up to {range.End} on timeline {range.Timeline}"
                    + (range.HasGap ? "; then a GAP" : "")));
            output.Line(set.Seen is { } seen ? $"The log was whole up to {seen.Position} at {seen.At:yyyy-MM-dd HH:mm:ss} UTC."
                : "No receiver told until when the log is whole.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("cluster", set.SystemIdentifier);
                if (set.Seen is { } last)
                {
                    json.WriteString("whole_until", last.At);
                    json.WriteString("whole_until_lsn", last.Position.ToString());
                }
                json.WriteStartArray("bases");
                foreach (var (from, range) in ranges)
                {
                    json.WriteStartObject();
                    json.WriteString("id", from.Id);
                    json.WriteNumber("timeline", from.Timeline);
                    json.WriteString("from_lsn", from.Stop.ToString());
                    json.WriteString("from_time", from.StoppedAt);
                    if (range is not null) json.WriteString("to_lsn", range.End.ToString());
                    if (range is not null) json.WriteNumber("to_timeline", range.Timeline);
                    json.WriteBoolean("gap", range?.HasGap ?? true);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                json.WriteEndObject();
            });
            return ranges.Any(pair => pair.Range is null or { HasGap: true }) ? ExitCodes.Incomplete : ExitCodes.Done;
        });
        return command;
    }
}
