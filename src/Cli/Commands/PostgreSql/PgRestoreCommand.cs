using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg restore --target DIR</c>.</summary>
sealed class PgRestoreCommand
{
    readonly Option<string> _target = new("--target", "-t")
    {
        Required = true,
        Description = "The data folder to be; empty, or not there yet."
    };
    readonly Option<string[]> _tablespaces = new("--tablespace")
    {
        Description = "NUMBER=DIR or NAME=DIR: where a tablespace goes; DIR.tablespaces/NUMBER by default. May be repeated.",
    };
    readonly Option<bool> _over = new("--over")
    {
        Description = "Make an old data folder equal to the backup: what is right stays, what is not in the backup is REMOVED.",
    };
    readonly Option<bool> _keepSettings = new("--keep-settings")
    {
        Description = "Keep the cluster's own settings. By default it is a copy beside the original: no archiving, no replication, no "
            + "network.",
    };
    readonly Option<string> _port = new("--port") { Description = "Port of a copy.", DefaultValueFactory = _ => "54320" };
    readonly Option<string> _sockets = new("--socket-folder")
    {
        Description = "Folder of a copy's socket.",
        DefaultValueFactory = _ => "/tmp"
    };
    readonly Option<string?> _standbyOf = new("--standby-of")
    {
        Description = "Make a standby of this primary: a connection string such as 'host=db1 user=replica'.",
    };
    readonly Option<string> _action = new("--action")
    {
        Description = "What the server does at the moment: promote, pause or shutdown.",
        DefaultValueFactory = _ => "promote",
    };

    public static Command Make()
    {
        var made = new PgRestoreCommand();
        var command = new Command("restore", "Put a cluster back as it was at a moment: base backup and log are chosen by themselves.")
        {
            made._target, made._tablespaces, made._over, made._keepSettings, made._port, made._sockets, made._standbyOf, made._action,
        };
        var target = new PgTargetArguments(command);
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        var thaw = new ThawArguments(command);
        command.SetAction((given, ct) => made.Run(repository, target, thaw, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, PgTargetArguments target, ThawArguments thaw, ParseResult given,
        CancellationToken ct)
    {
        var output = arguments.Output(given);
        var options = Options(target, given) with { Thaw = thaw.Request(given, output) };
        using var repository = await arguments.Open(given, ct);
        ClusterRestoreSummary summary;
        using (var line = new ProgressLine(output, TimeProvider.System))
            summary = await ClusterRestore.Run(repository, options,
                line.OfRestore, ct);
        arguments.TellReplicas(given, repository);
        foreach (var remark in summary.Remarks) output.Remark(remark);
        output.Note($"Base backup {summary.BaseId[..8]}, {Output.Count(summary.Files.Files, "file")} written, "
            + $"{summary.Files.FilesUnchanged} right already, {Output.Count(summary.Segments, "log segment")}.");
        output.Line($"Restored into {options.Folder}. Start the server there: it recovers to {summary.Target}.");
        output.Line($"  pg_ctl -D {options.Folder} -w -t 86400 start");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteString("base", summary.BaseId);
            json.WriteString("folder", options.Folder);
            json.WriteString("target", summary.Target.ToString());
            json.WriteString("log_end", summary.Range.End.ToString());
            json.WriteNumber("timeline", summary.Range.Timeline);
            json.WriteNumber("files_restored", summary.Files.Files);
            json.WriteNumber("files_unchanged", summary.Files.FilesUnchanged);
            json.WriteNumber("bytes_restored", summary.Files.Bytes);
            json.WriteNumber("segments", summary.Segments);
            json.WriteEndObject();
        });
        return ExitCodes.Done;
    }

    ClusterRestoreOptions Options(PgTargetArguments target, ParseResult given)
    {
        if (!int.TryParse(given.GetValue(_port), NumberStyles.None, CultureInfo.InvariantCulture, out var port) || port is < 1 or > 65_535)
            throw new BadInputException("--port", $"'{given.GetValue(_port)}' is no port.", "Write a number from 1 to 65535.");
        return new ClusterRestoreOptions
        {
            Folder = Path.GetFullPath(given.GetValue(_target)!),
            Target = target.Target(given),
            Base = target.Base(given),
            SystemIdentifier = target.Cluster(given),
            Tablespaces = (given.GetValue(_tablespaces) ?? []).Select(Tablespace).ToDictionary(StringComparer.Ordinal),
            Over = given.GetValue(_over),
            KeepsSettings = given.GetValue(_keepSettings),
            Port = port,
            SocketFolder = Path.GetFullPath(given.GetValue(_sockets)!),
            StandbyOf = given.GetValue(_standbyOf),
            Action = given.GetValue(_action)!,
        };
    }

    static KeyValuePair<string, string> Tablespace(string text)
    {
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && equals < text.Length - 1 ? new(text[..equals], Path.GetFullPath(text[(equals + 1)..]))
            : throw new BadInputException("--tablespace", $"--tablespace: '{text}' is not of the form NAME=DIR.");
    }
}
