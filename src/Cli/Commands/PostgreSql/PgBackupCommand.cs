using System.CommandLine;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg backup</c>.</summary>
sealed class PgBackupCommand
{
    readonly Option<string[]> _tags = new("--tag") { Description = "Tag of the snapshot; may be repeated." };
    readonly Option<string?> _host = new("--host", "-H") { Description = "Host name in the snapshot; this machine's by default." };
    readonly Option<bool> _spread = new("--spread-checkpoint")
    {
        Description = "Wait for the server's next checkpoint, minutes perhaps, instead of asking for one at once.",
    };
    readonly Option<bool> _readAll = new("--force", "-f") { Description = "Read every file, whatever its times say." };

    public static Command Make()
    {
        var made = new PgBackupCommand();
        var command = new Command("backup",
            "Take a base backup of a running cluster of this host. Exit code 3 where pages are broken or files could not be read.")
        {
            made._tags, made._host, made._spread, made._readAll,
        };
        var repository = new RepositoryArguments(command, ReplicaUse.Write);
        var server = new PgServerArguments(command);
        command.SetAction((given, ct) => made.Run(repository, server, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, PgServerArguments server, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var address = server.Address(given);
        using var repository = await arguments.Open(given, ct);
        ClusterBackupSummary summary;
        using (var line = new ProgressLine(output, TimeProvider.System))
            summary = await ClusterBackup.Run(repository, address, new ClusterBackupOptions
            {
                HostName = given.GetValue(_host) ?? Environment.MachineName,
                UserName = Environment.UserName,
                Tags = given.GetValue(_tags) ?? [],
                FastCheckpoint = !given.GetValue(_spread),
                ReadAll = given.GetValue(_readAll),
                Program = $"backupdr {CommandLine.Version}",
            }, line.OfBackup, ct);
        arguments.TellReplicas(given, repository);
        Tell(output, summary);
        return summary.Run.IsComplete ? ExitCodes.Done : ExitCodes.Incomplete;
    }

    static void Tell(Output output, ClusterBackupSummary summary)
    {
        var (run, manifest) = (summary.Run, summary.Manifest);
        foreach (var problem in run.Missing) output.Problem(problem.Path, problem.Message);
        foreach (var remark in summary.Remarks) output.Remark(remark);
        output.Note($"{Output.Count(run.Files, "file")}, {Output.Size(run.Bytes)}; {run.FilesUnmodified} not read again; "
            + $"{Output.Count(manifest.PagesChecked, "page")} compared with their checksums.");
        output.Note($"Added {Output.Size(run.BytesNew)} ({Output.Size(run.BytesStored)} stored) in {Output.Time(run.Duration)}.");
        output.Note($"Can be restored from {manifest.StopLsn} on, {manifest.StoppedAt:yyyy-MM-dd HH:mm:ss.fff} UTC.");
        DatabaseOutput.Saved(output, run);
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteString("snapshot_id", run.SnapshotId.ToString());
            json.WriteString("cluster", manifest.SystemIdentifier);
            json.WriteString("start_lsn", manifest.StartLsn);
            json.WriteString("stop_lsn", manifest.StopLsn);
            json.WriteString("stopped_at", manifest.StoppedAt);
            json.WriteNumber("timeline", manifest.Timeline);
            json.WriteNumber("files", run.Files);
            json.WriteNumber("files_unmodified", run.FilesUnmodified);
            json.WriteNumber("bytes", run.Bytes);
            json.WriteNumber("data_added", run.BytesNew);
            json.WriteNumber("data_added_packed", run.BytesStored);
            json.WriteNumber("pages_checked", manifest.PagesChecked);
            json.WriteNumber("pages_broken", manifest.BrokenPages.Count);
            json.WriteNumber("missing", run.Missing.Count);
            json.WriteNumber("total_duration", run.Duration.TotalSeconds);
            json.WriteEndObject();
        });
    }
}
