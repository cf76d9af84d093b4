using System.Text.RegularExpressions;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Architecture.Tests;

/// <summary>The page about runs is compared with the transition table.</summary>
public sealed partial class RunStateTests
{
    [GeneratedRegex(@"^\| (\w+) \| (\w+) \| (\w+) \|$", RegexOptions.Multiline)]
    private static partial Regex Move { get; }

    [GeneratedRegex(@"^\| (\w+) \| [^|]+ \|$", RegexOptions.Multiline)]
    private static partial Regex State { get; }

    static string Page => SourceTree.File("docs/concepts/run.md").Text;

    [Fact]
    public void The_page_lists_exactly_the_moves_of_the_table()
        => Assert.Equal(
            RunStates.All.Select(move => $"{move.From} {move.On} {move.To}").Order(StringComparer.Ordinal),
            Move.Matches(Page).Select(match => $"{match.Groups[1]} {match.Groups[2]} {match.Groups[3]}")
                .Where(row => row != "from on to").Order(StringComparer.Ordinal));

    [Fact]
    public void The_page_explains_every_state()
        => Rule.Holds(Enum.GetNames<RunState>().Except(State.Matches(Page).Select(match => match.Groups[1].Value)));
}
