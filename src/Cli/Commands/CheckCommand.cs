using System.CommandLine;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr check</c>.</summary>
sealed class CheckCommand
{
    readonly Option<bool> _readData = new("--read-data") { Description = "Read, hash and decode every stored byte." };

    public static Command Make()
    {
        var made = new CheckCommand();
        var command = new Command("check", "Check a repository. Exit code 1 where something is damaged.") { made._readData };
        var repository = new RepositoryArguments(command);
        command.SetAction((given, ct) => made.Run(repository, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        using var repository = await arguments.Open(given, ct);
        CheckReport report;
        using (var progress = new ProgressLine(output, TimeProvider.System))
            report = await RepositoryCheck.Execute(repository, given.GetValue(_readData),
                progress.Of<CheckProgress>(at => new Step(at.PacksDone, at.PacksTotal, 0, null, "packs")), ct);
        if (!output.IsJson)
            foreach (var error in report.Errors) await Console.Error.WriteLineAsync($"damaged: {error}");
        foreach (var remark in report.Remarks) output.Note($"note: {remark}");
        output.Line($"Looked at {report.Snapshots} snapshots, {report.Trees} folders and {report.Packs} packs"
            + (given.GetValue(_readData) ? $", read {Output.Size(report.BytesRead)}" : "")
            + (report.IsGood ? ": no errors were found." : $": {report.Errors.Count} errors."));
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteNumber("num_errors", report.Errors.Count);
            json.WriteStartArray("errors");
            foreach (var error in report.Errors) json.WriteStringValue(error);
            json.WriteEndArray();
            json.WriteNumber("snapshots", report.Snapshots);
            json.WriteNumber("packs", report.Packs);
            json.WriteNumber("bytes_read", report.BytesRead);
            json.WriteEndObject();
        });
        return report.IsGood ? ExitCodes.Done : ExitCodes.Failed;
    }
}
