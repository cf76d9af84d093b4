using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Health;

namespace BackupDr.Scheduler.Tests.Health;

public sealed class SafetyRuleTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData(SafetyAnswer.Empty)]
    [InlineData(SafetyAnswer.Empty, ItemState.Off)]
    [InlineData(SafetyAnswer.Yes, ItemState.Proven, ItemState.Off)]
    [InlineData(SafetyAnswer.Mostly, ItemState.Proven, ItemState.Unproven)]
    [InlineData(SafetyAnswer.Mostly, ItemState.New)]
    [InlineData(SafetyAnswer.Mostly, ItemState.Incomplete, ItemState.Proven)]
    [InlineData(SafetyAnswer.No, ItemState.Proven, ItemState.Overdue)]
    [InlineData(SafetyAnswer.No, ItemState.Failed, ItemState.Unproven)]
    [InlineData(SafetyAnswer.Unknown, ItemState.Unknown, ItemState.Overdue, ItemState.Proven)]
    public void The_answer_is_the_worst_that_is_true(SafetyAnswer expected, params ItemState[] states)
        => Assert.Equal(expected, SafetyRule.Of([.. states.Select(Of)], Now).Answer);

    [Fact]
    public void The_sentence_begins_with_the_answer_and_names_what_is_wrong()
    {
        Assert.Equal("Yes. All 2 items can be restored.", SafetyRule.Of([Of(ItemState.Proven), Of(ItemState.Proven)], Now).Sentence);
        Assert.Equal("Mostly. The one protected item is not proven: Unproven.", SafetyRule.Of([Of(ItemState.Unproven)], Now).Sentence);
        Assert.Equal("No. 1 of 2 items cannot be restored inside its objective: Overdue.",
            SafetyRule.Of([Of(ItemState.Proven), Of(ItemState.Overdue)], Now).Sentence);
    }

    [Fact]
    public void At_most_three_reasons_are_given_worst_first()
    {
        ItemState[] states = [ItemState.Unproven, ItemState.New, ItemState.Overdue, ItemState.Unknown, ItemState.Proven];

        var safety = SafetyRule.Of([.. states.Select(Of)], Now);

        Assert.Equal([ItemState.Unknown, ItemState.Overdue, ItemState.Unproven], safety.Reasons.Select(reason => reason.State));
    }

    static Item Of(ItemState state) => new()
    {
        Id = ItemId.New(TimeProvider.System),
        Name = state.ToString(),
        Source = new SourceSpec(),
        Host = default,
        HostName = "web-1",
        Policy = default,
        PolicyName = "Daily",
        Repository = default,
        State = state,
        Rpo = TimeSpan.FromHours(24),
        Rto = TimeSpan.FromHours(4),
    };
}
