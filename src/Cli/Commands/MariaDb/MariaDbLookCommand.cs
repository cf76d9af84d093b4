using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Cli.Commands.MariaDb;

/// <summary><c>backupdr mariadb list</c> and <c>forget</c>.</summary>
static class MariaDbLookCommand
{
    public static Command List()
    {
        var server = MariaDbCommand.Server();
        var command = new Command("list", "List the base backups of a server, and what can be restored from each. Exit code 3 with a gap.")
        {
            server,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            using var opened = await repository.Open(given, ct);
            var set = await MariaDbRecoverySet.Load(opened, given.GetValue(server), ct);
            var ranges = set.Bases.Select(from => BinlogPlanner.RangeOf(from, set.Log)).ToList();
            output.Line($"Server {set.Server}");
            foreach (var range in ranges)
                output.Line($"  {range.Base.Id[..8]}  from {range.Base.StoppedAt:yyyy-MM-dd HH:mm:ss} UTC ({range.Base.Gtid})"
                    + (range.End is { } end ? $", up to {end}" : ", no log stored") + (range.EndsInGap ? "; then a GAP" : ""));
            output.Line(set.Seen is { } seen
                ? $"The log was whole up to {seen.File.Name}:{seen.Position} at {seen.At:yyyy-MM-dd HH:mm:ss} UTC."
                : "No receiver told until when the log is whole.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("server", set.Server);
                if (set.Seen is { } last)
                {
                    json.WriteString("whole_until", last.At);
                    json.WriteString("whole_until_position", $"{last.File.Name}:{last.Position}");
                }
                json.WriteStartArray("bases");
                foreach (var range in ranges)
                {
                    json.WriteStartObject();
                    json.WriteString("id", range.Base.Id);
                    json.WriteString("from_time", range.Base.StoppedAt);
                    json.WriteString("from_position", $"{range.Base.File}:{range.Base.Position}");
                    json.WriteString("from_gtid", range.Base.Gtid);
                    if (range.End is { } end) json.WriteString("to_position", end);
                    json.WriteBoolean("gap", range.EndsInGap);
                    json.WriteEndObject();
                }
                json.WriteEndArray();
                json.WriteEndObject();
            });
            return ranges.Any(range => range.EndsInGap) ? ExitCodes.Incomplete : ExitCodes.Done;
        });
        return command;
    }

    public static Command Forget()
    {
        var last = new Option<string?>("--keep-last") { Description = "Base backups that stay at least; 1 where nothing is said." };
        var within = new Option<string?>("--keep-within")
        {
            Description = "Keep a way back to every moment of so long a time, for example 14d.",
        };
        var dryRun = new Option<bool>("--dry-run", "-n") { Description = "Only say what would go." };
        var server = MariaDbCommand.Server();
        var command = new Command("forget",
            "Remove old base backups of a server, and the log that no kept one needs. 'prune' frees the space.")
        {
            last, within, server, dryRun,
        };
        var repository = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            TimeSpan? window = given.GetValue(within) is { } time ? Sizes.ParseTime(time, "--keep-within") : null;
            var count = Count(given.GetValue(last), window);
            using var opened = await repository.Open(given, ct);
            var set = await MariaDbRecoverySet.Load(opened, given.GetValue(server), ct);
            var plan = MariaDbRetention.Plan(set.Bases, set.Logs, count, window, TimeProvider.System.GetUtcNow());
            foreach (var from in plan.KeptBases) output.Note($"keep    {from.Id[..8]}  {from.StoppedAt:yyyy-MM-dd HH:mm:ss} UTC");
            foreach (var from in plan.Bases) output.Note($"remove  {from.Id[..8]}  {from.StoppedAt:yyyy-MM-dd HH:mm:ss} UTC");
            var isDry = given.GetValue(dryRun);
            // Base backups first: one without its log would look as if something were lost.
            foreach (var ids in (IReadOnlyList<string>[])[[.. plan.Bases.Select(from => from.Id)], plan.Logs])
                if (!isDry && ids.Count > 0) await Engine.Upkeep.Forget.Remove(opened, [.. ids.Select(Id)], ct);
            output.Line($"{(isDry ? "Would remove" : "Removed")} {Output.Count(plan.Bases.Count, "base backup")} and "
                + $"{Output.Count(plan.Logs.Count, "snapshot")} of the log.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteBoolean("dry_run", isDry);
                json.WriteNumber("bases_kept", plan.KeptBases.Count);
                json.WriteNumber("bases_removed", plan.Bases.Count);
                json.WriteNumber("log_snapshots_removed", plan.Logs.Count);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }

    static BlobId Id(string text) => BlobId.TryParse(text, out var id) ? id : throw new InvalidOperationException($"'{text}' is no id.");

    static int Count(string? last, TimeSpan? within)
    {
        if (last is null)
            return within is not null ? 1 : throw new BadInputException("--keep-last",
                "It was not said how many base backups stay, or for how long.", "Give --keep-last, --keep-within, or both.");
        return int.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number
            : throw new BadInputException("--keep-last", $"'{last}' is no number of base backups.", "Write a number above 0.");
    }
}
