using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg wal</c>.</summary>
sealed class PgWalCommand
{
    readonly Option<string> _journal = new("--journal")
    {
        Required = true,
        Description = "Folder of this cluster's own, for log that is not stored yet.",
    };
    readonly Option<string> _slot = new("--slot")
    {
        Description = "Replication slot; made where it is missing.",
        DefaultValueFactory = _ => "backupdr",
    };
    readonly Option<string?> _host = new("--host", "-H") { Description = "Host name in the snapshots; this machine's by default." };
    readonly Option<string> _flush = new("--flush")
    {
        Description = "How often what came is stored: the most that is lost with the server.",
        DefaultValueFactory = _ => "10s",
    };
    readonly Option<string> _limit = new("--slot-limit")
    {
        Description = "Bytes of log that the slot may hold back on the server, for example 16G.",
        DefaultValueFactory = _ => "16G",
    };
    readonly Option<string> _over = new("--over-limit")
    {
        Description = "What to do beyond it: alarm, stop, or drop (the slot, and with it the log's continuity).",
        DefaultValueFactory = _ => "alarm",
    };

    public static Command Make()
    {
        var made = new PgWalCommand();
        var command = new Command("wal", "Receive a cluster's log as it is written, and store it, until Ctrl-C.")
        {
            made._journal, made._slot, made._host, made._flush, made._limit, made._over,
        };
        var repository = new RepositoryArguments(command);
        var server = new PgServerArguments(command);
        command.SetAction((given, ct) => made.Run(repository, server, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, PgServerArguments server, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var options = Options(given);
        var address = server.Address(given);
        using var repository = await arguments.Open(given, ct);
        await WalReceiver.Run(repository, address, options, new Told(output), ct);
        output.Line("What came is stored.");
        return ExitCodes.Done;
    }

    WalReceiverOptions Options(ParseResult given)
    {
        var flush = Sizes.ParseTime(given.GetValue(_flush)!, "--flush");
        if (flush < TimeSpan.FromSeconds(1) || flush > TimeSpan.FromHours(1))
            throw new BadInputException("--flush", $"--flush: {flush} is not between a second and an hour.", "Write for example 10s.");
        return new WalReceiverOptions
        {
            HostName = given.GetValue(_host) ?? Environment.MachineName,
            Journal = Path.GetFullPath(given.GetValue(_journal)!),
            Slot = given.GetValue(_slot)!,
            FlushEvery = flush,
            SlotLimitBytes = Sizes.Parse(given.GetValue(_limit)!, "--slot-limit"),
            OnSlotLimit = given.GetValue(_over) switch
            {
                "alarm" => SlotLimitAction.Alarm,
                "stop" => SlotLimitAction.Stop,
                "drop" => SlotLimitAction.DropSlot,
                var other => throw new BadInputException("--over-limit", $"--over-limit: '{other}' is not known.",
                    "Write alarm, stop or drop."),
            },
        };
    }

    /// <summary>A line for each event; with --json an object, also for each position that was stored.</summary>
    sealed class Told(Output output) : IProgress<WalProgress>
    {
        public void Report(WalProgress value)
        {
            if (value.Event is { IsAlarm: true } alarm) output.Remark($"ALARM: {alarm.Message}");
            else if (value.Event is { } happened) output.Note(happened.Message);
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", value.Event is null ? "position" : "event");
                json.WriteNumber("timeline", value.Timeline);
                json.WriteString("received", value.Received.ToString());
                json.WriteString("stored", value.Stored.ToString());
                json.WriteNumber("held_bytes", value.HeldBytes);
                json.WriteNumber("segments", value.Segments);
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
