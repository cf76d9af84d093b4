using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Replicas;
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
        Description = "Pattern of what is restored, alone; may be repeated. A path from the snapshot's root, or a glob such as *.conf.",
    };
    readonly Option<string[]> _includesAnyCase = new("--iinclude") { Description = "As --include, without regard to case." };
    readonly Option<string[]> _excludes = new("--exclude", "-e") { Description = "Pattern of what is left out; may be repeated." };
    readonly Option<string[]> _excludesAnyCase = new("--iexclude") { Description = "As --exclude, without regard to case." };
    readonly Option<string> _overwrite = new("--overwrite")
    {
        DefaultValueFactory = _ => "always",
        Description = "Files that exist: always (compared by content; only what differs is written), if-changed (size or time differ), "
            + "if-newer (the snapshot's is newer), or never.",
    };
    readonly Option<bool> _dryRun = new("--dry-run", "-n") { Description = "Only say what would be written, replaced and kept." };
    readonly Option<bool> _verbose = new("--verbose", "-v") { Description = "List what became of each entry." };
    readonly Option<bool> _verify = new("--verify") { Description = "Read every written file back and compare it with the snapshot." };
    readonly Option<bool> _sparse = new("--sparse") { Description = "Restore runs of zeros as holes. That is the default." };
    readonly Option<bool> _noSparse = new("--no-sparse") { Description = "Write every byte, zeros too: no file has holes." };
    readonly Option<bool> _noOwner = new("--no-owner") { Description = "Everything belongs to whoever restores." };
    readonly Option<string[]> _mapOwner = new("--map-owner")
    {
        Description = "FROM=TO: what belonged to FROM belongs to TO; names or numbers; may be repeated.",
    };
    readonly Option<string[]> _mapGroup = new("--map-group") { Description = "As --map-owner, for groups." };

    public static Command Make()
    {
        var made = new RestoreCommand();
        var command = new Command("restore",
            "Put a snapshot, or a part of it, into a folder. Exit code 3 where some files could not be restored.")
        {
            made._snapshot, made._target, made._includes, made._includesAnyCase, made._excludes, made._excludesAnyCase, made._overwrite,
            made._dryRun, made._verbose, made._verify, made._sparse, made._noSparse, made._noOwner, made._mapOwner, made._mapGroup,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        var which = new SnapshotArguments(command);
        var thaw = new ThawArguments(command);
        command.SetAction((given, ct) => made.Run(repository, which, thaw, given, ct));
        return command;
    }

    OverwritePolicy Policy(ParseResult given) => given.GetValue(_overwrite) switch
    {
        "always" => OverwritePolicy.Always,
        "if-changed" => OverwritePolicy.IfChanged,
        "if-newer" => OverwritePolicy.IfNewer,
        "never" => OverwritePolicy.Never,
        var other => throw new BadInputException("--overwrite", $"--overwrite: '{other}' is not known.",
            "Write always, if-changed, if-newer or never."),
    };

    FileTargetOptions Options(ParseResult given)
    {
        var (users, groups) = (given.GetValue(_mapOwner) ?? [], given.GetValue(_mapGroup) ?? []);
        if (given.GetValue(_noOwner) && users.Length + groups.Length > 0)
            throw new BadInputException("--no-owner", "--no-owner and --map-owner or --map-group exclude each other.", "Give one of them.");
        if (given.GetValue(_sparse) && given.GetValue(_noSparse))
            throw new BadInputException("--no-sparse", "--sparse and --no-sparse exclude each other.", "Give one of them.");
        return new FileTargetOptions
        {
            Overwrite = Policy(given),
            Owners = given.GetValue(_noOwner) ? OwnerRules.None : OwnerRules.Parse(users, groups),
            MakesHoles = !given.GetValue(_noSparse),
        };
    }

    async Task<int> Run(RepositoryArguments arguments, SnapshotArguments which, ThawArguments thaw, ParseResult given,
        CancellationToken ct)
    {
        var output = arguments.Output(given);
        var (options, thawing) = (Options(given), thaw.Request(given, output));
        var isPreview = given.GetValue(_dryRun);
        var filter = RestoreFilter.Parse(given.GetValue(_includes) ?? [], given.GetValue(_includesAnyCase) ?? [],
            given.GetValue(_excludes) ?? [], given.GetValue(_excludesAnyCase) ?? []);
        var folder = FilePath.FromText(Path.GetFullPath(given.GetValue(_target)!));
        using var repository = await arguments.Open(given, ct);
        var (snapshot, path) = await which.Find(repository, given.GetValue(_snapshot)!, given, ct);
        var request = new RestoreRequest
        {
            From = path,
            Filter = filter,
            Verify = given.GetValue(_verify),
            Thaw = thawing,
            Each = given.GetValue(_verbose) ? (entry, outcome) => Tell(output, entry, outcome) : null,
        };
        using IRestoreTarget target = isPreview ? FileTarget.OpenToLook(folder, options) ?? (IRestoreTarget)new EmptyTarget()
            : FileTarget.Open(folder, options);
        RestoreSummary summary;
        using (var progress = new ProgressLine(output, TimeProvider.System))
            summary = isPreview ? await RestoreRun.Preview(repository, snapshot, request, target, ct)
                : await RestoreRun.Execute(repository, snapshot, request, target,
                    progress.OfRestore, ct);
        arguments.TellReplicas(given, repository);
        foreach (var problem in summary.Failed) output.Problem(problem.Path, problem.Message);
        if (options.Overwrite == OverwritePolicy.Never && request.Each is null)
            foreach (var kept in summary.Kept) output.Note($"kept: {kept.Path}: {kept.Message}");
        foreach (var remark in (target as FileTarget)?.Remarks ?? []) output.Note($"note: {remark.Path}: {remark.Message}");
        Tell(output, summary, isPreview, snapshot.ShortId, folder);
        return summary.Failed.Count == 0 ? ExitCodes.Done : ExitCodes.Incomplete;
    }

    /// <summary>One line an entry, as stock restic words it where it has a word.</summary>
    static void Tell(Output output, FilePath entry, RestoreOutcome outcome)
    {
        var word = outcome switch
        {
            RestoreOutcome.Created => "restored",
            RestoreOutcome.Replaced => "replaced",
            RestoreOutcome.Updated => "updated",
            RestoreOutcome.Unchanged => "unchanged",
            _ => "kept",
        };
        output.Line($"{word,-9} {entry}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "verbose_status");
            json.WriteString("action", word);
            json.WriteString("item", entry.ToString());
            json.WriteEndObject();
        });
    }

    static void Tell(Output output, RestoreSummary summary, bool isPreview, string snapshot, FilePath folder)
    {
        var words = new List<string> { $"{Output.Count(summary.Files, "file")} ({Output.Size(summary.Bytes)} to write)" };
        if (summary.FilesUpdated > 0) words.Add($"{summary.FilesUpdated} of them updated in place");
        if (summary.FilesUnchanged > 0) words.Add($"{summary.FilesUnchanged} unchanged");
        if (summary.Kept.Count > 0) words.Add($"{summary.Kept.Count} kept");
        var what = string.Join(", ", words);
        output.Line(isPreview ? $"Would restore {what} of snapshot {snapshot} into {folder}; nothing was written."
            : $"Restored {what.Replace(" to write", "", StringComparison.Ordinal)} of snapshot {snapshot} into {folder} "
            + $"in {Output.Time(summary.Duration)}"
            + (summary.Failed.Count == 0 ? "." : $"; {Output.Count(summary.Failed.Count, "entry", "entries")} could not be restored."));
        if (summary.Archived.Packs > 0) output.Line($"To be thawed first, with --thaw: {summary.Archived.Words(Output.Size)}.");
        if (summary.FilesVerified > 0) output.Line($"Read back and compared {Output.Count(summary.FilesVerified, "file")}.");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteBoolean("dry_run", isPreview);
            json.WriteNumber("seconds_elapsed", summary.Duration.TotalSeconds);
            json.WriteNumber("files_restored", summary.Files);
            json.WriteNumber("files_updated", summary.FilesUpdated);
            json.WriteNumber("files_unchanged", summary.FilesUnchanged);
            json.WriteNumber("files_verified", summary.FilesVerified);
            json.WriteNumber("bytes_restored", summary.Bytes);
            json.WriteNumber("files_kept", summary.Kept.Count);
            json.WriteNumber("archived_packs", summary.Archived.Packs);
            json.WriteNumber("archived_bytes", summary.Archived.Bytes);
            if (summary.Archived.Cost is { } cost) json.WriteNumber("thaw_cost_usd", cost);
            json.WriteNumber("errors", summary.Failed.Count);
            json.WriteEndObject();
        });
    }
}
