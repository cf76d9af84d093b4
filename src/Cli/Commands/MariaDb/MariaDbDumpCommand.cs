using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Restore;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Cli.Commands.MariaDb;

/// <summary><c>backupdr mariadb dump</c> and <c>table NAME</c>.</summary>
static class MariaDbDumpCommand
{
    public static Command Make()
    {
        var databases = new Option<string[]>("--database")
        {
            Description = "Database; may be repeated. All but the server's own by default.",
        };
        var tags = new Option<string[]>("--tag") { Description = "Tag of the snapshot; may be repeated." };
        var host = new Option<string?>("--host", "-H") { Description = "Host name in the snapshot; this machine's by default." };
        var command = new Command("dump", "Store databases as statements, a file for each: readable by any version.") { databases, tags,
            host };
        var arguments = new RepositoryArguments(command, ReplicaUse.Write);
        var server = new MariaDbServerArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            var address = server.Address(given);
            using var repository = await arguments.Open(given, ct);
            (BackupSummary Run, IReadOnlyList<string> Databases) done;
            using (var line = new ProgressLine(output, TimeProvider.System))
                done = await MariaDbDump.Run(repository, address, new MariaDbDumpOptions
                {
                    HostName = given.GetValue(host) ?? Environment.MachineName,
                    UserName = Environment.UserName,
                    Tags = given.GetValue(tags) ?? [],
                    Databases = given.GetValue(databases) ?? [],
                }, line.OfBackup, ct);
            arguments.TellReplicas(given, repository);
            var run = done.Run;
            output.Note($"Added {Output.Size(run.BytesNew)} ({Output.Size(run.BytesStored)} stored) in {Output.Time(run.Duration)}.");
            output.Line($"Snapshot {run.SnapshotId.ToString()[..8]} saved: {string.Join(", ", done.Databases)}.");
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

    public static Command Table()
    {
        var name = new Argument<string>("table") { Description = "DATABASE.TABLE." };
        var file = new Option<string>("--out", "-o") { Required = true, Description = "The file of statements to be." };
        var scratch = new Option<string>("--scratch")
        {
            Required = true,
            Description = "Folder for a server to take it from, empty or not there yet, that its user can enter; removed at the end.",
        };
        var programs = MariaDbCommand.Programs();
        var command = new Command("table", "Get one table as it was at a moment, as statements, out of a base backup and the binary log.")
        {
            name, file, scratch, programs,
        };
        var target = new MariaDbTargetArguments(command);
        var arguments = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            if (given.GetValue(name)!.Split('.', 2) is not [{ Length: > 0 } database, { Length: > 0 } table])
                throw new BadInputException("table", $"'{given.GetValue(name)}' is not of the form DATABASE.TABLE.");
            var path = Path.GetFullPath(given.GetValue(file)!);
            using var repository = await arguments.Open(given, ct);
            MariaDbRestoreSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await MariaDbDump.Table(repository, new MariaDbRestoreOptions
                {
                    Folder = Path.GetFullPath(given.GetValue(scratch)!),
                    Target = target.Target(given),
                    Base = target.Base(given),
                    Server = target.Server(given),
                    Programs = given.GetValue(programs) is { } folder ? Path.GetFullPath(folder) : null,
                }, database, table, path, line.Of<RestoreProgress>(at => new Step(at.FilesDone, at.FilesTotal, at.BytesDone,
                    at.BytesTotal)),
                    ct);
            output.Line($"{database}.{table} as of {summary.Stop.File}:{summary.Stop.Position} is in {path}.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "summary");
                json.WriteString("table", $"{database}.{table}");
                json.WriteString("path", path);
                json.WriteString("binlog_file", summary.Stop.File);
                json.WriteNumber("binlog_position", summary.Stop.Position);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }
}
