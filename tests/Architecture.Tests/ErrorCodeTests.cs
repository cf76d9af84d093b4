using System.Text.RegularExpressions;

namespace BackupDr.Architecture.Tests;

/// <summary>Codes are a promise to scripts: each one that can be thrown is on the page, and the page names none that cannot.</summary>
public sealed partial class ErrorCodeTests
{
    const string Page = "docs/reference/errors.md";

    // A code where an exception or a wire error is made, or where a switch gives one.
    [GeneratedRegex(@"(?:Exception\(|\bnew\(|\bbase\(|JobError\(|=>|\?|:|\breturn|\bCode\s*=)\s*""([a-z]+\.[a-z_]+)""")]
    private static partial Regex Thrown { get; }

    // Codes of stores are put together from the fault's word.
    [GeneratedRegex(@"StoreFault\.\w+\s*=>\s*""([a-z_]+)""")]
    private static partial Regex StoreFault { get; }

    [GeneratedRegex(@"^\| `([a-z]+\.[a-z_]+)` \|", RegexOptions.Multiline)]
    private static partial Regex Row { get; }

    static SortedSet<string> InCode => [.. SourceTree.Below("src/", ".cs").SelectMany(Codes)];

    static SortedSet<string> OnPage => [.. Row.Matches(SourceTree.File(Page).Text).Select(match => match.Groups[1].Value)];

    [Fact]
    public void Every_code_that_can_be_thrown_is_on_the_page() => Rule.Holds(InCode.Except(OnPage));

    [Fact]
    public void The_page_names_no_code_that_cannot_be_thrown()
    {
        var literals = SourceTree.Below("src/", ".cs").SelectMany(file => Regex.Matches(file.Text, @"""([a-z]+\.[a-z_]+)"""))
            .Select(match => match.Groups[1].Value).ToHashSet();

        Rule.Holds(OnPage.Where(code => !literals.Contains(code) && !InCode.Contains(code)));
    }

    [Fact]
    public void The_codes_on_the_page_are_in_order_and_named_once()
    {
        var rows = Row.Matches(SourceTree.File(Page).Text).Select(match => match.Groups[1].Value).ToList();

        Assert.Equal(rows.Distinct().Order(StringComparer.Ordinal), rows);
    }

    [Theory]
    [InlineData("throw new ConflictException(\"run.lease_lost\", message);", "run.lease_lost")]
    [InlineData("throw new UnavailableException(\n    \"node.unreachable\", message);", "node.unreachable")]
    [InlineData("SourceException Refused() => new(\"restore.unsafe_name\", message);", "restore.unsafe_name")]
    [InlineData("Fault.Missing => \"repository.missing\",", "repository.missing")]
    [InlineData("StoreFault.ShortRead => \"short_read\",", "store.short_read")]
    [InlineData("Log(\"run.started\");", null)]
    public void A_planted_code_is_found(string text, string? code)
        => Assert.Equal(code is null ? [] : [code], Codes(new SourceFile("src/A.cs", text)));

    static IEnumerable<string> Codes(SourceFile file)
    {
        var text = string.Join('\n', file.Lines.Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal)));
        return Thrown.Matches(text).Select(match => match.Groups[1].Value)
            .Concat(StoreFault.Matches(text).Select(match => "store." + match.Groups[1].Value));
    }
}
