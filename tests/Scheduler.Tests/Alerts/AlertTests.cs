using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Alerts;

/// <summary>Alerts come and go with their causes.</summary>
public sealed class AlertTests(SchedulerDatabases databases)
{
    static Task<IReadOnlyList<Alert>> Open(Fleet fleet, bool cleared = false)
        => fleet.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(cleared), Fleet.NoStop);

    static async Task<IReadOnlyList<Alert>> Look(Fleet fleet)
    {
        await fleet.Node.PassTime(TimeSpan.FromSeconds(11));   // between two looks
        await fleet.Get<AlertLook>().Run(Fleet.NoStop);
        return await Open(fleet);
    }

    static Task Speak(Fleet fleet) => fleet.Node.Db.Execute("update host set last_seen_at = clock()", [], Fleet.NoStop);

    [Fact]
    public async Task From_a_failed_backup_over_a_silent_agent_to_all_well_again()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/a", "/srv/b");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => new JobResult
        {
            Outcome = JobOutcome.Failed,
            Error = new JobError("backup.read", "It cannot be read.", null, false),
        });

        var failed = (await Look(fleet)).Single(alert => alert.Kind == AlertKind.BackupFailed);
        Assert.Contains("It cannot be read.", failed.Effect, StringComparison.Ordinal);

        await fleet.Node.PassTime(TimeSpan.FromMinutes(30));
        var silent = Assert.Single(await Look(fleet));
        Assert.Equal((AlertKind.AgentSilent, 2, AlertSeverity.Broken), (silent.Kind, silent.Items.Count, silent.Severity));
        Assert.Equal(silent.Id, Assert.Single(await Look(fleet)).Id);   // the same one

        await Speak(fleet);
        Assert.DoesNotContain(await Look(fleet), alert => alert.Kind == AlertKind.AgentSilent);
        Assert.Contains(await Open(fleet, cleared: true), alert => alert.Id == silent.Id && alert.ClearedAt is not null);
        await fleet.Get<BackupDr.Scheduler.Policies.RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        while (await fleet.Lease(host) is { } run)
            await fleet.Complete(host, run, run.Job.Kind == JobKind.Drill ? Fleet.Drill(ProofResult.Proven)
                : Fleet.Backup(snapshot: run.RunId.ToString()[^1]));
        await Speak(fleet);
        Assert.Empty(await Look(fleet));
    }

    [Fact]
    public async Task An_acknowledged_alert_comes_back_after_its_time_and_at_once_when_it_gets_worse()
    {
        await using var fleet = await Fleet.Start(databases);
        var (book, db) = (fleet.Get<AlertBook>(), fleet.Node.Db);
        RaisedAlert held = new()
        {
            Cause = "retention:x",
            Kind = AlertKind.RetentionHeld,
            Severity = AlertSeverity.Warning,
            Title = "Held.",
            Effect = "None.",
            Action = "Look.",
            ActionUrl = "/items",
        };
        Task<bool> Raise(AlertSeverity severity) => db.InTransaction(tx => book.Raise(tx, held with { Severity = severity }, Fleet.NoStop),
            Fleet.NoStop);
        Task<Alert> Acknowledge(AlertId id, int hours = 8, string note = "Ana") => fleet.Get<AcknowledgeAlert>().Handle(TestNode.Admin,
            new AcknowledgeAlertRequest(id, hours, note), Fleet.NoStop);

        Assert.Equal((true, false), (await Raise(AlertSeverity.Warning), await Raise(AlertSeverity.Warning)));
        var id = Assert.Single(await Open(fleet)).Id;
        var taken = await Acknowledge(id);
        Assert.Equal(("key:test", "Ana"), (taken.AcknowledgedBy, taken.AcknowledgedNote));
        await fleet.Node.PassTime(TimeSpan.FromHours(9));
        Assert.Null(Assert.Single(await Open(fleet)).AcknowledgedUntil);
        await Acknowledge(id);
        Assert.True(await Raise(AlertSeverity.Broken));
        Assert.Null(Assert.Single(await Look(fleet)).AcknowledgedUntil);   // and the look leaves it alone: it is another's to clear
        Assert.Contains((await fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), Fleet.NoStop)).Entries,
            entry => entry.Action == "alert.acknowledge");
        await Assert.ThrowsAsync<BadInputException>(() => Acknowledge(id, 0));
        await Assert.ThrowsAsync<BadInputException>(() => Acknowledge(id, note: " "));
        await Assert.ThrowsAsync<NotFoundException>(() => Acknowledge(AlertId.New(TimeProvider.System)));
        Assert.True(await db.InTransaction(tx => book.Clear(tx, held.Cause, Fleet.NoStop), Fleet.NoStop));
        Assert.False(await db.InTransaction(tx => book.Clear(tx, held.Cause, Fleet.NoStop), Fleet.NoStop));
    }

    /// <summary>Alerts that begin and end where something happens.</summary>
    static readonly AlertKind[] RaisedElsewhere = [AlertKind.RetentionHeld, AlertKind.ExportLate, AlertKind.ApprovalWaiting,
        AlertKind.Superseded, AlertKind.ExecutionWaits, AlertKind.ExecutionLeftovers, AlertKind.SplitBrain];

    static Task Raise(Fleet fleet, AlertKind kind) => fleet.Node.Db.InTransaction(tx => fleet.Get<AlertBook>().Raise(tx, new RaisedAlert
    {
        Cause = $"somewhere:{kind}",
        Kind = kind,
        Severity = AlertSeverity.Broken,
        Title = "It happened.",
        Effect = "Something follows from it.",
        Action = "Look at it.",
        ActionUrl = "/alerts",
    }, Fleet.NoStop), Fleet.NoStop);

    [Fact]
    public async Task A_look_ends_no_alert_that_it_did_not_begin()
    {
        await using var fleet = await Fleet.Start(databases);
        foreach (var kind in RaisedElsewhere) await Raise(fleet, kind);
        Assert.Equal(RaisedElsewhere.Order(), (await Look(fleet)).Select(alert => alert.Kind).Order());
    }

    [Fact]
    public async Task A_person_ends_what_nothing_else_can_see_the_end_of()
    {
        await using var fleet = await Fleet.Start(databases);
        await Raise(fleet, AlertKind.ExecutionLeftovers);
        await Raise(fleet, AlertKind.ExportLate);
        Task<Alert> End(AlertId id, string note = "taken down") => fleet.Get<EndAlert>().Handle(TestNode.Admin,
            new EndAlertRequest(id, note), Fleet.NoStop);
        var open = (await Open(fleet)).ToDictionary(alert => alert.Kind, alert => alert.Id);
        await Assert.ThrowsAsync<BadInputException>(() => End(open[AlertKind.ExecutionLeftovers], " "));
        Assert.Equal("alert.ends_itself", (await Assert.ThrowsAsync<ConflictException>(() => End(open[AlertKind.ExportLate]))).Code);
        Assert.NotNull((await End(open[AlertKind.ExecutionLeftovers])).ClearedAt);
        Assert.Equal(AlertKind.ExportLate, Assert.Single(await Look(fleet)).Kind);
        await Assert.ThrowsAsync<NotFoundException>(() => End(open[AlertKind.ExecutionLeftovers]));
        Assert.Contains((await fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), Fleet.NoStop)).Entries,
            entry => entry.Action == "alert.end" && entry.Detail.Contains("taken down", StringComparison.Ordinal));
    }

    [Fact]
    public void Each_kind_of_alert_is_begun_by_the_look_or_elsewhere()
        => Assert.Equal(Enum.GetValues<AlertKind>().Order(), AlertRules.Looked.Concat(RaisedElsewhere).Order());

    [Fact]
    public async Task Two_nodes_that_look_at_once_raise_one_alert()
    {
        await using var fleet = await Fleet.Start(databases);
        await fleet.AddHost();
        await using var second = await TestNode.Start(databases, shared: fleet.Node);
        await fleet.Node.PassTime(TimeSpan.FromMinutes(30));

        await Task.WhenAll(Enumerable.Range(0, 8).Select(number
            => (number % 2 == 0 ? fleet.Node : second).Get<AlertLook>().Run(Fleet.NoStop)));

        Assert.Single(await Open(fleet));
    }
}
