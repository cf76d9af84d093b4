using System.Text;
using System.Text.RegularExpressions;
using BackupDr.TestKit;

namespace BackupDr.Storage.Tests;

/// <summary>What was measured with one kind of credentials.</summary>
/// <param name="Title">What stands above it on the page.</param>
/// <param name="Rows">Each attempt, and one of <see cref="Came"/>.</param>
sealed record MatrixColumn(string Title, IReadOnlyList<(string What, string Came)> Rows);

/// <summary>docs/reference/tested-with.md: its tables are made from what tests measured, so that they cannot tell of what is not
/// so.</summary>
static partial class MatrixPage
{
    const string Regenerate = "BACKUPDR_WRITE_DOCS";
    static readonly string Page = Path.Combine(Service.Checkout(), "docs/reference/tested-with.md");

    [GeneratedRegex(@"(?:^\|.*\n)+", RegexOptions.Multiline)]
    private static partial Regex Table { get; }

    /// <summary>The page.</summary>
    public static string Read() => File.ReadAllText(Page);

    /// <summary>The table below a heading must be the one that was measured.</summary>
    /// <param name="heading">The line above it.</param>
    /// <param name="columns">All of the same attempts.</param>
    public static void Check(string heading, IReadOnlyList<MatrixColumn> columns)
    {
        var page = Read();
        var at = page.IndexOf($"\n{heading}\n", StringComparison.Ordinal);
        Assert.True(at >= 0, $"docs/reference/tested-with.md has no line '{heading}'.");
        var found = Table.Match(page, at);
        var measured = Make(columns);
        if (Environment.GetEnvironmentVariable(Regenerate) == "1")
            File.WriteAllText(Page, page[..found.Index] + measured + page[(found.Index + found.Length)..]);
        else
            Assert.True(found.Value == measured,
                $"docs/reference/tested-with.md does not say what was measured. {Regenerate}=1 writes it anew. Measured:\n{measured}");
    }

    static string Make(IReadOnlyList<MatrixColumn> columns)
    {
        var table = new StringBuilder();
        table.Append("| attempt | ").AppendJoin(" | ", columns.Select(column => column.Title)).Append(" |\n|---|");
        foreach (var _ in columns) table.Append("---|");
        table.Append('\n');
        for (var row = 0; row < columns[0].Rows.Count; row++)
        {
            table.Append($"| {columns[0].Rows[row].What} | ");
            table.AppendJoin(" | ", columns.Select(column => column.Rows[row].Came)).Append(" |\n");
        }
        return table.ToString();
    }
}
