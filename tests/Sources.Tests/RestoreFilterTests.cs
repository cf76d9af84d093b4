using BackupDr.Contracts;
using BackupDr.Sources.Files;

namespace BackupDr.Sources.Tests;

public sealed class RestoreFilterTests
{
    static readonly string[] Tree =
    [
        "/etc", "/etc/app", "/etc/app/main.conf", "/etc/app/Readme.TXT", "/etc/hosts", "/srv", "/srv/data", "/srv/data/a.conf",
        "/srv/data/deep", "/srv/data/deep/b.bin", "/srv/etc", "/srv/etc/c.conf",
    ];

    /// <summary>What a walk that goes only where it is told takes, and how many entries it looks at.</summary>
    static (List<string> Taken, int Seen) Walk(RestoreFilter filter)
    {
        var (taken, seen) = (new List<string>(), 0);
        var closed = new List<string>();
        foreach (var path in Tree)
        {
            if (closed.Exists(folder => path.StartsWith(folder + "/", StringComparison.Ordinal))) continue;
            seen++;
            var isFolder = Array.Exists(Tree, other => other.StartsWith(path + "/", StringComparison.Ordinal));
            var match = filter.Match(FilePath.FromText(path).Parts(), isFolder);
            if (match.IsTaken) taken.Add(path);
            if (!match.IsEntered) closed.Add(path);
        }
        return (taken, seen);
    }

    static RestoreFilter Filter(string? include = null, string? anyCase = null, string? exclude = null, string? excludeAnyCase = null)
    {
        static string[] List(string? text) => text?.Split(' ') ?? [];
        return RestoreFilter.Parse(List(include), List(anyCase), List(exclude), List(excludeAnyCase))!;
    }

    [Theory]
    [InlineData("/etc/app", "/etc/app /etc/app/main.conf /etc/app/Readme.TXT")]
    [InlineData("*.conf", "/etc/app/main.conf /srv/data/a.conf /srv/etc/c.conf")]
    [InlineData("etc/*.conf", "/srv/etc/c.conf")]
    [InlineData("/srv/*/*.conf", "/srv/data/a.conf /srv/etc/c.conf")]
    [InlineData("/srv/**/b.bin", "/srv/data/deep/b.bin")]
    [InlineData("/srv/data/**", "/srv/data/a.conf /srv/data/deep /srv/data/deep/b.bin")]
    [InlineData("hosts deep", "/etc/hosts /srv/data/deep /srv/data/deep/b.bin")]
    [InlineData("/etc/hosts/below", "")]
    public void What_matches_is_taken_with_all_that_lies_in_it(string patterns, string taken)
        => Assert.Equal(taken.Split(' ', StringSplitOptions.RemoveEmptyEntries), Walk(Filter(include: patterns)).Taken);

    [Fact]
    public void Folders_that_cannot_hold_a_match_are_not_entered()
        => Assert.Equal(4, Walk(Filter(include: "/etc/hosts")).Seen);   // /etc, /etc/app, /etc/hosts and /srv

    [Fact]
    public void What_is_left_out_goes_before_what_is_taken()
        => Assert.Equal(["/srv/data/a.conf"], Walk(Filter(include: "*.conf", exclude: "etc")).Taken);

    [Fact]
    public void Without_patterns_to_take_all_but_what_is_left_out_is_taken()
        => Assert.Equal(["/srv", "/srv/data", "/srv/data/a.conf"], Walk(Filter(exclude: "etc deep")).Taken);

    [Fact]
    public void Case_counts_unless_told_otherwise()
    {
        Assert.Empty(Walk(Filter(include: "readme.txt")).Taken);
        Assert.Equal(["/etc/app/Readme.TXT"], Walk(Filter(anyCase: "README.*")).Taken);
        Assert.DoesNotContain("/etc/app/Readme.TXT", Walk(Filter(excludeAnyCase: "*.txt")).Taken);
    }

    [Fact]
    public void A_pattern_that_matched_nothing_is_told()
    {
        var filter = Filter(include: "hosts nothing*");
        Walk(filter);

        Assert.Equal("nothing*", Assert.Single(filter.Unmatched).Path.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("/")]
    [InlineData("[a")]
    [InlineData("a\\")]
    public void A_broken_pattern_is_refused_with_its_option(string pattern)
        => Assert.Equal("--include", Assert.Throws<BadInputException>(() => RestoreFilter.Parse([pattern], [], [], [])).Field);
}
