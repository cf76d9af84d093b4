using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr restore SNAPSHOT[:PATH] --target DIR</c>.</summary>
sealed class RestoreCommand
{
    readonly Argument<string> _snapshot = new("SNAPSHOT[:PATH]")
    {
        Description = "The beginning of an id or 'latest'. With a path, what lies below it is put straight into the target.",
    };
    readonly Option<string> _target = new("--target", "-t")
    {
        Required = true,
        Description = "Folder to restore into; made where it is missing.",
    };
    readonly Option<string[]> _includes = new("--include", "-i")
    {
        Description = "Absolute path inside the snapshot, restored alone; may be repeated.",
    };
    readonly Option<string> _overwrite = new("--overwrite")
    {
        DefaultValueFactory = _ => "always",
        Description = "Files that exist already: always replace them, if-changed, or never.",
    };

    public static Command Make()
    {
        var made = new RestoreCommand();
        var command = new Command("restore",
            "Put a snapshot, or a part of it, into a folder. Exit code 3 where some files could not be restored.")
        {
            made._snapshot, made._target, made._includes, made._overwrite,
        };
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, given, ct));
        return command;
    }

    OverwritePolicy Policy(ParseResult given) => given.GetValue(_overwrite) switch
    {
        "always" => OverwritePolicy.Always,
        "if-changed" => OverwritePolicy.IfChanged,
        "never" => OverwritePolicy.Never,
        var other => throw new BadInputException("--overwrite", $"--overwrite: '{other}' is not known.",
            "Write always, if-changed or never."),
    };

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var policy = Policy(given);
        var folder = FilePath.FromText(Path.GetFullPath(given.GetValue(_target)!));
        using var repository = await arguments.Open(given, ct);
        var (snapshot, path) = await which.Find(repository, given.GetValue(_snapshot)!, given, ct);
        using var target = FileTarget.Open(folder, policy);
        RestoreSummary summary;
        using (var progress = new ProgressLine(output, TimeProvider.System))
            summary = await RestoreRun.Execute(repository, snapshot, path,
                [.. (given.GetValue(_includes) ?? []).Select(FilePath.Parse)], target,
                progress.Of<RestoreProgress>(at => new Step(at.FilesDone, at.FilesTotal, at.BytesDone, at.BytesTotal)), ct);
        foreach (var problem in summary.Failed) output.Problem(problem.Path, problem.Message);
        if (policy == OverwritePolicy.Never)
            foreach (var kept in summary.Kept) output.Note($"kept: {kept.Path}: {kept.Message}");
        foreach (var remark in target.Remarks) output.Note($"note: {remark.Path}: {remark.Message}");
        Tell(output, summary, snapshot.ShortId, folder);
        return summary.Failed.Count == 0 ? ExitCodes.Done : ExitCodes.Incomplete;
    }

    static void Tell(Output output, RestoreSummary summary, string snapshot, FilePath folder)
    {
        output.Line($"Restored {summary.Files} files ({Output.Size(summary.Bytes)}) of snapshot {snapshot} into {folder} "
            + $"in {Output.Time(summary.Duration)}"
            + (summary.Failed.Count == 0 ? "." : $"; {summary.Failed.Count} entries could not be restored."));
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteNumber("seconds_elapsed", summary.Duration.TotalSeconds);
            json.WriteNumber("files_restored", summary.Files);
            json.WriteNumber("bytes_restored", summary.Bytes);
            json.WriteNumber("files_kept", summary.Kept.Count);
            json.WriteNumber("errors", summary.Failed.Count);
            json.WriteEndObject();
        });
    }
}
