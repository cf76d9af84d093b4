using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg forget</c>.</summary>
sealed class PgForgetCommand
{
    readonly Option<string?> _last = new("--keep-last") { Description = "Sound base backups that stay at least; 1 where nothing is said." };
    readonly Option<string?> _within = new("--keep-within")
    {
        Description = "Keep a way back to every moment of so long a time, for example 14d.",
    };
    readonly Option<string?> _cluster = new("--cluster")
    {
        Description = "System identifier of the cluster, where the repository holds several.",
    };
    readonly Option<bool> _dryRun = new("--dry-run", "-n") { Description = "Only say what would go." };

    public static Command Make()
    {
        var made = new PgForgetCommand();
        var command = new Command("forget",
            "Remove old base backups of a cluster, and the log that no kept one needs. 'prune' frees the space.")
        {
            made._last, made._within, made._cluster, made._dryRun,
        };
        var repository = new RepositoryArguments(command);
        command.SetAction((given, ct) => made.Run(repository, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var (last, within) = Rules(given);
        using var opened = await arguments.Open(given, ct);
        var set = await RecoverySet.Load(opened, given.GetValue(_cluster), ct);
        var plan = ClusterRetention.Plan(set.Bases, set.Logs, last, within, TimeProvider.System.GetUtcNow(), set.Log.SegmentBytes);
        foreach (var from in plan.KeptBases) output.Note($"keep    {from.Id[..8]}  {from.StoppedAt:yyyy-MM-dd HH:mm:ss} UTC");
        foreach (var from in plan.Bases) output.Note($"remove  {from.Id[..8]}  {from.StoppedAt:yyyy-MM-dd HH:mm:ss} UTC");
        var isDry = given.GetValue(_dryRun);
        // Base backups first: one without its log would look as if something were lost.
        foreach (var ids in (IReadOnlyList<string>[])[[.. plan.Bases.Select(from => from.Id)], [.. plan.Logs.Select(log => log.Id)]])
            if (!isDry && ids.Count > 0) await Forget.Remove(opened, [.. ids.Select(Id)], ct);
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
    }

    static BlobId Id(string text) => BlobId.TryParse(text, out var id) ? id : throw new InvalidOperationException($"'{text}' is no id.");

    (int Last, TimeSpan? Within) Rules(ParseResult given)
    {
        TimeSpan? within = given.GetValue(_within) is { } time ? Sizes.ParseTime(time, "--keep-within") : null;
        if (given.GetValue(_last) is not { } text)
            return within is not null ? (1, within) : throw new BadInputException("--keep-last",
                "It was not said how many base backups stay, or for how long.", "Give --keep-last, --keep-within, or both.");
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? (number, within)
            : throw new BadInputException("--keep-last", $"'{text}' is no number of base backups.", "Write a number above 0.");
    }
}
