using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Policies;

namespace BackupDr.Scheduler.Tests.Policies;

public sealed class ItemStatesTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    static readonly ItemFacts Good = new()
    {
        IsHostOnline = true,
        LastSeenAt = Now,
        CreatedAt = Now.AddDays(-30),
        Rpo = TimeSpan.FromHours(24),
        ProofAge = TimeSpan.FromDays(35),
        LastCompleteAt = Now.AddHours(-2),
        LastPointAt = Now.AddHours(-2),
        Proof = ProofResult.Proven,
        ProofAt = Now.AddDays(-3),
    };

    public static TheoryData<ItemState, ItemFacts> Facts => new()
    {
        { ItemState.Proven, Good },
        { ItemState.Proven, Good with { LastCompleteAt = Now.AddHours(-24), LastPointAt = Now.AddHours(-24) } },
        { ItemState.Overdue, Good with { LastCompleteAt = Now.AddHours(-24).AddSeconds(-1) } },
        { ItemState.Overdue, Good with { LastCompleteAt = Now.AddDays(-2), IsHostOnline = false } },
        { ItemState.Overdue, Good with { LastCompleteAt = null, LastPointAt = Now } },
        { ItemState.Failed, Good with { Proof = ProofResult.Failed } },
        { ItemState.Unknown, Good with { IsHostOnline = false } },
        { ItemState.Incomplete, Good with { LastPointAt = Now } },
        { ItemState.Unproven, Good with { Proof = null, ProofAt = null } },
        { ItemState.Unproven, Good with { ProofAt = Now.AddDays(-36) } },
        { ItemState.New, Good with { LastCompleteAt = null, LastPointAt = null, CreatedAt = Now.AddHours(-1) } },
        { ItemState.Overdue, Good with { LastCompleteAt = null, LastPointAt = null } },
        { ItemState.Overdue, Good with { IsNewestGone = true, LastCompleteAt = null, LastPointAt = null, CreatedAt = Now } },
        { ItemState.Proven, Good with { IsNewestGone = true } },
        { ItemState.Proven, Good with { ReceivesLog = true, Rpo = TimeSpan.FromMinutes(5), LogUntil = Now.AddMinutes(-1) } },
        { ItemState.Overdue, Good with { ReceivesLog = true, Rpo = TimeSpan.FromMinutes(5), LogUntil = Now.AddMinutes(-6) } },
        { ItemState.Overdue, Good with { ReceivesLog = true, Rpo = TimeSpan.FromMinutes(5) } },
        { ItemState.Off, Good with { IsOff = true, LastCompleteAt = null } },
    };

    [Theory]
    [MemberData(nameof(Facts))]
    public void The_state_follows_from_the_age_of_what_is_complete_and_proven(ItemState expected, ItemFacts facts)
        => Assert.Equal(expected, ItemStates.Of(facts, Now).State);

    [Theory]
    [InlineData(5, "5 s")]
    [InlineData(3599, "59 m")]
    [InlineData(7800, "2 h 10 m")]
    [InlineData(172800, "2 d")]
    [InlineData(-5, "0 s")]
    public void A_duration_is_told_in_two_units_at_most(int seconds, string words)
        => Assert.Equal(words, ItemStates.Words(TimeSpan.FromSeconds(seconds)));
}
