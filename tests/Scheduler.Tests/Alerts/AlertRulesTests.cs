using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts;

namespace BackupDr.Scheduler.Tests.Alerts;

/// <summary>One alert for each cause, with what it means and until when.</summary>
public sealed class AlertRulesTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    static readonly HostId Host = HostId.New(TimeProvider.System);
    static readonly LocationId Place = LocationId.New(TimeProvider.System);

    static WatchedItem Item(string name, ItemState state = ItemState.Proven, double ageHours = 1, RunState? backup = RunState.Complete,
        string? code = null, double? proofDays = 1, string? alarm = null) => new()
        {
            Item = new Item
            {
                Id = ItemId.New(TimeProvider.System),
                Name = name,
                Source = new SourceSpec { Kind = SourceKind.Files },
                Host = Host,
                HostName = "web-1",
                Policy = PolicyId.New(TimeProvider.System),
                PolicyName = "p",
                Repository = RepositoryId.New(TimeProvider.System),
                State = state,
                Rpo = TimeSpan.FromHours(24),
                Rto = TimeSpan.FromHours(4),
                LastPointAt = ageHours < 0 ? null : Now.AddHours(-ageHours),
                LastProofAt = proofDays is { } days ? Now.AddDays(-days) : null,
            },
            ProofAge = TimeSpan.FromDays(35),
            FirstPointAt = Now.AddDays(-100),
            Backup = RunId.New(TimeProvider.System),
            BackupState = backup,
            BackupProblem = code is null ? null : "Access denied.",
            BackupCode = code,
            LogAlarm = alarm,
            ReceivesLog = alarm is not null,
            LogReportedAt = Now,
            Location = Place,
            LocationName = "bucket",
        };

    static WatchedHost Agent(double silentMinutes) => new(Host, "web-1", silentMinutes > 1 ? HostState.Silent : HostState.Online,
        Now.AddMinutes(-silentMinutes));

    static IReadOnlyList<RaisedAlert> Of(double silentMinutes, params WatchedItem[] items)
        => AlertRules.Of(new AlertFacts(items, [Agent(silentMinutes)], [], Now));

    [Fact]
    public void All_well_needs_nobody() => Assert.Empty(Of(0, Item("a"), Item("b", ItemState.Off, ageHours: 900, RunState.Failed)));

    public static TheoryData<string, AlertKind, AlertSeverity> EachItem => new()
    {
        { "overdue", AlertKind.ItemOverdue, AlertSeverity.Broken },
        { "failed", AlertKind.BackupFailed, AlertSeverity.Warning },
        { "incomplete", AlertKind.BackupIncomplete, AlertSeverity.Warning },
        { "proof failed", AlertKind.DrillFailed, AlertSeverity.Broken },
        { "proof old", AlertKind.DrillOverdue, AlertSeverity.Warning },
        { "proof never", AlertKind.DrillOverdue, AlertSeverity.Warning },
        { "log", AlertKind.LogStalled, AlertSeverity.Warning },
    };

    [Theory, MemberData(nameof(EachItem))]
    public void Each_trouble_of_an_item_is_one_alert_with_an_effect_and_a_next_step(string what, AlertKind kind, AlertSeverity severity)
    {
        var item = what switch
        {
            "overdue" => Item("a", ItemState.Overdue, ageHours: 30, RunState.Failed, "backup.read"),
            "failed" => Item("a", backup: RunState.Failed, code: "backup.read"),
            "incomplete" => Item("a", ItemState.Incomplete, backup: RunState.Incomplete),
            "proof failed" => Item("a", ItemState.Failed),
            "proof old" => Item("a", ItemState.Unproven, proofDays: 36),
            "proof never" => Item("a", ItemState.Unproven, proofDays: null),
            _ => Item("a", alarm: "The slot is gone."),
        };

        var alert = Assert.Single(Of(0, item));

        Assert.Equal((kind, severity), (alert.Kind, alert.Severity));
        Assert.StartsWith($"item:{item.Item.Id}:", alert.Cause, StringComparison.Ordinal);
        Assert.Equal([new AlertItem(item.Item.Id, "a")], alert.Items);
        Assert.True(alert is { Title.Length: > 0, Effect.Length: > 0, Action.Length: > 0 });
        Assert.StartsWith("/", alert.ActionUrl, StringComparison.Ordinal);
        if (kind is AlertKind.BackupFailed or AlertKind.BackupIncomplete or AlertKind.LogStalled)
            Assert.Equal(Now.AddHours(23), alert.DeadlineAt);
    }

    [Fact]
    public void A_weekly_test_restore_that_is_late_is_told_while_the_proof_before_still_counts()
    {
        WatchedItem Weekly(double days) => Item("a", ItemState.Unproven, proofDays: days) is var one ? one with
        {
            Item = one.Item with { DrillDueAt = one.Item.LastProofAt + TimeSpan.FromDays(7) },
        } : null!;

        Assert.Empty(Of(0, Weekly(7.6)));
        var alert = Assert.Single(Of(0, Weekly(9)));
        Assert.Equal((AlertKind.DrillOverdue, AlertSeverity.Warning), (alert.Kind, alert.Severity));
        Assert.Equal("The test restore of a was due at 2026-11-18 12:00 UTC.", alert.Title);
    }

    [Fact]
    public void Damage_that_a_check_found_is_not_told_as_a_failed_test_restore()
    {
        var alert = Assert.Single(Of(0, Item("a", ItemState.Failed) with { IsDamaged = true }));

        Assert.Equal("What is stored of a is damaged.", alert.Title);
        Assert.StartsWith("/storage/repo_", alert.ActionUrl, StringComparison.Ordinal);
    }

    [Fact]
    public void Who_switched_test_restores_off_is_not_reminded_of_the_first()
        => Assert.Empty(Of(0, Item("a", ItemState.Unproven, proofDays: null) with { WantsProof = false }));

    [Fact]
    public void A_silent_agent_is_one_alert_with_all_its_items_and_breaks_with_the_first_objective()
    {
        var items = Enumerable.Range(1, 6).Select(hours => Item($"item {hours}", ItemState.Unknown, ageHours: hours)).ToArray();

        Assert.Empty(Of(2, items));   // a restart
        var early = Assert.Single(Of(26, items));
        var late = Assert.Single(Of(26, [.. items, Item("late", ItemState.Overdue, ageHours: 25, RunState.Failed, "backup.read")]));

        Assert.Equal((AlertKind.AgentSilent, AlertSeverity.Warning, 6), (early.Kind, early.Severity, early.Items.Count));
        Assert.Equal(Now.AddHours(18), early.DeadlineAt);
        Assert.Equal((AlertSeverity.Broken, 7), (late.Severity, late.Items.Count));
        Assert.Contains("1 of 7 items", late.Effect, StringComparison.Ordinal);
        Assert.Equal(Now.AddHours(18), late.DeadlineAt);
    }

    [Fact]
    public void A_location_that_refuses_is_one_alert_for_all_that_goes_there()
    {
        var alerts = Of(0, Item("a", backup: RunState.Failed, code: "store.denied"), Item("b", ItemState.Overdue, ageHours: 30,
            RunState.Failed, "store.unavailable"), Item("c", backup: RunState.Failed, code: "backup.read"));

        Assert.Equal([AlertKind.LocationUnreachable, AlertKind.BackupFailed], alerts.Select(alert => alert.Kind));
        Assert.Equal(($"location:{Place}", AlertSeverity.Broken, 2), (alerts[0].Cause, alerts[0].Severity, alerts[0].Items.Count));
    }

    [Fact]
    public void A_further_place_that_cannot_be_made_equal_is_told_once_and_not_beside_its_own_outage()
    {
        WatchedReplica[] replicas = [new(Place, "bucket", "Timed out."), new(Place, "bucket", "Timed out.")];

        var alone = AlertRules.Of(new AlertFacts([Item("a")], [Agent(0)], replicas, Now));
        var both = AlertRules.Of(new AlertFacts([Item("a", backup: RunState.Failed, code: "store.denied")], [Agent(0)], replicas, Now));

        Assert.Equal(AlertSeverity.Warning, Assert.Single(alone).Severity);
        Assert.Single(both);
    }
}
