using System.CommandLine;
using BackupDr.Engine.Replicas;
using BackupDr.Sources;
using BackupDr.Sources.Volumes;

namespace BackupDr.Cli.Commands.Volumes;

/// <summary><c>backupdr volume …</c>.</summary>
static class VolumeCommand
{
    public static Command Make() => new("volume", "Back up block devices and disk images, restore and prove them.")
    {
        Discover(), Preflight(), Backup(), Restore(), Prove(),
    };

    static Option<bool> Json() => new("--json") { Description = "Results and errors as JSON." };

    static Argument<string> Volume() => new("volume") { Description = "A block device, or the file of a disk image." };

    static Option<bool> InUse() => new("--in-use")
    {
        Description = "Take it although it is written to meanwhile: what is restored may be a mix of old and new.",
    };

    static Option<string?> Of() => new("--volume")
    {
        Description = "Path of the volume as it was backed up, where the repository holds several.",
    };

    static Option<string> Snapshot() => new("--snapshot")
    {
        Description = "The beginning of a snapshot's id, or 'latest'.",
        DefaultValueFactory = _ => "latest",
    };

    static Command Discover()
    {
        var json = Json();
        var command = new Command("discover", "List the block devices of this host with their sizes and who uses them.") { json };
        command.SetAction((given, _) => Task.FromResult(DatabaseOutput.Found(new Output(given.GetValue(json), quiet: false),
            BlockDevices.List(), "No block device was found.",
            one => $"{one.Path}  {Output.Size(one.SizeBytes)}{(one.Use.Length > 0 ? $"  {one.Use}" : "")}",
            (writer, one) =>
            {
                writer.WriteString("path", one.Path);
                writer.WriteNumber("size", one.SizeBytes);
                writer.WriteString("use", one.Use);
            })));
        return command;
    }

    static Command Preflight()
    {
        var (json, volume, inUse) = (Json(), Volume(), InUse());
        var command = new Command("preflight", "Say what stands in the way of backups of a volume. Exit code 1 where something does.")
        {
            volume, json, inUse,
        };
        command.SetAction((given, _) => Task.FromResult(DatabaseOutput.Findings(new Output(given.GetValue(json), quiet: false),
            VolumePreflight.Look(Path.GetFullPath(given.GetValue(volume)!), given.GetValue(inUse)))));
        return command;
    }

    static Command Backup()
    {
        var (volume, inUse) = (Volume(), InUse());
        var tags = new Option<string[]>("--tag") { Description = "Tag of the snapshot; may be repeated." };
        var host = new Option<string?>("--host", "-H") { Description = "Host name in the snapshot; this machine's by default." };
        var command = new Command("backup", "Store a volume; of one that was stored before, what changed.") { volume, inUse, tags, host };
        var arguments = new RepositoryArguments(command, ReplicaUse.Write);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            VolumeBackupSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await VolumeBackup.Run(repository, Path.GetFullPath(given.GetValue(volume)!), new VolumeBackupOptions
                {
                    HostName = given.GetValue(host) ?? Environment.MachineName,
                    UserName = Environment.UserName,
                    Tags = given.GetValue(tags) ?? [],
                    InUse = given.GetValue(inUse),
                }, line.OfBackup, ct);
            arguments.TellReplicas(given, repository);
            Tell(output, summary);
            return summary.Run.IsComplete ? ExitCodes.Done : ExitCodes.Incomplete;
        });
        return command;
    }

    static void Tell(Output output, VolumeBackupSummary summary)
    {
        var run = summary.Run;
        foreach (var problem in run.Missing) output.Problem(problem.Path, problem.Message);
        foreach (var remark in run.Remarks) output.Remark($"{remark.Path}: {remark.Message}");
        foreach (var remark in summary.Remarks) output.Remark(remark);
        output.Note($"{Output.Size(summary.SizeBytes)}; added {Output.Size(run.BytesNew)} ({Output.Size(run.BytesStored)} stored) in "
            + $"{Output.Time(run.Duration)}.");
        DatabaseOutput.Saved(output, run);
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteString("snapshot_id", run.SnapshotId.ToString());
            json.WriteNumber("size", summary.SizeBytes);
            json.WriteNumber("data_added", run.BytesNew);
            json.WriteNumber("data_added_packed", run.BytesStored);
            json.WriteNumber("files_unmodified", run.FilesUnmodified);
            json.WriteNumber("missing", run.Missing.Count);
            json.WriteNumber("total_duration", run.Duration.TotalSeconds);
            json.WriteEndObject();
        });
    }

    static Command Restore()
    {
        var (of, snapshot) = (Of(), Snapshot());
        var target = new Option<string>("--target", "-t") { Required = true, Description = "The file to be, or the device to be written." };
        var over = new Option<bool>("--over") { Description = "Replace an image that stands there." };
        var confirm = new Option<string?>("--confirm")
        {
            Description = "Path of the device once more: what is on it is lost.",
        };
        var command = new Command("restore", "Put a volume back: as a file with holes, whole or not at all, or onto a device.")
        {
            of, snapshot, target, over, confirm,
        };
        var arguments = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            VolumeRestoreSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await VolumeRestore.Run(repository, new VolumeRestoreOptions
                {
                    Volume = given.GetValue(of),
                    Snapshot = given.GetValue(snapshot)!,
                    Target = Path.GetFullPath(given.GetValue(target)!),
                    Over = given.GetValue(over),
                    Confirm = given.GetValue(confirm),
                }, line.OfRestore, ct);
            arguments.TellReplicas(given, repository);
            output.Line($"Restored {summary.Volume} ({Output.Size(summary.SizeBytes)}) to {summary.Path}"
                + (summary.BytesWritten is { } bytes ? $"; {Output.Size(bytes)} of it differed and were written." : "."));
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "summary");
                json.WriteString("snapshot_id", summary.SnapshotId);
                json.WriteString("volume", summary.Volume);
                json.WriteNumber("size", summary.SizeBytes);
                json.WriteString("path", summary.Path);
                if (summary.BytesWritten is { } written) json.WriteNumber("bytes_written", written);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Prove()
    {
        var (of, snapshot) = (Of(), Snapshot());
        var scratch = new Option<string>("--scratch")
        {
            Description = "Folder in which the test restore is made and removed again; what is no hole takes room there.",
            DefaultValueFactory = _ => "/var/tmp",
        };
        var command = new Command("prove", "Restore a volume into a scratch folder, read all of it back, remove it. Exit code 1 where it "
            + "differs.")
        {
            of, snapshot, scratch,
        };
        var arguments = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            ProofReport report;
            using (var line = new ProgressLine(output, TimeProvider.System))
                report = await VolumeProof.Run(repository, new VolumeProofOptions
                {
                    Volume = given.GetValue(of),
                    Snapshot = given.GetValue(snapshot)!,
                    Scratch = Path.GetFullPath(given.GetValue(scratch)!),
                }, line.OfRestore, ct);
            return DatabaseOutput.Proof(output, report);
        });
        return command;
    }
}
