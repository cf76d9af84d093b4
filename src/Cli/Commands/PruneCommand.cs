using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Garbage;
using BackupDr.Engine.ObjectLocks;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr prune</c>, and the part of it that <c>forget --prune</c> shares.</summary>
sealed class PruneCommand
{
    readonly Option<string> _maxUnused = new("--max-unused")
    {
        Description = "What may stay unused: '5%', a size such as '200M', or 'unlimited'.",
        DefaultValueFactory = _ => "5%",
    };
    readonly Option<string?> _maxRepack = new("--max-repack-size") { Description = "Rewrite at most so much, for example '2G'." };
    readonly Option<string> _keepDelete = new("--keep-delete")
    {
        Description = "Least time between marking and removing, for example '24h' or '2d'.",
        DefaultValueFactory = _ => "0",
    };
    readonly Option<bool> _wait = new("--wait") { Description = "Wait until all that was marked can be removed." };

    public PruneCommand(Command command)
    {
        command.Options.Add(_maxUnused);
        command.Options.Add(_maxRepack);
        command.Options.Add(_keepDelete);
        command.Options.Add(_wait);
    }

    public static Command Make()
    {
        var command = new Command("prune", "Give back the space of what no snapshot needs. Backups may run meanwhile.");
        var made = new PruneCommand(command);
        var dryRun = new Option<bool>("--dry-run", "-n") { Description = "Only tell what would be done." };
        command.Options.Add(dryRun);
        var arguments = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            var request = made.Request(given, given.GetValue(dryRun));
            using var repository = await arguments.Open(given, ct);
            Tell(output, request, await Run(output, repository, request, ct));
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>What the options ask for.</summary>
    public PruneRequest Request(ParseResult given, bool isDryRun)
    {
        var unused = given.GetValue(_maxUnused)!;
        var percent = 0.0;
        var isPercent = unused.EndsWith('%')
            && double.TryParse(unused[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out percent)
            && percent is >= 0 and < 100;
        if (unused.EndsWith('%') && !isPercent)
            throw new BadInputException("--max-unused", $"'{unused}' is no share.", "Write a percentage from 0% to below 100%.");
        return new PruneRequest
        {
            MaximumUnusedPercent = percent,
            MaximumUnusedBytes = isPercent ? null : unused == "unlimited" ? long.MaxValue : Sizes.Parse(unused, "--max-unused"),
            MaximumRepackBytes = given.GetValue(_maxRepack) is { } size ? Sizes.Parse(size, "--max-repack-size") : null,
            KeepDelete = Sizes.ParseTime(given.GetValue(_keepDelete)!, "--keep-delete"),
            Waits = given.GetValue(_wait),
            IsDryRun = isDryRun,
        };
    }

    public static async Task<PruneReport> Run(Output output, Repository repository, PruneRequest request, CancellationToken ct)
    {
        using var progress = new ProgressLine(output, TimeProvider.System);
        return await GarbageCollection.Execute(repository, request,
            progress.Of<PruneProgress>(at => new Step(at.Done, at.Total, 0, null, $"packs ({at.Step})")), ct);
    }

    public static void Tell(Output output, PruneRequest request, PruneReport report)
    {
        var plan = report.Plan;
        output.Note($"{Output.Count(plan.Snapshots, "snapshot needs", "snapshots need")} {Output.Size(plan.UsedBytes)} "
            + $"in {Output.Count(plan.Packs, "pack")}; "
            + $"{Output.Size(plan.UnusedBytes)} in them is unused.");
        output.Note($"To remove: {Output.Count(plan.DeadPacks, "pack")} without use ({Output.Size(plan.DeadBytes)}), "
            + $"{plan.OrphanPacks} of interrupted runs ({Output.Size(plan.OrphanBytes)}), "
            + $"{plan.MarkedPacks} marked before ({Output.Size(plan.MarkedBytes)}).");
        output.Note($"To rewrite: {Output.Count(plan.RepackPacks, "pack")}, copying {Output.Size(plan.RepackBytes)} "
            + $"to free {Output.Size(plan.RepackFreedBytes)}; {Output.Size(plan.LeftUnusedBytes)} stays unused.");
        output.Line(request.IsDryRun ? $"Would give back {Output.Size(plan.FreedBytes)}. Nothing was changed."
            : $"Gave back {Output.Size(report.RemovedBytes)} in {Output.Count(report.RemovedPacks, "pack")}.");
        if (plan.ColdPacks > 0)
            output.Note($"{Output.Count(plan.ColdPacks, "pack")} with unused parts not rewritten: in an archive, or in a class whose "
                + "least days are not over.");
        if (plan.EarlyPacks > 0)
        {
            var cost = plan.EarlyCost.ToString("0.00", CultureInfo.InvariantCulture);
            output.Line($"{Output.Count(plan.EarlyPacks, "pack")} ({Output.Size(plan.EarlyBytes)}) to remove before the days are over that "
                + $"their class charges at least: roughly {cost} USD for the rest.");
        }
        if (report.HiddenBytes > 0)
            output.Line($"{(request.IsDryRun ? "Would remove" : "Removed")} {Output.Size(report.HiddenBytes)} of what was deleted before "
                + "and the store kept.");
        if (report.ExtendedLocks > 0) output.Note($"Extended the retention of {Output.Count(report.ExtendedLocks, "object")}.");
        if (report.Locked.Objects > 0) output.Line(Words(report.Locked));
        if (report.RescuedPacks > 0)
            output.Note($"{Output.Count(report.RescuedPacks, "marked pack is", "marked packs are")} needed again and not removed.");
        if (report.WaitingPacks > 0 && !request.IsDryRun)
            output.Line($"{Output.Count(report.WaitingPacks, "pack is marked and is", "packs are marked and are")} "
                + "removed by a later prune.");
        foreach (var owner in report.WaitsFor) output.Line($"Waiting for {owner}.");
        if (report.NotBefore is { } time) output.Line($"Not before {time:u}.");
        output.Json(json => Write(json, request, report));
    }

    /// <summary>"12.300 GiB in 40 objects that nothing needs are locked: space returns with a prune from 2026-12-20 on."</summary>
    static string Words(LockedSpace locked)
    {
        var words = $"{Output.Size(locked.Bytes)} in {Output.Count(locked.Objects, "object")} that nothing needs "
            + (locked.Objects == 1 ? "is locked" : "are locked");
        if (locked.First is { } first && locked.Last is { } last)
            words += $": space returns with a prune from {Day(first)} on"
                + (Day(first) == Day(last) ? "" : $", all of it from {Day(last)}");
        return words + (locked.Held > 0 ? $"; a legal hold keeps {locked.Held} of them." : ".");
    }

    // The day after, where it is not over at midnight: on that day it is free for sure.
    internal static string Day(DateTimeOffset until)
        => until.UtcDateTime.AddDays(until.UtcDateTime.TimeOfDay > TimeSpan.Zero ? 1 : 0)
            .ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    static void Write(Utf8JsonWriter json, PruneRequest request, PruneReport report)
    {
        var plan = report.Plan;
        json.WriteStartObject();
        json.WriteString("message_type", "prune_summary");
        json.WriteBoolean("dry_run", request.IsDryRun);
        json.WriteNumber("snapshots", plan.Snapshots);
        json.WriteNumber("packs", plan.Packs);
        json.WriteNumber("used_bytes", plan.UsedBytes);
        json.WriteNumber("unused_bytes", plan.UnusedBytes);
        json.WriteNumber("dead_packs", plan.DeadPacks);
        json.WriteNumber("orphan_packs", plan.OrphanPacks);
        json.WriteNumber("repack_packs", plan.RepackPacks);
        json.WriteNumber("repack_bytes", plan.RepackBytes);
        json.WriteNumber("marked_packs", plan.MarkedPacks);
        json.WriteNumber("freed_bytes", plan.FreedBytes);
        json.WriteNumber("left_unused_bytes", plan.LeftUnusedBytes);
        json.WriteNumber("removed_packs", report.RemovedPacks);
        json.WriteNumber("removed_bytes", report.RemovedBytes);
        json.WriteNumber("rescued_packs", report.RescuedPacks);
        json.WriteNumber("waiting_packs", report.WaitingPacks);
        json.WriteNumber("cold_packs", plan.ColdPacks);
        json.WriteNumber("early_packs", plan.EarlyPacks);
        json.WriteNumber("early_bytes", plan.EarlyBytes);
        json.WriteNumber("early_cost_usd", plan.EarlyCost);
        json.WriteNumber("extended_locks", report.ExtendedLocks);
        json.WriteNumber("hidden_bytes", report.HiddenBytes);
        json.WriteNumber("locked_objects", report.Locked.Objects);
        json.WriteNumber("locked_bytes", report.Locked.Bytes);
        if (report.Locked.First is { } first) json.WriteString("locked_first", first);
        if (report.Locked.Last is { } last) json.WriteString("locked_last", last);
        json.WriteStartArray("waits_for");
        foreach (var owner in report.WaitsFor) json.WriteStringValue(owner.ToString());
        json.WriteEndArray();
        if (report.NotBefore is { } time) json.WriteString("not_before", time);
        json.WriteEndObject();
    }
}
