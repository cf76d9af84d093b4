using System.CommandLine;
using System.Text;

namespace BackupDr.Cli.Tests;

/// <summary>docs/reference/cli.md is made from the command definitions, so that it cannot tell of options that are not there.</summary>
public sealed class ReferencePageTests
{
    const string Regenerate = "BACKUPDR_WRITE_DOCS";

    [Fact]
    public void The_page_of_the_command_line_is_what_the_definitions_say()
    {
        var page = Path.Combine(Documents.Root, "docs", "reference", "cli.md");
        var made = ReferencePage.Make(CommandLine.Root());
        if (Environment.GetEnvironmentVariable(Regenerate) == "1") File.WriteAllText(page, made);

        Assert.True(File.ReadAllText(page) == made,
            $"docs/reference/cli.md is stale. Run this test with {Regenerate}=1 in the environment; it writes the page.");
    }

    [Theory]
    [InlineData("restore")]
    [InlineData("key remove")]
    [InlineData("agent")]
    public void Every_command_stands_on_the_page(string command)
        => Assert.Contains($"\n### backupdr {command}\n", ReferencePage.Make(CommandLine.Root()), StringComparison.Ordinal);
}

/// <summary>Writes the commands as Markdown.</summary>
static class ReferencePage
{
    const string Beginning = """
        # Command line

        `backupdr` works on repositories without any service. Options stand after the command. `SNAPSHOT` is the beginning of an id,
        or `latest`. The names are restic's where restic has the same thing. This page is made from the definitions in
        `src/Cli/Commands`; a test keeps it so.

        ## Exit codes

        As restic's. Errors go to standard error: what failed and where, then what to do. With `--json` they are one JSON object.

        | code | meaning |
        |---|---|
        | 0 | complete |
        | 1 | failed; the [error code](errors.md) says why |
        | 3 | incomplete: something could not be read or restored, and is listed; the snapshot exists |
        | 10 | there is no repository |
        | 11 | the repository is locked |
        | 12 | wrong password |
        | 20 | what is to be read lies in an archive and is [not thawed yet](../operate/tiers.md) |
        | 21 | [evidence](../operate/evidence.md), [audit log](../operate/audit.md) or [bundle](../runbooks.md#a-bundle): altered |
        | 22 | `apply --dry-run`: something [would change](../operate/policy-files.md) |
        | 130 | stopped by Ctrl-C |

        ## Environment

        Where an option is missing these count, in this order: `BACKUPDR_REPOSITORY`, `RESTIC_REPOSITORY`; `BACKUPDR_PASSWORD_FILE`,
        `BACKUPDR_PASSWORD`, `RESTIC_PASSWORD_FILE`, `RESTIC_PASSWORD`. The repository that `copy` reads has the same names with `FROM_`
        after the first underscore.

        Indexes are kept between commands in `BACKUPDR_CACHE_DIR`, else in `backupdr` below `XDG_CACHE_HOME` or `~/.cache`.
        What `repair` may do is told in [repair](../operate/repair.md).

        ## Options of all repository commands


        """;

    static readonly string[] Shared = ["--repo", "--password-file", "--json", "--quiet"];

    public static string Make(RootCommand root)
    {
        var page = new StringBuilder(Beginning);
        var commands = new List<(string Name, Command Command)>();
        foreach (var command in root.Subcommands) Add(commands, "backupdr", command);
        var general = commands.First(one => IsOfRepositories(one.Command)).Command;
        Options(page, general.Options.Where(option => Shared.Contains(option.Name)));
        page.Append("\n## Commands\n");
        foreach (var (name, command) in commands)
        {
            page.Append($"\n### {name}\n\n");
            var synopsis = string.Concat(command.Arguments.Select(argument => " " + Synopsis(argument)));
            if (synopsis.Length > 0) page.Append($"`{name}{synopsis}`\n\n");
            page.Append(Cell(command.Description ?? "")).Append('\n');
            var own = command.Options.Where(option => option.Name != "--help"
                && !(IsOfRepositories(command) && Shared.Contains(option.Name))).ToList();
            if (command.Arguments.Count + own.Count == 0) continue;
            page.Append('\n');
            Options(page, own, command.Arguments);
        }
        return page.ToString();
    }

    static void Add(List<(string, Command)> commands, string parent, Command command)
    {
        if (command.Hidden) return;
        var name = $"{parent} {command.Name}";
        if (command.Subcommands.Count == 0) commands.Add((name, command));
        foreach (var below in command.Subcommands) Add(commands, name, below);
    }

    static bool IsOfRepositories(Command command) => Shared.All(name => command.Options.Any(option => option.Name == name));

    static string Synopsis(Argument argument) => (argument.Arity.MinimumNumberOfValues, argument.Arity.MaximumNumberOfValues) switch
    {
        (0, 1) => $"[{argument.Name}]",
        (0, _) => $"[{argument.Name}…]",
        (_, 1) => argument.Name,
        _ => $"{argument.Name}…",
    };

    static void Options(StringBuilder page, IEnumerable<Option> options, IEnumerable<Argument>? arguments = null)
    {
        page.Append("| | meaning |\n|---|---|\n");
        foreach (var argument in arguments ?? []) page.Append($"| `{argument.Name}` | {Cell(argument.Description ?? "")} |\n");
        foreach (var option in options.Where(option => !option.Hidden))
        {
            var names = string.Join(", ", option.Aliases.Prepend(option.Name).Select(name => $"`{name}`"));
            page.Append($"| {names} | {Cell(option.Description ?? "")}{(option.Required ? " Required." : "")} |\n");
        }
    }

    /// <summary>Text inside a table: a bar would end the cell.</summary>
    static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
