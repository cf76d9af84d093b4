using System.CommandLine;
using BackupDr.Engine.Replicas;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary><c>backupdr pg prove --scratch DIR</c>.</summary>
sealed class PgProveCommand
{
    readonly Option<string> _scratch = new("--scratch")
    {
        Required = true,
        Description = "Folder for the test restore, empty or not there yet, that the server's user can enter; removed at the end.",
    };
    readonly Option<string[]> _assert = new("--assert")
    {
        Description = "'DATABASE: QUERY' that must give true, for example 'orders: select count(*) > 0 from item'; may be repeated.",
    };
    readonly Option<bool> _quick = new("--no-amcheck") { Description = "Do not look through every table and index." };
    readonly Option<string?> _programs = new("--programs") { Description = "Folder of the server's programs of the backup's version." };
    readonly Option<bool> _keep = new("--keep-failed") { Description = "Leave the folder where a check failed." };

    public static Command Make()
    {
        var made = new PgProveCommand();
        var command = new Command("prove",
            "Restore a cluster into a scratch folder, start it where nobody can reach it, look through it, remove it. Exit code 1 where "
            + "a check fails.")
        {
            made._scratch, made._assert, made._quick, made._programs, made._keep,
        };
        var target = new PgTargetArguments(command);
        var repository = new RepositoryArguments(command, ReplicaUse.Read);
        command.SetAction((given, ct) => made.Run(repository, target, given, ct));
        return command;
    }

    async Task<int> Run(RepositoryArguments arguments, PgTargetArguments target, ParseResult given, CancellationToken ct)
    {
        var output = arguments.Output(given);
        var options = new ClusterProofOptions
        {
            Folder = Path.GetFullPath(given.GetValue(_scratch)!),
            Target = target.Target(given),
            Base = target.Base(given),
            SystemIdentifier = target.Cluster(given),
            Assertions = given.GetValue(_assert) ?? [],
            ChecksRelations = !given.GetValue(_quick),
            Programs = given.GetValue(_programs) is { } folder ? Path.GetFullPath(folder) : null,
            KeepsFailed = given.GetValue(_keep),
        };
        using var repository = await arguments.Open(given, ct);
        Sources.ProofReport report;
        using (var line = new ProgressLine(output, TimeProvider.System))
            report = await ClusterProof.Run(repository, options,
                line.OfRestore, ct);
        return DatabaseOutput.Proof(output, report);
    }
}
