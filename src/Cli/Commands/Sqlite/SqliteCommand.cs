using System.CommandLine;
using BackupDr.Engine.Replicas;
using BackupDr.Sources;
using BackupDr.Sources.Sqlite;

namespace BackupDr.Cli.Commands.Sqlite;

/// <summary><c>backupdr sqlite …</c>.</summary>
static class SqliteCommand
{
    public static Command Make() => new("sqlite", "Back up SQLite databases while they are in use, restore and prove them.")
    {
        Discover(), Preflight(), Backup(), Restore(), Prove(),
    };

    static Option<bool> Json() => new("--json") { Description = "Results and errors as JSON." };

    static Argument<string> Database() => new("database") { Description = "The database's file." };

    static Option<string> Scratch(string what) => new("--scratch")
    {
        Description = $"Folder in which {what}; as much room as the database takes is needed.",
        DefaultValueFactory = _ => "/var/tmp",
    };

    static Option<string?> Of() => new("--database")
    {
        Description = "Path of the database as it was backed up, where the repository holds several.",
    };

    static Option<string> Snapshot() => new("--snapshot")
    {
        Description = "The beginning of a snapshot's id, or 'latest'.",
        DefaultValueFactory = _ => "latest",
    };

    static Command Discover()
    {
        var json = Json();
        var command = new Command("discover", "List the databases that programs of this host have open; of other users' as root only.")
        {
            json,
        };
        command.SetAction((given, _) => Task.FromResult(DatabaseOutput.Found(new Output(given.GetValue(json), quiet: false),
            SqliteFile.Find(), "No program has a database open.",
            one => one.DataPath,
            (writer, one) =>
            {
                writer.WriteString("data_path", one.DataPath);
            })));
        return command;
    }

    static Command Preflight()
    {
        var (json, database, scratch) = (Json(), Database(), Scratch("the copy would be made"));
        var command = new Command("preflight", "Say what stands in the way of backups of a database. Exit code 1 where something does.")
        {
            database, json, scratch,
        };
        command.SetAction((given, _) => Task.FromResult(DatabaseOutput.Findings(new Output(given.GetValue(json), quiet: false),
            SqliteFile.Preflight(Path.GetFullPath(given.GetValue(database)!), Path.GetFullPath(given.GetValue(scratch)!)))));
        return command;
    }

    static Command Backup()
    {
        var (database, scratch) = (Database(), Scratch("the copy is made that is then stored"));
        var tags = new Option<string[]>("--tag") { Description = "Tag of the snapshot; may be repeated." };
        var host = new Option<string?>("--host", "-H") { Description = "Host name in the snapshot; this machine's by default." };
        var command = new Command("backup", "Store a database as of one moment. Exit code 3 where the database itself is broken.")
        {
            database, scratch, tags, host,
        };
        var arguments = new RepositoryArguments(command, ReplicaUse.Write);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            SqliteBackupSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await SqliteBackup.Run(repository, Path.GetFullPath(given.GetValue(database)!), new SqliteBackupOptions
                {
                    HostName = given.GetValue(host) ?? Environment.MachineName,
                    UserName = Environment.UserName,
                    Tags = given.GetValue(tags) ?? [],
                    Scratch = Path.GetFullPath(given.GetValue(scratch)!),
                    Program = $"backupdr {CommandLine.Version}",
                }, line.OfBackup, ct);
            arguments.TellReplicas(given, repository);
            Tell(output, summary);
            return summary.Run.IsComplete ? ExitCodes.Done : ExitCodes.Incomplete;
        });
        return command;
    }

    static void Tell(Output output, SqliteBackupSummary summary)
    {
        var (run, manifest) = (summary.Run, summary.Manifest);
        foreach (var problem in run.Missing) output.Problem(problem.Path, problem.Message);
        foreach (var remark in summary.Remarks) output.Remark(remark);
        output.Note($"{Output.Count(manifest.Pages, "page")} of {manifest.PageBytes} bytes, "
            + $"{Output.Count(manifest.Rows.Count, "table")} counted.");
        output.Note($"Added {Output.Size(run.BytesNew)} ({Output.Size(run.BytesStored)} stored) in {Output.Time(run.Duration)}.");
        DatabaseOutput.Saved(output, run);
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteString("snapshot_id", run.SnapshotId.ToString());
            json.WriteString("database", manifest.Database);
            json.WriteString("copied_at", manifest.CopiedAt);
            json.WriteNumber("pages", manifest.Pages);
            json.WriteNumber("page_bytes", manifest.PageBytes);
            json.WriteNumber("data_added", run.BytesNew);
            json.WriteNumber("data_added_packed", run.BytesStored);
            json.WriteNumber("missing", run.Missing.Count);
            json.WriteNumber("total_duration", run.Duration.TotalSeconds);
            json.WriteEndObject();
        });
    }

    static Command Restore()
    {
        var (of, snapshot) = (Of(), Snapshot());
        var target = new Option<string>("--target", "-t") { Required = true, Description = "The file to be." };
        var over = new Option<bool>("--over") { Description = "Replace a database that stands there, with its log." };
        var command = new Command("restore", "Put a database back, whole or not at all.") { of, snapshot, target, over };
        var arguments = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            SqliteRestoreSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await SqliteRestore.Run(repository, new SqliteRestoreOptions
                {
                    Database = given.GetValue(of),
                    Snapshot = given.GetValue(snapshot)!,
                    Target = Path.GetFullPath(given.GetValue(target)!),
                    Over = given.GetValue(over),
                }, line.OfRestore, ct);
            arguments.TellReplicas(given, repository);
            output.Line($"Restored {summary.Manifest.Database} as of {summary.Manifest.CopiedAt:yyyy-MM-dd HH:mm:ss} UTC to "
                + $"{summary.Path}.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "summary");
                json.WriteString("snapshot_id", summary.SnapshotId);
                json.WriteString("database", summary.Manifest.Database);
                json.WriteString("copied_at", summary.Manifest.CopiedAt);
                json.WriteString("path", summary.Path);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Prove()
    {
        var (of, snapshot, scratch) = (Of(), Snapshot(), Scratch("the test restore is made and removed again"));
        var assertions = new Option<string[]>("--assert")
        {
            Description = "A query that must give another value than 0, for example 'select count(*) > 0 from item'; may be repeated.",
        };
        var command = new Command("prove", "Restore a database into a scratch folder, look through all of it, remove it. Exit code 1 "
            + "where a check fails.")
        {
            of, snapshot, scratch, assertions,
        };
        var arguments = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            ProofReport report;
            using (var line = new ProgressLine(output, TimeProvider.System))
                report = await SqliteProof.Run(repository, new SqliteProofOptions
                {
                    Database = given.GetValue(of),
                    Snapshot = given.GetValue(snapshot)!,
                    Scratch = Path.GetFullPath(given.GetValue(scratch)!),
                    Assertions = given.GetValue(assertions) ?? [],
                }, line.OfRestore, ct);
            return DatabaseOutput.Proof(output, report);
        });
        return command;
    }
}
