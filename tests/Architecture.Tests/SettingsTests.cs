using System.Text.RegularExpressions;
using BackupDr.Scheduler;

namespace BackupDr.Architecture.Tests;

/// <summary>The page of settings is compared with the records that read them.</summary>
public sealed partial class SettingsTests
{
    [GeneratedRegex(@"^\| `([A-Z]\w+(?::\w+)+)` \| (?:`([^`]*)`|–) \|", RegexOptions.Multiline)]
    private static partial Regex Row { get; }

    static IEnumerable<string> OnPage => Row.Matches(SourceTree.File("docs/reference/settings.md").Text)
        .Select(match => $"{match.Groups[1].Value} = {match.Groups[2].Value}");

    static IEnumerable<string> InCode => Settings.Keys<NodeSettings>().Select(key => $"{key.Key} = {key.Default}");

    [Fact]
    public void Every_setting_is_on_the_page_with_its_default() => Rule.Holds(InCode.Except(OnPage));

    [Fact]
    public void The_page_names_no_setting_that_does_not_exist() => Rule.Holds(OnPage.Except(InCode));

    [Fact]
    public void Every_setting_is_in_the_sample_file()
    {
        var sample = SourceTree.File("appsettings.sample.json").Text;

        Rule.Holds(Settings.Keys<NodeSettings>().Select(key => key.Key)
            .Where(key => !key.Split(':').All(part => sample.Contains($"\"{part}\"", StringComparison.Ordinal))));
    }
}
