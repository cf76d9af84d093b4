using System.Text.RegularExpressions;

namespace BackupDr.Architecture.Tests;

/// <summary>The format page is the engine's contract: a test for each clause, a clause for each test that names one.</summary>
public sealed partial class ClauseTests
{
    [GeneratedRegex(@"^- \*\*(F-\d+\.\d+)\*\*", RegexOptions.Multiline)]
    private static partial Regex Clause { get; }

    [GeneratedRegex(@"\bClause\(""(F-\d+\.\d+)""\)")]
    private static partial Regex Proof { get; }

    static SortedSet<string> Clauses
        => [.. Clause.Matches(SourceTree.File("docs/format/restic-v2.md").Text).Select(match => match.Groups[1].Value)];

    static SortedSet<string> Proofs
        => [.. SourceTree.Below("tests/", ".cs").SelectMany(file => Proof.Matches(file.Text)).Select(match => match.Groups[1].Value)];

    [Fact]
    public void Clauses_of_the_format_have_tests() => Rule.Holds(Clauses.Except(Proofs));

    [Fact]
    public void Tests_name_clauses_that_exist() => Rule.Holds(Proofs.Except(Clauses));

    [Fact]
    public void No_clause_number_is_used_twice()
        => Rule.Holds(Clause.Matches(SourceTree.File("docs/format/restic-v2.md").Text).GroupBy(match => match.Groups[1].Value)
            .Where(group => group.Count() > 1).Select(group => group.Key));
}
