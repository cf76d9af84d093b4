using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine.Upkeep;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr check</c>.</summary>
sealed class CheckCommand
{
    readonly Option<bool> _readData = new("--read-data") { Description = "Read, hash and decode every stored byte." };

    readonly Option<string?> _subset = new("--read-data-subset")
    {
        Description = "Read one part of several, for example 2/7, or a random share, for example 5%.",
    };

    public static Command Make()
    {
        var made = new CheckCommand();
        var command = new Command("check", "Check a repository. Exit code 1 where something is damaged.") { made._readData, made._subset };
        var repository = new RepositoryArguments(command);
        command.SetAction((given, ct) => made.Run(repository, given, ct));
        return command;
    }

    CheckScope Data(ParseResult given)
    {
        if (given.GetValue(_subset) is not { } text) return given.GetValue(_readData) ? CheckScope.All : CheckScope.None;
        if (given.GetValue(_readData))
            throw new BadInputException("--read-data-subset", "--read-data reads everything already.", "Give one of the two.");
        if (text.EndsWith('%') && double.TryParse(text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var percent)
            && percent is > 0 and <= 100)
            return CheckScope.Percent(percent);
        if (text.Split('/') is [var first, var second] && int.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var part)
            && int.TryParse(second, NumberStyles.None, CultureInfo.InvariantCulture, out var of) && part >= 1 && part <= of)
            return CheckScope.Part(part, of);
        throw new BadInputException("--read-data-subset", $"'{text}' is no part of the data.", "Write for example 2/7 or 5%.");
    }

    async Task<int> Run(RepositoryArguments arguments, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var data = Data(given);
        using var repository = await arguments.Open(given, ct);
        CheckReport report;
        using (var progress = new ProgressLine(output, TimeProvider.System))
            report = await RepositoryCheck.Execute(repository, data,
                progress.Of<CheckProgress>(at => new Step(at.PacksDone, at.PacksTotal, 0, null, "packs")), ct);
        if (!output.IsJson)
            foreach (var error in report.Errors) await Console.Error.WriteLineAsync($"damaged: {error}");
        if (report.ArchivedPacks > 0)
            output.Line($"{Output.Count(report.ArchivedPacks, "pack")} ({Output.Size(report.ArchivedBytes)}) in an archive: not read.");
        foreach (var remark in report.Remarks) output.Note($"note: {remark}");
        output.Line($"Looked at {Output.Count(report.Snapshots, "snapshot")}, {Output.Count(report.Trees, "folder")} "
            + $"and {Output.Count(report.Packs, "pack")}"
            + (report.BytesRead > 0 ? $", read {Output.Size(report.BytesRead)}" : "")
            + (report.IsGood ? ": no errors were found." : $": {Output.Count(report.Errors.Count, "error")}."));
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
            json.WriteNumber("archived_packs", report.ArchivedPacks);
            json.WriteEndObject();
        });
        return report.IsGood ? ExitCodes.Done : ExitCodes.Failed;
    }
}
