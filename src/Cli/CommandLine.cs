using System.CommandLine;
using System.CommandLine.Parsing;
using System.Reflection;
using BackupDr.Cli.Commands;
using BackupDr.Cli.Commands.Access;
using BackupDr.Cli.Commands.MariaDb;
using BackupDr.Cli.Commands.Nodes;
using BackupDr.Cli.Commands.PostgreSql;
using BackupDr.Cli.Commands.Sqlite;
using BackupDr.Cli.Commands.Volumes;
using BackupDr.Cli.Up;
using BackupDr.Contracts;

namespace BackupDr.Cli;

/// <summary>The program: one list of commands, and the one place where failures become words and exit codes.</summary>
static class CommandLine
{
    /// <summary>Every command, in the order of the help text. Each makes itself; nothing is found by reflection.</summary>
    static IEnumerable<Command> All()
    {
        yield return RepoCommand.Make();
        yield return BackupCommand.Make();
        yield return SnapshotsCommand.Make();
        yield return LsCommand.Make();
        yield return DumpCommand.Make();
        yield return FindCommand.Make();
        yield return DiffCommand.Make();
        yield return StatsCommand.Make();
        yield return TagCommand.Make();
        yield return CopyCommand.Make();
        yield return ReplicateCommand.Make();
        yield return KeyCommand.Make();
        yield return ListCommand.Make();
        yield return CatCommand.Make();
        yield return RestoreCommand.Make();
        yield return CheckCommand.Make();
        yield return ForgetCommand.Make();
        yield return PruneCommand.Make();
        yield return TierCommand.Make();
        yield return RepairCommand.Make();
        yield return UnlockCommand.Make();
        yield return CacheCommand.Make();
        yield return PgCommand.Make();
        yield return MariaDbCommand.Make();
        yield return SqliteCommand.Make();
        yield return VolumeCommand.Make();
        yield return EvidenceCommand.Make();
        yield return PolicyCommand.Make();
        yield return ApplyCommand.Make();
        yield return RunbookCommand.Make();
        yield return HostCommand.Make();
        yield return NodeCommand.Make();
        yield return UserCommand.Make();
        yield return ApiKeyCommand.Make();
        yield return ApprovalCommand.Make();
        yield return AuditCommand.Make();
        yield return SecretCommand.Make();
        yield return SupportBundleCommand.Make();
        yield return UpCommand.Make();
    }

    /// <summary>Programs beside this one that take over with the arguments as they stand.</summary>
    static readonly (string Verb, string Program, string[] First, string Words)[] Siblings =
    [
        ("agent", "backupdr-agent", [], "The daemon of a protected host: agent join, agent run."),
        ("scheduler", "BackupDr.Scheduler", [], "A node of the control plane without the console."),
        ("console", "BackupDr.Web", [], "A node of the control plane with the console."),
        ("rebuild", "BackupDr.Scheduler", ["rebuild"], "Makes a control plane again from what it exported to a location."),
    ];

    /// <summary>How long Ctrl-C or SIGTERM waits for a command to end what it is in the middle of: finish a write, release the lock, or,
    /// for "up", stop agent, node and database one after another.</summary>
    static readonly TimeSpan Farewell = TimeSpan.FromMinutes(3);

    public static string Version { get; } =
        typeof(CommandLine).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>Runs one command.</summary>
    public static async Task<int> Run(string[] args)
    {
        try
        {
            foreach (var (verb, program, first, _) in Siblings)
                if (args.Length > 0 && args[0] == verb) return Sibling.Become(program, [.. first, .. args[1..]]);
            var parsed = Root().Parse(args);
            if (parsed.Errors.Count > 0) throw Refused(parsed, parsed.Errors.Select(error => error.Message));
            if (Mistaken(parsed, args) is { } option) throw Refused(parsed, [$"There is no option '{option}' here."]);
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = Farewell,
            });
        }
        catch (BackupDrException e)
        {
            Output.Failure(e, args.Contains("--json"));
            return ExitCodes.Of(e);
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("Stopped. What was stored is kept and reused by the next run.");
            return ExitCodes.Interrupted;
        }
        finally { ToldTraffic.Tell(); }
    }

    /// <summary>All commands with their options.</summary>
    internal static RootCommand Root()
    {
        var root = new RootCommand("BackupDr: backups in restic's open format, proven by real restores.");
        foreach (var command in All()) root.Add(command);
        foreach (var (verb, _, _, words) in Siblings) root.Add(new Command(verb, words));
        return root;
    }

    /// <summary>What looks like an option and was taken for an argument, such as a path: a mistyped option must not become one.</summary>
    static string? Mistaken(ParseResult parsed, string[] args)
    {
        var plain = args.TakeWhile(arg => arg != "--").ToHashSet(StringComparer.Ordinal);
        return parsed.CommandResult.Children.OfType<ArgumentResult>().SelectMany(argument => argument.Tokens)
            .Select(token => token.Value).FirstOrDefault(value => value.Length > 1 && value[0] == '-' && plain.Contains(value));
    }

    static BadInputException Refused(ParseResult parsed, IEnumerable<string> words)
    {
        var names = new List<string> { "backupdr" };
        for (var at = parsed.CommandResult; at is { Parent: CommandResult parent }; at = parent) names.Insert(1, at.Command.Name);
        return new BadInputException("arguments", string.Join(" ", words),
            $"See '{string.Join(' ', names)} --help'; '--' before names that begin with '-'.");
    }
}
