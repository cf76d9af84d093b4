using System.CommandLine;
using BackupDr.Engine.Tiers;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr tier</c>.</summary>
sealed class TierCommand
{
    readonly Option<string> _class = new("--class")
    {
        Description = "Where to, in the store's word: for example STANDARD_IA, GLACIER_IR or DEEP_ARCHIVE; at Azure Cool, Cold or Archive.",
        Required = true,
    };
    readonly Option<string> _olderThan = new("--older-than")
    {
        Description = "Least time since a pack was stored or moved last, for example 30d.",
        Required = true,
    };
    readonly Option<bool> _dryRun = new("--dry-run", "-n") { Description = "Only tell what would be done." };

    public static Command Make()
    {
        var made = new TierCommand();
        var command = new Command("tier",
            "Move packs with the content of files into another storage class, by age. Folders, index, snapshots and keys stay.")
        {
            made._class, made._olderThan, made._dryRun,
        };
        var repository = new RepositoryArguments(command);
        command.SetAction((given, ct) => made.Run(repository, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var request = new TierRequest(given.GetValue(_class)!, Sizes.ParseTime(given.GetValue(_olderThan)!, "--older-than"),
            given.GetValue(_dryRun));
        using var repository = await arguments.Open(given, ct);
        TierReport report;
        using (var progress = new ProgressLine(output, TimeProvider.System))
            report = await TierRun.Execute(repository, request,
                progress.Of<TierProgress>(at => new Step(at.Done, at.Total, at.BytesDone, at.BytesTotal, "packs")), ct);
        output.Line($"{(request.IsDryRun ? "Would move" : "Moved")} {Output.Count(report.Moved, "pack")} "
            + $"({Output.Size(report.MovedBytes)}) to {request.Class}.{(request.IsDryRun ? " Nothing was changed." : "")}");
        void Note(int count, string why)
        {
            if (count > 0) output.Note($"{Output.Count(count, "pack")} {why}.");
        }
        Note(report.There, "there already");
        Note(report.Young, "not old enough");
        Note(report.Early, "not moved, because the days that their class charges at least are not over");
        Note(report.Archived, "not moved, because they would have to be thawed first");
        Note(report.WithFolders, "not moved, because they hold folders, which every command reads");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "tier_summary");
            json.WriteBoolean("dry_run", request.IsDryRun);
            json.WriteString("class", request.Class);
            json.WriteNumber("moved_packs", report.Moved);
            json.WriteNumber("moved_bytes", report.MovedBytes);
            json.WriteNumber("there_packs", report.There);
            json.WriteNumber("young_packs", report.Young);
            json.WriteNumber("early_packs", report.Early);
            json.WriteNumber("archived_packs", report.Archived);
            json.WriteNumber("folder_packs", report.WithFolders);
            json.WriteNumber("garbage_packs", report.Garbage);
            json.WriteEndObject();
        });
        return ExitCodes.Done;
    }
}
