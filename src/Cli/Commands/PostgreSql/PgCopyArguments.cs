using System.CommandLine;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Cli.Commands.PostgreSql;

/// <summary>The options that say as of which moment a cluster is put up for a while, and where.</summary>
sealed class PgCopyArguments
{
    readonly Option<string> _scratch = new("--scratch")
    {
        Description = "Folder with room for the cluster, which the server's user can enter: what is made in it is removed at the end.",
        DefaultValueFactory = _ => TemporaryClusterOptions.DefaultFolder,
    };
    readonly Option<string?> _programs = new("--programs") { Description = "Folder of the server's programs of the backup's version." };
    readonly PgTargetArguments _target;

    public PgCopyArguments(Command command)
    {
        command.Options.Add(_scratch);
        command.Options.Add(_programs);
        _target = new PgTargetArguments(command);
    }

    public TemporaryClusterOptions Options(ParseResult given) => new()
    {
        Target = _target.Target(given),
        Base = _target.Base(given),
        SystemIdentifier = _target.Cluster(given),
        Below = Path.GetFullPath(given.GetValue(_scratch)!),
        Programs = given.GetValue(_programs) is { } folder ? Path.GetFullPath(folder) : null,
    };
}
