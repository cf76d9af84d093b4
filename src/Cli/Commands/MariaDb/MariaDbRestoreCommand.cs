using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Engine.Replicas;
using BackupDr.Sources;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Cli.Commands.MariaDb;

/// <summary><c>backupdr mariadb restore --target DIR</c> and <c>prove --scratch DIR</c>.</summary>
static class MariaDbRestoreCommand
{
    public static Command Make()
    {
        var folder = new Option<string>("--target", "-t")
        {
            Required = true,
            Description = "The data folder to be; empty, or not there yet."
        };
        var over = new Option<bool>("--over") { Description = "REMOVE a data folder that stands there." };
        var port = new Option<int>("--port")
        {
            Description = "Port of the copy in its settings file.",
            DefaultValueFactory = _ => MariaDbRestoreOptions.DefaultPort,
        };
        var programs = MariaDbCommand.Programs();
        var command = new Command("restore",
            "Put a server back as it was at a moment: base backup and binary log are chosen by themselves, and replayed where nobody can "
            + "reach the copy.")
        {
            folder, over, port, programs,
        };
        var target = new MariaDbTargetArguments(command);
        var arguments = new RepositoryArguments(command, ReplicaUse.Read);
        var thaw = new ThawArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            if (given.GetValue(port) is < 1 or > 65_535)
                throw new BadInputException("--port", $"'{given.GetValue(port)}' is no port.", "Write a number from 1 to 65535.");
            var options = new MariaDbRestoreOptions
            {
                Folder = Path.GetFullPath(given.GetValue(folder)!),
                Target = target.Target(given),
                Base = target.Base(given),
                Server = target.Server(given),
                Over = given.GetValue(over),
                Port = given.GetValue(port),
                Programs = given.GetValue(programs) is { } path ? Path.GetFullPath(path) : null,
                Thaw = thaw.Request(given, output),
            };
            using var repository = await arguments.Open(given, ct);
            MariaDbRestoreSummary summary;
            using (var line = new ProgressLine(output, TimeProvider.System))
                summary = await MariaDbRestore.Run(repository, options,
                    line.OfRestore, ct);
            arguments.TellReplicas(given, repository);
            Tell(output, options, summary);
            return ExitCodes.Done;
        });
        return command;
    }

    static void Tell(Output output, MariaDbRestoreOptions options, MariaDbRestoreSummary summary)
    {
        foreach (var remark in summary.Remarks) output.Remark(remark);
        output.Note($"Base backup {summary.BaseId[..8]}, {Output.Count(summary.Files.Files, "file")}, "
            + $"{Output.Count(summary.Stop.Transactions, "transaction")} from the log.");
        output.Line($"Restored into {options.Folder}, to {options.Target}: {summary.Stop.File}:{summary.Stop.Position}"
            + (summary.Stop is { Last: { } last, LastAt: { } at } ? $", {last} of {at:yyyy-MM-dd HH:mm:ss} UTC" : "") + ".");
        output.Line("Start a server there, beside the original:");
        output.Line($"  mariadbd --defaults-file={Path.Combine(options.Folder, MariaDbRestore.SettingsName)}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteString("base", summary.BaseId);
            json.WriteString("folder", options.Folder);
            json.WriteString("target", options.Target.ToString());
            json.WriteString("binlog_file", summary.Stop.File);
            json.WriteNumber("binlog_position", summary.Stop.Position);
            json.WriteString("gtid", summary.Stop.Last?.ToString() ?? summary.Manifest.Gtid);
            json.WriteNumber("transactions", summary.Stop.Transactions);
            json.WriteNumber("files_restored", summary.Files.Files);
            json.WriteNumber("bytes_restored", summary.Files.Bytes);
            json.WriteEndObject();
        });
    }

    public static Command Prove()
    {
        var scratch = new Option<string>("--scratch")
        {
            Required = true,
            Description = "Folder for the test restore, empty or not there yet, that the server's user can enter; removed at the end.",
        };
        var assertions = new Option<string[]>("--assert")
        {
            Description = "A query that must give a value other than 0: 'select count(*) > 0 from shop.orders'; may be repeated.",
        };
        var quick = new Option<bool>("--no-check") { Description = "Do not look through every table and index." };
        var programs = MariaDbCommand.Programs();
        var keep = new Option<bool>("--keep-failed") { Description = "Leave the folder where a check failed." };
        var command = new Command("prove",
            "Restore a server into a scratch folder, start it where nobody can reach it, look through it, remove it. Exit code 1 where a "
            + "check fails.")
        {
            scratch, assertions, quick, programs, keep,
        };
        var target = new MariaDbTargetArguments(command);
        var arguments = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            var options = new MariaDbProofOptions
            {
                Folder = Path.GetFullPath(given.GetValue(scratch)!),
                Target = target.Target(given),
                Base = target.Base(given),
                Server = target.Server(given),
                Assertions = given.GetValue(assertions) ?? [],
                ChecksTables = !given.GetValue(quick),
                Programs = given.GetValue(programs) is { } path ? Path.GetFullPath(path) : null,
                KeepsFailed = given.GetValue(keep),
            };
            using var repository = await arguments.Open(given, ct);
            ProofReport report;
            using (var line = new ProgressLine(output, TimeProvider.System))
                report = await MariaDbProof.Run(repository, options,
                    line.OfRestore, ct);
            return DatabaseOutput.Proof(output, report);
        });
        return command;
    }
}
