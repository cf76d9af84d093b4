using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Cli.Commands.MariaDb;

/// <summary><c>backupdr mariadb binlog</c>.</summary>
static class MariaDbBinlogCommand
{
    public static Command Make()
    {
        var journal = new Option<string>("--journal")
        {
            Required = true,
            Description = "Folder of this server's own, for log that is not stored yet.",
        };
        var host = new Option<string?>("--host", "-H") { Description = "Host name in the snapshots; this machine's by default." };
        var flush = new Option<string>("--flush")
        {
            Description = "How often what came is stored: the most that is lost with the server.",
            DefaultValueFactory = _ => "10s",
        };
        var command = new Command("binlog", "Receive a server's binary log as it is written, and store it, until Ctrl-C.")
        {
            journal, host, flush,
        };
        var repository = new RepositoryArguments(command);
        var server = new MariaDbServerArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            var every = Sizes.ParseTime(given.GetValue(flush)!, "--flush");
            if (every < TimeSpan.FromSeconds(1) || every > TimeSpan.FromHours(1))
                throw new BadInputException("--flush", $"--flush: {every} is not between a second and an hour.", "Write for example 10s.");
            var options = new BinlogReceiverOptions
            {
                HostName = given.GetValue(host) ?? Environment.MachineName,
                Journal = Path.GetFullPath(given.GetValue(journal)!),
                FlushEvery = every,
            };
            var address = server.Address(given);
            using var opened = await repository.Open(given, ct);
            await BinlogReceiver.Run(opened, address, options, new Told(output), ct);
            output.Line("What came is stored.");
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>A line for each event; with --json an object, also for each position that was stored.</summary>
    sealed class Told(Output output) : IProgress<BinlogProgress>
    {
        public void Report(BinlogProgress value)
        {
            if (value.Event is { IsAlarm: true } alarm) output.Remark($"ALARM: {alarm.Message}");
            else if (value.Event is { } happened) output.Note(happened.Message);
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", value.Event is null ? "position" : "event");
                json.WriteString("file", value.File);
                json.WriteNumber("received", value.Received);
                json.WriteNumber("stored", value.Stored);
                json.WriteNumber("snapshots", value.Snapshots);
                if (value.Event is { } told)
                {
                    json.WriteString("code", told.Code);
                    json.WriteString("message", told.Message);
                    json.WriteBoolean("alarm", told.IsAlarm);
                }
                json.WriteEndObject();
            });
        }
    }
}
