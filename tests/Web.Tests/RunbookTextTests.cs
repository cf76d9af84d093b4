using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Web.Runbooks;

namespace BackupDr.Web.Tests;

public sealed class RunbookTextTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 22, 3, 0, 0, TimeSpan.Zero);

    static ExecutionSummary Rehearsal(int daysAgo) => new()
    {
        Id = ExecutionId.New(TimeProvider.System),
        Runbook = default,
        RunbookName = "shop",
        Version = 1,
        Mode = ExecutionMode.Rehearsal,
        Phase = ExecutionPhase.Ended,
        By = "ann",
        Why = "",
        StartedAt = Now.AddDays(-daysAgo),
    };

    [Theory]
    [InlineData(30, 40, 20, false, false)]   // in time
    [InlineData(30, 99, 30, false, false)]   // due today: it begins by itself
    [InlineData(30, 99, 32, false, true)]
    [InlineData(30, 99, 32, true, false)]    // it is under way
    [InlineData(30, 20, null, false, false)] // new
    [InlineData(30, 32, null, false, true)]
    [InlineData(0, 999, null, false, false)] // none by schedule
    public void A_runbook_is_late_a_day_after_its_rehearsal_was_due(int every, int changed, int? rehearsed, bool isOpen, bool isLate)
        => Assert.Equal(isLate, RunbookText.IsLate(new Runbook
        {
            Id = default,
            Name = "shop",
            Version = 1,
            Spec = new RunbookSpec { RehearseEvery = TimeSpan.FromDays(every) },
            ChangedAt = Now.AddDays(-changed),
            ChangedBy = "ann",
            State = RunbookState.Ready,
            LastRehearsal = rehearsed is { } days ? Rehearsal(days) : null,
            Open = isOpen ? [Rehearsal(0)] : [],
        }, Now));
}
