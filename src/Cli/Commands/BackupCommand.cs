using System.CommandLine;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.Files;
using BackupDr.Sources.Volumes;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr backup PATH…</c>.</summary>
sealed class BackupCommand
{
    readonly Argument<string[]> _paths = new("PATH") { Arity = ArgumentArity.ZeroOrMore, Description = "Folders and files to back up." };
    readonly Option<string[]> _tags = new("--tag") { Description = "Tag of the snapshot; may be repeated, or separated by commas." };
    readonly Option<string?> _host = new("--host", "-H") { Description = "Host name in the snapshot; this machine's by default." };
    readonly Option<string[]> _excludes = new("--exclude", "-e")
    {
        Description = "Pattern of what is left out, as in .gitignore; may be repeated.",
    };
    readonly Option<string[]> _excludeFiles = new("--exclude-file")
    {
        Description = "File with such patterns, one on a line; # begins a remark. They come before those of --exclude.",
    };
    readonly Option<string[]> _excludesAnyCase = new("--iexclude") { Description = "As --exclude, without regard to case." };
    readonly Option<string[]> _excludeFilesAnyCase = new("--iexclude-file") { Description = "As --exclude-file, without regard to case." };
    readonly Option<string[]> _excludeIfPresent = new("--exclude-if-present")
    {
        Description = "NAME or NAME:HEADER: leave out what lies beside a file of this name (that begins with HEADER); may be repeated.",
    };
    readonly Option<string?> _excludeLargerThan = new("--exclude-larger-than")
    {
        Description = "Leave out files of more than this size: bytes, or for example 200M or 2G.",
    };
    readonly Option<string[]> _filesFrom = new("--files-from")
    {
        Description = "File with paths to back up, one on a line; * ? [a-z] stand for names, # begins a remark; - is standard input.",
    };
    readonly Option<string[]> _filesFromVerbatim = new("--files-from-verbatim")
    {
        Description = "File with paths to back up, one on a line, exactly as they stand.",
    };
    readonly Option<string[]> _filesFromRaw = new("--files-from-raw")
    {
        Description = "File with paths to back up that each end in a zero byte, as find -print0 writes them.",
    };
    readonly Option<bool> _excludeCaches = new("--exclude-caches") { Description = "Leave out folders with a CACHEDIR.TAG." };
    readonly Option<bool> _oneFileSystem = new("--one-file-system", "-x") { Description = "Leave out what is mounted below the paths." };
    readonly Option<string?> _snapshot = new("--fs-snapshot")
    {
        Description = "Read from a snapshot of the file system (Btrfs, as root): required, or possible, which goes on without one.",
    };
    readonly Option<bool> _dryRun = new("--dry-run", "-n")
    {
        Description = "Write nothing; list what would be taken, what is left out and by which rule, and how much would be added.",
    };
    readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "List what became of each entry." };
    readonly Option<bool> _force = new("--force", "-f") { Description = "Read every file again." };
    readonly Option<string?> _chunker = new("--chunker")
    {
        Description = "How files are cut: auto (default), fastcdc, rabin, fixed or fixed:SIZE.",
    };
    readonly Option<string?> _parent = new("--parent")
    {
        Description = "Snapshot to compare with; the newest of the same host and paths by default.",
    };

    public static Command Make()
    {
        var made = new BackupCommand();
        var command = new Command("backup", "Take a snapshot of folders and files. Exit code 3 where some could not be read.")
        {
            made._paths, made._tags, made._host, made._excludes, made._excludeFiles, made._excludeCaches, made._oneFileSystem, made._force,
            made._parent, made._chunker, made._excludesAnyCase, made._excludeFilesAnyCase, made._excludeIfPresent,
            made._excludeLargerThan, made._filesFrom, made._filesFromVerbatim, made._filesFromRaw,
            made._snapshot, made._dryRun, made._verbose,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Write);
        command.SetAction((given, ct) => made.Run(repository, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var chunker = given.GetValue(_chunker) is { } way ? ChunkerChoice.Parse(way, "--chunker") : ChunkerChoice.Auto;
        var selection = Selection(given);
        var dryRun = given.GetValue(_dryRun);
        var use = given.GetValue(_snapshot) is { } text ? SnapshotUseOf(text) : SnapshotUse.None;
        // What is only listed needs no moment, and a preview writes nothing anywhere.
        await using var frozen = await FrozenTrees.Take([.. selection.Paths, .. selection.ListedPaths], dryRun ? SnapshotUse.None : use,
            selection.OneFileSystem, ct);
        using var source = FileSource.Open(selection, frozen);
        using var repository = await arguments.Open(given, ct);
        BlobId? parent = given.GetValue(_parent) is { } wanted ? (await repository.FindSnapshot(wanted, SnapshotFilter.All, ct)).Id : null;
        var request = new BackupRequest
        {
            HostName = given.GetValue(_host) ?? Environment.MachineName,
            UserName = Environment.UserName,
            Tags = [.. (given.GetValue(_tags) ?? []).SelectMany(Split)],
            Excludes = [.. selection.Patterns.Select(pattern => pattern.Text)],
            Parent = parent,
            Chunker = chunker,
            Force = given.GetValue(_force),
            CountFirst = output.ShowsProgress,
            Listing = dryRun || given.GetValue(_verbose) ? new BackupListing(output) : null,
        };
        BackupFindings findings;
        using (var line = new ProgressLine(output, TimeProvider.System))
        {
            var progress = line.OfBackup;
            findings = dryRun ? await BackupRun.Preview(repository, source, request, progress, ct)
                : await BackupRun.Execute(repository, source, request, progress, ct);
        }
        arguments.TellReplicas(given, repository);
        foreach (var problem in findings.Missing) output.Problem(problem.Path, problem.Message);
        foreach (var warning in frozen.Warnings) output.Remark(warning);
        Tell(output, findings);
        return findings.IsComplete ? ExitCodes.Done : ExitCodes.Incomplete;
    }

    static SnapshotUse SnapshotUseOf(string text) => text switch
    {
        "required" => SnapshotUse.Required,
        "possible" => SnapshotUse.WhenPossible,
        _ => throw new BadInputException("--fs-snapshot", $"--fs-snapshot: '{text}' is neither required nor possible.",
            "Write --fs-snapshot required."),
    };

    FileSelection Selection(ParseResult given)
    {
        string[] All(Option<string[]> option) => given.GetValue(option) ?? [];
        return new FileSelection
        {
            Paths = [.. given.GetValue(_paths)!.Select(path => FilePath.FromText(Path.GetFullPath(path)))],
            ListedPaths =
            [
                .. All(_filesFrom).SelectMany(file => PathList.Patterns(file, "--files-from")),
                .. All(_filesFromVerbatim).SelectMany(file => PathList.Verbatim(file, "--files-from-verbatim")),
                .. All(_filesFromRaw).SelectMany(file => PathList.Raw(file, "--files-from-raw")),
            ],
            // The last pattern that matches decides, so what is typed stands after what is on file and can take it back.
            Patterns =
            [
                .. All(_excludeFiles).SelectMany(file => PatternFile.Read(file, "--exclude-file", anyCase: false)),
                .. All(_excludes).Select(text => new PatternLine(text, "--exclude")),
                .. All(_excludeFilesAnyCase).SelectMany(file => PatternFile.Read(file, "--iexclude-file", anyCase: true)),
                .. All(_excludesAnyCase).Select(text => new PatternLine(text, "--iexclude", AnyCase: true)),
            ],
            Markers =
            [
                .. given.GetValue(_excludeCaches) ? [FolderMarker.CacheTag] : Array.Empty<FolderMarker>(),
                .. All(_excludeIfPresent).Select(text => FolderMarker.Parse(text, "--exclude-if-present")),
            ],
            LargerThanBytes = given.GetValue(_excludeLargerThan) is { } size ? Sizes.Parse(size, "--exclude-larger-than") : null,
            OneFileSystem = given.GetValue(_oneFileSystem),
        };
    }

    static string[] Split(string tags) => tags.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    static void Tell(Output output, BackupFindings summary)
    {
        output.Note(Counts("Files:  ", summary.FilesNew, summary.FilesChanged, summary.FilesUnmodified));
        output.Note(Counts("Folders:", summary.FoldersNew, summary.FoldersChanged, summary.FoldersUnmodified));
        output.Note($"{(summary is BackupSummary ? "Added" : "Would add")} {Output.Size(summary.BytesNew)} "
            + $"({Output.Size(summary.BytesStored)} stored); {Output.Size(summary.Bytes)} in {Output.Count(summary.Files, "file")}, "
            + $"{Output.Time(summary.Duration)}.");
        if (summary.FilesUnsettled > 0) output.Note($"{Output.Count(summary.FilesUnsettled, "file")} changed while being read.");
        foreach (var remark in summary.Remarks) output.Note($"note: {remark.Path}: {remark.Message}");
        var outcome = summary is BackupSummary { SnapshotId: var id }
            ? $"Snapshot {id.ToString()[..8]} saved" : "Dry run: nothing was written";
        output.Line(outcome + (summary.IsComplete ? "."
            : $", but {Output.Count(summary.Missing.Count, "entry is", "entries are")} missing from it."));
        output.Json(json => Write(json, summary));
    }

    static string Counts(string what, long fresh, long changed, long unmodified)
        => $"{what} {fresh,10} new, {changed,10} changed, {unmodified,10} unmodified";

    /// <summary>restic's names where it has one.</summary>
    static void Write(Utf8JsonWriter json, BackupFindings summary)
    {
        json.WriteStartObject();
        json.WriteString("message_type", "summary");
        json.WriteNumber("files_new", summary.FilesNew);
        json.WriteNumber("files_changed", summary.FilesChanged);
        json.WriteNumber("files_unmodified", summary.FilesUnmodified);
        json.WriteNumber("dirs_new", summary.FoldersNew);
        json.WriteNumber("dirs_changed", summary.FoldersChanged);
        json.WriteNumber("dirs_unmodified", summary.FoldersUnmodified);
        json.WriteNumber("blobs_new", summary.BlobsNew);
        json.WriteNumber("data_added", summary.BytesNew);
        json.WriteNumber("data_added_packed", summary.BytesStored);
        json.WriteNumber("total_files_processed", summary.Files);
        json.WriteNumber("total_bytes_processed", summary.Bytes);
        json.WriteNumber("total_duration", summary.Duration.TotalSeconds);
        json.WriteNumber("missing", summary.Missing.Count);
        json.WriteNumber("files_unsettled", summary.FilesUnsettled);
        if (summary is BackupSummary { SnapshotId: var id }) json.WriteString("snapshot_id", id.ToString());
        else json.WriteBoolean("dry_run", true);
        json.WriteEndObject();
    }
}
