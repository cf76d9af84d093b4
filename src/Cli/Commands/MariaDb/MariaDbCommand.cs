using System.CommandLine;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Cli.Commands.MariaDb;

/// <summary><c>backupdr mariadb …</c>.</summary>
static class MariaDbCommand
{
    public static Command Make() => new("mariadb", "Back up MariaDB servers, receive their binary log, restore them to any moment.")
    {
        Discover(), Preflight(), Backup(), MariaDbBinlogCommand.Make(), MariaDbLookCommand.List(), MariaDbRestoreCommand.Make(),
        MariaDbRestoreCommand.Prove(), MariaDbLookCommand.Forget(), MariaDbDumpCommand.Make(), MariaDbDumpCommand.Table(),
    };

    public static Option<string?> Programs()
        => new("--programs") { Description = "Folder of the server's programs; the usual ones by default." };

    public static Option<string?> Server() => new("--server")
    {
        Description = "Name of the server, 'db1:3306', where the repository holds several.",
    };

    static Option<bool> Json() => new("--json") { Description = "Results and errors as JSON." };

    static Command Discover()
    {
        var json = Json();
        var command = new Command("discover", "List the MariaDB servers of this host, running or not.") { json };
        command.SetAction((given, _) => Task.FromResult(DatabaseOutput.Found(new Output(given.GetValue(json), quiet: false),
            MariaDbDiscovery.Find(), "No server was found.",
            one => $"{one.DataPath}  " + (one.IsRunning ? $"running, socket {one.Endpoint}" : "not running"),
            (writer, one) =>
            {
                writer.WriteString("data_path", one.DataPath);
                writer.WriteString("version", one.Version);
                writer.WriteBoolean("running", one.IsRunning);
                writer.WriteString("socket", one.Endpoint);
            })));
        return command;
    }

    static Command Preflight()
    {
        var json = Json();
        var scratch = new Option<string?>("--scratch") { Description = "Folder in which a test restore would be made: is there room?" };
        var command = new Command("preflight",
            "Say what stands in the way of backups of a server, with the statement that mends it. Exit code 1 where something does.")
        {
            json, scratch,
        };
        var server = new MariaDbServerArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var folder = given.GetValue(scratch) is { } path ? Path.GetFullPath(path) : null;
            return DatabaseOutput.Findings(new Output(given.GetValue(json), quiet: false),
                await MariaDbPreflight.Run(server.Address(given), folder, ct));
        });
        return command;
    }

    static Command Backup()
    {
        var tags = new Option<string[]>("--tag") { Description = "Tag of the snapshot; may be repeated." };
        var host = new Option<string?>("--host", "-H") { Description = "Host name in the snapshot; this machine's by default." };
        var parallel = new Option<int>("--parallel")
        {
            Description = "Tables that are read at a time.",
            DefaultValueFactory = _ => new MariaDbBackupOptions { HostName = "" }.Parallel,
        };
        var command = new Command("backup", "Take a base backup of a running server of this host, with mariadb-backup.")
        {
            tags, host, parallel,
        };
        var arguments = new RepositoryArguments(command, ReplicaUse.Write);
        var server = new MariaDbServerArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            var address = server.Address(given);
            using var repository = await arguments.Open(given, ct);
            MariaDbBackupSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await MariaDbBackup.Run(repository, address, new MariaDbBackupOptions
                {
                    HostName = given.GetValue(host) ?? Environment.MachineName,
                    UserName = Environment.UserName,
                    Tags = given.GetValue(tags) ?? [],
                    Parallel = given.GetValue(parallel),
                    Program = $"backupdr {CommandLine.Version}",
                }, line.OfBackup, ct);
            arguments.TellReplicas(given, repository);
            Tell(output, summary);
            return ExitCodes.Done;
        });
        return command;
    }

    static void Tell(Output output, MariaDbBackupSummary summary)
    {
        var (run, manifest) = (summary.Run, summary.Manifest);
        foreach (var remark in summary.Remarks) output.Remark(remark);
        output.Note($"{Output.Count(run.Files, "file")}, {Output.Size(run.Bytes)} of {manifest.Server} ({manifest.ServerVersion}).");
        output.Note($"Added {Output.Size(run.BytesNew)} ({Output.Size(run.BytesStored)} stored) in {Output.Time(run.Duration)}.");
        if (manifest.BinlogFile.Length > 0)
            output.Note($"Can be restored from {manifest.BinlogFile}:{manifest.BinlogPosition} ({manifest.Gtid}) on, "
                + $"{manifest.StoppedAt:yyyy-MM-dd HH:mm:ss.fff} UTC.");
        DatabaseOutput.Saved(output, run);
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteString("snapshot_id", run.SnapshotId.ToString());
            json.WriteString("server", manifest.Server);
            json.WriteString("binlog_file", manifest.BinlogFile);
            json.WriteNumber("binlog_position", manifest.BinlogPosition);
            json.WriteString("gtid", manifest.Gtid);
            json.WriteString("stopped_at", manifest.StoppedAt);
            json.WriteNumber("files", run.Files);
            json.WriteNumber("bytes", run.Bytes);
            json.WriteNumber("data_added", run.BytesNew);
            json.WriteNumber("data_added_packed", run.BytesStored);
            json.WriteNumber("total_duration", run.Duration.TotalSeconds);
            json.WriteEndObject();
        });
    }
}
