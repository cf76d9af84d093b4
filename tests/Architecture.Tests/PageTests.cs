namespace BackupDr.Architecture.Tests;

public sealed class PageTests
{
    static IEnumerable<SourceFile> Written => SourceTree.Files.Where(file => Path.GetExtension(file.Path) == ".md");

    [Fact]
    public void Each_page_has_one_title() => Rule.Holds(Written.SelectMany(Pages.Titles));

    [Fact]
    public void Each_link_leads_somewhere() => Rule.Holds(Written.SelectMany(page => Pages.DeadLinks(page, Read)));

    [Fact]
    public void Nothing_names_a_place_outside_of_the_project()
        => Rule.Holds(SourceTree.Files.Where(file => !file.Path.StartsWith("tests/Architecture.Tests/", StringComparison.Ordinal))
            .SelectMany(Pages.MachinePlaces));

    [Fact]
    public void Each_page_can_be_reached_from_the_map_of_the_documents()
    {
        var map = SourceTree.File("docs/README.md").Text + string.Concat(SourceTree.Below("docs/", ".md")
            .Where(page => page.Path.EndsWith("README.md", StringComparison.Ordinal)).Select(page => page.Text));

        Rule.Holds(SourceTree.Below("docs/", ".md")
            .Where(page => page.Path != "docs/README.md" && !map.Contains(Path.GetFileName(page.Path), StringComparison.Ordinal))
            .Select(page => page.Path));
    }

    [Fact]
    public void A_planted_second_title_is_found()
    {
        Assert.Single(Pages.Titles(new SourceFile("a.md", "# One\n\n# Two\n")));
        Assert.Single(Pages.Titles(new SourceFile("a.md", "\n# One\n")));
        Assert.Empty(Pages.Titles(new SourceFile("a.md", "# One\n```sh\n# a comment\n```\n")));
    }

    [Theory]
    [InlineData("[gone](gone.md)", 1)]
    [InlineData("[there](b.md)", 0)]
    [InlineData("[heading](b.md#the-second-part)", 0)]
    [InlineData("[no heading](b.md#third-part)", 1)]
    [InlineData("![picture](c.svg)", 1)]
    [InlineData("`[code](gone.md)` and [web](https://example.org/gone)", 0)]
    public void A_planted_dead_link_is_found(string text, int breaches)
        => Assert.Equal(breaches,
            Pages.DeadLinks(new SourceFile("docs/a.md", text), path => path == "docs/b.md" ? "# B\n## The second part\n" : null).Count());

    [Theory]
    [InlineData("See /home/ana/notes.", 1)]
    [InlineData("/root/x", 1)]
    [InlineData("<add key=\"a\" value=\"https://registry.example.org/v3\" />", 1)]
    [InlineData("artifacts/home/x and /srv/data", 0)]
    public void A_planted_place_is_found(string text, int breaches)
        => Assert.Equal(breaches, Pages.MachinePlaces(new SourceFile("a.md", text)).Count());

    static string? Read(string path)
    {
        var full = Path.Combine(SourceTree.Root, path);
        return File.Exists(full) ? File.ReadAllText(full) : Directory.Exists(full) ? "" : null;
    }
}
