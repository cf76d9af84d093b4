using System.Globalization;
using BackupDr.Scheduler.ControlPlane;

namespace BackupDr.Scheduler.Tests.ControlPlane;

/// <summary>What follows from what the places say, as a table. A vote is the highest term there; "-" could not be asked, and one in
/// brackets is of a place that has no conditions.</summary>
public sealed class TermVotesTests
{
    [Theory]
    [InlineData(1, "0", true, null)]
    [InlineData(1, "1", true, null)]
    [InlineData(1, "2", false, 2)]
    [InlineData(2, "1", true, null)]           // a place that was away when term 2 began
    [InlineData(1, "-", false, null)]
    [InlineData(1, "0 -", false, null)]        // one of two: the other may hold a later term
    [InlineData(1, "0 0 -", true, null)]
    [InlineData(1, "0 - -", false, null)]
    [InlineData(1, "0 0 2", true, 2)]          // a rebuild that reached one place of three ends us all the same
    [InlineData(1, "3 2 0", false, 3)]
    [InlineData(1, "0 0 - -", false, null)]
    [InlineData(1, "0 (0)", true, null)]       // one without conditions counts for nothing
    [InlineData(1, "- (0)", false, null)]
    [InlineData(1, "0 (2)", true, 2)]          // but what it holds is believed
    public void Most_places_confirm_and_one_ends(long own, string said, bool isConfirmed, int? later)
    {
        var votes = Votes(said);

        Assert.Equal(isConfirmed, TermVotes.Confirm(own, votes));
        Assert.Equal(later, TermVotes.Later(own, votes)?.Highest);
    }

    [Fact]
    public void The_database_lets_a_word_count_for_as_long()
        => Assert.Equal(TermTable.ConfirmedFor, $"{TermVotes.ConfirmedFor.TotalSeconds:0} seconds");

    [Theory]
    [InlineData("", false)]
    [InlineData("(0)", false)]
    [InlineData("-", true)]
    public void Without_a_place_that_counts_there_is_nobody_to_ask(string said, bool any) => Assert.Equal(any, TermVotes.Any(Votes(said)));

    [Fact]
    public void A_majority_that_begins_a_term_and_one_that_confirms_the_older_share_a_place()
    {
        for (var places = 1; places <= 7; places++)
            for (var written = 0; written < 1 << places; written++)
                for (var seen = 0; seen < 1 << places; seen++)
                {
                    if (int.PopCount(written) < TermVotes.Majority(places)) continue;
                    var (has, sees) = (written, seen);
                    TermVote[] votes = [.. Enumerable.Range(0, places).Select(place => new TermVote($"{place}", true,
                        (sees & 1 << place) == 0 ? null : (has & 1 << place) == 0 ? 1 : 2))];
                    Assert.False(TermVotes.Confirm(1, votes), $"{places} places, written {written:b}, seen {seen:b}");
                }
    }

    static TermVote[] Votes(string said) => [.. said.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        .Select(one => new TermVote(one, one[0] != '(', Term(one.Trim('(', ')'))))];

    static long? Term(string one) => one == "-" ? null : long.Parse(one, CultureInfo.InvariantCulture);
}
