using BackupDr.Contracts;
using BackupDr.Sources.Files;

namespace BackupDr.Sources.Tests;

public sealed class ExcludeRulesTests
{
    [Theory]
    [InlineData("*.tmp", "/srv/a.tmp", true)]
    [InlineData("*.tmp", "/srv/a.tmp.gz", false)]
    [InlineData("*.tmp", "/srv/.tmp", true)]
    [InlineData("a?c", "/abc", true)]
    [InlineData("a?c", "/aüc", true)]
    [InlineData("a?c", "/ac", false)]
    [InlineData("[a-c]x", "/bx", true)]
    [InlineData("[!a-c]x", "/bx", false)]
    [InlineData("[^a-c]x", "/dx", true)]
    [InlineData("[]]x", "/]x", true)]
    [InlineData(@"\*x", "/*x", true)]
    [InlineData(@"\*x", "/ax", false)]
    [InlineData(@"\[x", "/[x", true)]
    [InlineData("cache", "/srv/cache", true)]
    [InlineData("cache", "/srv/cache-not", false)]
    [InlineData("cache/*.bin", "/srv/cache/a.bin", true)]
    [InlineData("cache/*.bin", "/srv/cache/sub/a.bin", false)]
    [InlineData("cache/**/a.bin", "/srv/cache/a.bin", true)]
    [InlineData("cache/**/a.bin", "/srv/cache/x/y/a.bin", true)]
    [InlineData("cache/**", "/srv/cache", false)]
    [InlineData("cache/**", "/srv/cache/x/y", true)]
    [InlineData("/srv/cache", "/srv/cache", true)]
    [InlineData("/srv/cache", "/other/srv/cache", false)]
    [InlineData("/srv/*/x", "/srv/a/x", true)]
    [InlineData("/srv/*/x", "/srv/a/b/x", false)]
    [InlineData("/**/x", "/srv/a/b/x", true)]
    [InlineData("**/x", "/x", true)]
    [InlineData("*a*b*c*", "/xxaxxbxxcxx", true)]
    [InlineData("*a*b*c*", "/xxaxxcxxbxx", false)]
    public void A_pattern_matches_as_in_gitignore(string pattern, string path, bool matches)
    {
        var slash = path.LastIndexOf('/');

        Assert.Equal(matches,
            ExcludeRules.Parse([pattern]).Match(FilePath.FromText(path[..slash]), FilePath.FromText(path[(slash + 1)..]), isFolder: false));
    }

    [Fact]
    public void A_slash_at_the_end_means_folders_only()
    {
        var rules = ExcludeRules.Parse(["build/"]);

        Assert.True(rules.Match(FilePath.FromText("/srv"), FilePath.FromText("build"), isFolder: true));
        Assert.False(rules.Match(FilePath.FromText("/srv"), FilePath.FromText("build"), isFolder: false));
    }

    [Fact]
    public void The_last_pattern_that_matches_decides()
    {
        var rules = ExcludeRules.Parse(["*.log", "!keep.log", "/srv/old/*.log"]);

        Assert.True(rules.Match(FilePath.FromText("/srv"), FilePath.FromText("a.log"), isFolder: false));
        Assert.False(rules.Match(FilePath.FromText("/srv"), FilePath.FromText("keep.log"), isFolder: false));
        Assert.True(rules.Match(FilePath.FromText("/srv/old"), FilePath.FromText("keep.log"), isFolder: false));
    }

    [Fact]
    public void Names_are_bytes()
        => Assert.True(ExcludeRules.Parse(["*x"]).Match(FilePath.FromText("/"), new FilePath([0xFF, 0xFE, (byte)'x']), isFolder: false));

    [Fact]
    public void Many_stars_do_not_take_for_ever()
        => Assert.False(ExcludeRules.Parse([string.Concat(Enumerable.Repeat("*a", 60)) + "b"])
            .Match(FilePath.FromText("/"), FilePath.FromText(new string('a', 250)), isFolder: false));

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("!")]
    [InlineData("[a-")]
    [InlineData("x\\")]
    public void What_is_no_pattern_is_refused_with_the_text(string pattern)
        => Assert.Contains($"'{pattern}'", Assert.Throws<BadInputException>(() => ExcludeRules.Parse([pattern])).Message,
            StringComparison.Ordinal);
}
