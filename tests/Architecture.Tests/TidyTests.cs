namespace BackupDr.Architecture.Tests;

public sealed class TidyTests
{
    static IEnumerable<SourceFile> Code => SourceTree.Files.Where(file => Path.GetExtension(file.Path) is ".cs" or ".razor");

    // The samples that these rules are tested with break them.
    static IEnumerable<SourceFile> CodeOfOthers
        => Code.Where(file => !file.Path.StartsWith("tests/Architecture.Tests/", StringComparison.Ordinal));

    static IEnumerable<SourceFile> Written => SourceTree.Files.Where(file =>
        Path.GetExtension(file.Path) is ".cs" or ".razor" or ".js" or ".css" or ".sql" or ".sh" or ".py" or "");

    [Fact]
    public void Files_and_lines_are_short_enough_to_read() => Rule.Holds(Code.SelectMany(Tidy.TooLong));

    [Fact]
    public void Members_fit_on_a_screen() => Rule.Holds(SourceTree.Below("src/", ".cs").SelectMany(Tidy.LongMembers));

    [Fact]
    public void Nothing_is_left_unfinished() => Rule.Holds(Written.SelectMany(Tidy.Leftovers));

    [Fact]
    public void Type_names_say_something() => Rule.Holds(CodeOfOthers.SelectMany(Tidy.EmptyNames));

    [Fact]
    public void No_failure_is_swallowed_silently() => Rule.Holds(CodeOfOthers.SelectMany(Tidy.SilentCatches));

    [Fact]
    public void There_are_no_regions() => Rule.Holds(Code.SelectMany(Tidy.Regions));

    [Fact]
    public void A_planted_long_file_and_a_planted_long_line_are_found()
    {
        Assert.Single(Tidy.TooLong(new SourceFile("a.cs", string.Concat(Enumerable.Repeat("x\n", Tidy.LongestFile)))));
        Assert.Equal(["a.cs:2: 141 characters, 140 are allowed"],
            Tidy.TooLong(new SourceFile("a.cs", "short\n" + new string('x', Tidy.LongestLine + 1))));
    }

    [Theory]
    [InlineData(60, 0)]
    [InlineData(61, 1)]
    public void A_planted_long_member_is_found(int lines, int breaches)
    {
        var body = string.Concat(Enumerable.Repeat("        Step();\n", lines));

        Assert.Equal(breaches,
            Tidy.LongMembers(new SourceFile("a.cs", $"namespace A;\n\nsealed class B\n{{\n    void C()\n    {{\n{body}    }}\n}}\n"))
                .Count());
    }

    [Fact]
    public void A_planted_leftover_is_found()
    {
        Assert.Equal(["a.cs:1: holds TO" + "DO"], Tidy.Leftovers(new SourceFile("a.cs", "// TO" + "DO later")));
        Assert.Single(Tidy.Leftovers(new SourceFile("a.cs", "throw new NotImplemented" + "Exception();")));
    }

    [Theory]
    [InlineData("public sealed class BackupManager { }", 1)]
    [InlineData("record struct HostInfo(int A);", 1)]
    [InlineData("abstract class ControllerBase;", 1)]
    [InlineData("public sealed class Database { }", 0)]
    [InlineData("sealed class Baseline { }", 0)]
    public void A_planted_empty_suffix_is_found(string text, int breaches)
        => Assert.Equal(breaches, Tidy.EmptyNames(new SourceFile("a.cs", text)).Count());

    [Theory]
    [InlineData("try { A(); } catch { }", 1)]
    [InlineData("catch (IOException)\n{\n}", 1)]
    [InlineData("catch (IOException e) when (e.HResult == 1) { }", 1)]
    [InlineData("catch (IOException) { /* It is gone already, and that is what we wanted. */ }", 0)]
    [InlineData("catch (IOException) { return; }", 0)]
    public void A_planted_silent_catch_is_found(string text, int breaches)
        => Assert.Equal(breaches, Tidy.SilentCatches(new SourceFile("a.cs", text)).Count());

    [Fact]
    public void A_planted_region_is_found() => Assert.Single(Tidy.Regions(new SourceFile("a.cs", "    #region Fields\n")));
}
