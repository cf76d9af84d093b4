using System.Text.RegularExpressions;

namespace BackupDr.Architecture.Tests;

public sealed partial class LimitTests
{
    [GeneratedRegex(@"`([A-Z]\w+)\.([A-Z]\w+)`")]
    private static partial Regex Constant { get; }

    [Fact]
    public void Every_limit_on_the_page_is_a_named_thing_in_the_code()
        => Rule.Holds(Missing(SourceTree.File("docs/architecture/limits.md"), SourceTree.Below("src/", ".cs")));

    [Fact]
    public void A_planted_limit_without_code_is_found()
    {
        var page = new SourceFile("limits.md", "| queue | 64 | `RunLoop.Longest` |\n| wait | 30 s | `RunLoop.Wait` |\n");
        var code = new SourceFile("src/RunLoop.cs", "sealed class RunLoop { const int Wait = 30; }");

        Assert.Equal(["limits.md:1: RunLoop.Longest is not in the code"], Missing(page, [code]));
    }

    static IEnumerable<string> Missing(SourceFile page, IEnumerable<SourceFile> code)
        => Constant.Matches(page.Text)
            .Where(match => !code.Any(file =>
                Regex.IsMatch(file.Text, $@"\b(class|record|struct)\s+{match.Groups[1].Value}\b")
                && Regex.IsMatch(file.Text, $@"\b{match.Groups[2].Value}\b\s*(=|,|{{)")))
            .Select(match => page.At(page.LineOf(match.Index), $"{match.Groups[1].Value}.{match.Groups[2].Value} is not in the code"));
}
