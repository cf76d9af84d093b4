using System.CommandLine;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg …</c>.</summary>
static class PgCommand
{
    public static Command Make() => new("pg", "Back up PostgreSQL clusters, receive their log, restore them to any moment.")
    {
        Discover(), Preflight(), PgBackupCommand.Make(), PgWalCommand.Make(), PgListCommand.Make(), PgRestoreCommand.Make(),
        PgProveCommand.Make(), PgPeekCommand.Make(), PgTableCommand.Make(), PgForgetCommand.Make(),
        PgDumpCommand.Make(),
    };

    static readonly Func<Option<bool>> Json = () => new("--json") { Description = "Results and errors as JSON." };

    static Command Discover()
    {
        var json = Json();
        var command = new Command("discover", "List the PostgreSQL clusters of this host, running or not.") { json };
        command.SetAction((given, _) => Task.FromResult(DatabaseOutput.Found(new Output(given.GetValue(json), quiet: false),
            ClusterDiscovery.Find(), "No cluster was found.",
            one => $"{one.DataPath}  version {one.Version}, "
                + (one.IsRunning ? $"running on port {one.Port}, socket in {one.Endpoint}" : "not running"),
            (writer, one) =>
            {
                writer.WriteString("data_path", one.DataPath);
                writer.WriteString("version", one.Version);
                writer.WriteBoolean("running", one.IsRunning);
                writer.WriteNumber("port", one.Port);
                writer.WriteString("endpoint", one.Endpoint);
            })));
        return command;
    }

    static Command Preflight()
    {
        var json = Json();
        var slot = new Option<string>("--slot") { Description = "Replication slot for the log.", DefaultValueFactory = _ => "backupdr" };
        var scratch = new Option<string?>("--scratch") { Description = "Folder in which a test restore would be made: is there room?" };
        var journal = new Option<string?>("--journal") { Description = "Folder of the journal of the log to be: is there room?" };
        var command = new Command("preflight",
            "Say what stands in the way of backups of a server, with the statement that mends it. Exit code 1 where something does.")
        {
            json, slot, scratch, journal,
        };
        var server = new PgServerArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var findings = await ClusterPreflight.Run(server.Address(given), new ClusterPreflightOptions
            {
                Slot = given.GetValue(slot)!,
                Scratch = given.GetValue(scratch) is { } path ? Path.GetFullPath(path) : null,
                Journal = given.GetValue(journal) is { } place ? Path.GetFullPath(place) : null,
            }, ct);
            return DatabaseOutput.Findings(new Output(given.GetValue(json), quiet: false), findings);
        });
        return command;
    }
}
