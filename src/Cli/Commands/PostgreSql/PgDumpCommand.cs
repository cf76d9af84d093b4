using System.CommandLine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg dump</c>.</summary>
static class PgDumpCommand
{
    public static Command Make()
    {
        var databases = new Option<string[]>("--database") { Description = "Database; may be repeated. All by default." };
        var tags = new Option<string[]>("--tag") { Description = "Tag of the snapshot; may be repeated." };
        var host = new Option<string?>("--host", "-H") { Description = "Host name in the snapshot; this machine's by default." };
        var programs = new Option<string?>("--programs") { Description = "Folder of the server's programs of its version." };
        var command = new Command("dump",
            "Store databases as dumps, a file for each, and the roles: readable by any later version, and taken from another host too.")
        {
            databases, tags, host, programs,
        };
        var arguments = new RepositoryArguments(command, ReplicaUse.Write);
        var server = new PgServerArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            var address = server.Address(given);
            using var repository = await arguments.Open(given, ct);
            (BackupSummary Run, IReadOnlyList<string> Databases) done;
            using (var line = new ProgressLine(output, TimeProvider.System))
                done = await ClusterDump.Run(repository, address, new ClusterDumpOptions
                {
                    HostName = given.GetValue(host) ?? Environment.MachineName,
                    UserName = Environment.UserName,
                    Tags = given.GetValue(tags) ?? [],
                    Databases = given.GetValue(databases) ?? [],
                    Programs = given.GetValue(programs) is { } folder ? Path.GetFullPath(folder) : null,
                }, line.OfBackup, ct);
            arguments.TellReplicas(given, repository);
            var run = done.Run;
            output.Note($"Added {Output.Size(run.BytesNew)} ({Output.Size(run.BytesStored)} stored) in {Output.Time(run.Duration)}.");
            output.Line($"Snapshot {run.SnapshotId.ToString()[..8]} saved: {string.Join(", ", done.Databases)}, and the roles.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "summary");
                json.WriteString("snapshot_id", run.SnapshotId.ToString());
                json.WriteStartArray("databases");
                foreach (var database in done.Databases) json.WriteStringValue(database);
                json.WriteEndArray();
                json.WriteNumber("bytes", run.Bytes);
                json.WriteNumber("data_added", run.BytesNew);
                json.WriteNumber("total_duration", run.Duration.TotalSeconds);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }
}
