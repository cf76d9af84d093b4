using System.Text.RegularExpressions;

namespace BackupDr.Architecture.Tests;

/// <summary>One table, one owner: only the owning folder of the scheduler writes it.</summary>
public sealed partial class TableTests
{
    [GeneratedRegex(
        @"\b(?:insert\s+into|delete\s+from|truncate(?:\s+table)?|merge\s+into)\s+(?:only\s+)?([a-z_][a-z0-9_]*)|" +
        @"(?<!for\s)(?<!do\s)\bupdate\s+(?:only\s+)?([a-z_][a-z0-9_]*)(?:\s+(?:as\s+)?[a-z_]+)?\s+set\b")]
    private static partial Regex Write { get; }

    [GeneratedRegex(@"create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?([a-z_][a-z0-9_]*)")]
    private static partial Regex Create { get; }

    // The few writers that are not the owner, each with its reason. To be shortened, not lengthened.
    static readonly Dictionary<string, string> Guests = new()
    {
        ["host from Runs"] = "the lease poll is the heartbeat: one statement, one transaction",
        ["agent_request from Runs"] = "questions to an agent travel in its lease poll",
    };

    static IEnumerable<SourceFile> Sources => SourceTree.Below("src/Scheduler/", ".cs");

    [Fact]
    public void Each_table_is_written_from_its_owners_folder_only()
        => Rule.Holds(Writers(Sources)
            .Select(table => (table.Key, Folders: table.Value.Where(folder => !Guests.ContainsKey($"{table.Key} from {Subject(folder)}"))
            .ToList()))
            .Where(table => table.Folders.Count > 1)
            .Select(table => $"{table.Key} is written from {string.Join(", ", table.Folders)}"));

    [Fact]
    public void Every_guest_still_writes_what_it_is_listed_for()
        => Rule.Holds(Guests.Keys.Except(Writers(Sources)
            .SelectMany(table => table.Value.Select(folder => $"{table.Key} from {Subject(folder)}"))));

    static string Subject(string folder) => folder.Split('/')[^1];

    [Fact]
    public void Each_table_that_is_written_is_made_by_a_migration()
    {
        var made = SourceTree.Below("src/Scheduler/Database/", ".sql", ".cs").SelectMany(file => Create.Matches(file.Text))
            .Select(match => match.Groups[1].Value).ToHashSet();

        Rule.Holds(Writers(Sources).Keys.Except(made));
    }

    [GeneratedRegex("""new\("([a-z_]+)"|\["([a-z_]+)"\] =""")]
    private static partial Regex Listed { get; }

    [Fact]
    public void Each_table_is_listed_as_exported_or_as_left_out_of_exports()
    {
        const string list = "src/Scheduler/ControlPlane/ExportedTables.cs";
        var listed = SourceTree.Below("src/Scheduler/ControlPlane/", ".cs").Where(file => file.Path == list)
            .SelectMany(file => Listed.Matches(file.Text)).Select(match => match.Groups[1].Value + match.Groups[2].Value).ToHashSet();

        Rule.Holds(SourceTree.Below("src/Scheduler/Database/", ".sql", ".cs").SelectMany(file => Create.Matches(file.Text))
            .Select(match => match.Groups[1].Value).Where(table => !table.StartsWith("qrtz_", StringComparison.Ordinal)).Except(listed)
            .Select(table => $"{table} is neither exported nor left out for a reason in {list}"));
    }

    [Fact]
    public void Nobody_else_writes_tables()
        => Rule.Holds(Writers(SourceTree.Below("src/", ".cs", ".razor")
            .Where(file => !file.Path.StartsWith("src/Scheduler/", StringComparison.Ordinal))).Keys);

    [Fact]
    public void A_planted_second_writer_is_found()
    {
        var found = Writers(
        [
            new SourceFile("src/Scheduler/Runs/LeaseTable.cs",
                "update run set state = 'Leased' where id = (select id from run for update skip locked)"),
            new SourceFile("src/Scheduler/Policies/PausePolicy.cs",
                "delete from run where id = $1; insert into policy (id) values ($1) on conflict do update set id = 1"),
        ]);

        Assert.Equal(["src/Scheduler/Policies", "src/Scheduler/Runs"], found["run"]);
        Assert.Equal(["policy", "run"], found.Keys.Order(StringComparer.Ordinal));
    }

    static string WithoutComments(SourceFile file)
        => string.Join('\n', file.Lines.Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal)));

    static Dictionary<string, SortedSet<string>> Writers(IEnumerable<SourceFile> files)
    {
        var writers = new Dictionary<string, SortedSet<string>>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            foreach (Match match in Write.Matches(WithoutComments(file)))
            {
                var table = match.Groups[1].Success ? match.Groups[1].Value : match.Groups[2].Value;
                if (!writers.TryGetValue(table, out var folders)) writers[table] = folders = new SortedSet<string>(StringComparer.Ordinal);
                folders.Add(string.Join('/', file.Path.Split('/')[..3]));
            }
        }
        return writers;
    }
}
