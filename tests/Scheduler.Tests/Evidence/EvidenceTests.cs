using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Evidence;

/// <summary>What a drill leaves behind, and that nobody can change it without being seen.</summary>
public sealed class EvidenceTests(SchedulerDatabases databases)
{
    static readonly DateTimeOffset Noon = new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero);

    static Task<EvidencePage> List(Fleet fleet, ListEvidenceRequest? request = null)
        => fleet.Get<ListEvidence>().Handle(TestNode.Admin, request ?? new ListEvidenceRequest(), Fleet.NoStop);

    static async Task<EvidenceVerdict> Verify(Fleet fleet, ExportEvidenceRequest? request = null)
    {
        using var file = new MemoryStream();
        await fleet.Get<ExportEvidence>().Handle(TestNode.Admin, request ?? new ExportEvidenceRequest(), file, Fleet.NoStop);
        file.Position = 0;
        return await EvidenceCheck.Run(file, Fleet.NoStop);
    }

    static JobResult Drill() => new()
    {
        Outcome = JobOutcome.Complete,
        Drill = new DrillResult
        {
            Result = ProofResult.Proven,
            FilesCompared = 3,
            BytesCompared = 1000,
            RestoreSeconds = 1.5,
            Steps = [new DrillStep("Restore", Noon, Noon.AddSeconds(1.5), true, "3 files")],
            Checks = [new DrillCheck("rows", true, "3 tables", "as many")],
            NotDone = [new DrillOmission("Isolation", "no sandbox")],
        },
    };

    async Task<Fleet> Drilled(int drills = 1)
    {
        var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Node.PassTime(TimeSpan.FromMinutes(10));
        await fleet.Node.Db.Execute("update host set last_seen_at = clock()", [], Fleet.NoStop);
        await fleet.Finish(host, _ => Drill());
        var point = (await fleet.OnlyItem()).LastPoint!.Value;
        for (var more = 1; more < drills; more++)
        {
            await fleet.Get<BackupDr.Scheduler.RecoveryPoints.RequestDrill>().Handle(TestNode.Admin,
                new RequestDrillRequest(point), Fleet.NoStop);
            await fleet.Finish(host, _ => Drill());
        }
        return fleet;
    }

    [Fact]
    public async Task A_drill_is_told_with_who_where_when_and_against_its_objectives()
    {
        await using var fleet = await Drilled();

        var entry = Assert.Single((await List(fleet)).Entries);

        var (body, item) = (entry.Body, await fleet.OnlyItem());
        Assert.Equal(("drill", item.Id.ToString(), "Proven"), (entry.Kind, entry.Subject, body.Result));
        Assert.Equal(("web-1", item.Name, item.PolicyName, "1"), (body.HostName, body.ItemName, body.PolicyName, body.PolicyVersion));
        Assert.Equal((item.LastPoint.ToString(), new string('a', 64)), (body.Point, body.Snapshot));
        Assert.Equal(new EvidenceTarget("14400", "1.5", "yes"), body.Rto);
        Assert.Equal(("86400", "yes"), (body.Rpo!.TargetSeconds, body.Rpo.Met));
        Assert.InRange(double.Parse(body.Rpo.AchievedSeconds, System.Globalization.CultureInfo.InvariantCulture), 600, 660);
        Assert.Equal(new EvidenceStep("Restore", "2026-11-01T12:00:00.000000Z", "2026-11-01T12:00:01.500000Z", "done", "3 files"),
            Assert.Single(body.Steps!));
        Assert.Equal(new EvidenceLook("rows", "as many", "3 tables", "yes"), Assert.Single(body.Checks!));
        Assert.Equal(new EvidenceOmission("Isolation", "no sandbox"), Assert.Single(body.NotDone!));
        var run = RunId.Parse(body.Run!);
        Assert.Equal(entry.Id, Assert.Single((await List(fleet, new ListEvidenceRequest { Run = run })).Entries).Id);
        Assert.Equal(entry.Id, Assert.Single((await List(fleet, new ListEvidenceRequest { Point = item.LastPoint })).Entries).Id);
        Assert.Empty((await List(fleet, new ListEvidenceRequest { Kind = "restore" })).Entries);
        Assert.Empty((await List(fleet, new ListEvidenceRequest { Until = entry.At })).Entries);
    }

    [Fact]
    public async Task A_drill_that_was_cancelled_says_what_was_not_done()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => new JobResult { Outcome = JobOutcome.Cancelled });

        var body = Assert.Single((await List(fleet)).Entries).Body;

        Assert.Equal("Skipped", body.Result);
        Assert.Equal("The restore", Assert.Single(body.NotDone!).Name);
        Assert.Null(body.Rto);
    }

    [Fact]
    public async Task An_export_verifies_on_its_own_also_from_another_node_and_as_a_part()
    {
        await using var fleet = await Drilled(3);
        var records = (await List(fleet)).Entries;
        var whole = await Verify(fleet);
        await using var second = await TestNode.Start(databases, shared: fleet.Node);

        Assert.Empty(whole.Problems);
        Assert.Equal((3, (long?)3, records[0].Hash), (whole.Records, whole.To, whole.Hash));
        Assert.Equal(fleet.Get<EvidenceKey>().Fingerprint, whole.Fingerprint);
        Assert.Equal(whole.Fingerprint, second.Get<EvidenceKey>().Fingerprint);
        var part = await Verify(fleet, new ExportEvidenceRequest(records[1].At, records[0].At));
        Assert.Empty(part.Problems);
        Assert.Equal((1, (long?)2, (long?)2, (long?)3), (part.Records, part.From, part.To, part.ChainSeq));
        Assert.True((await Verify(fleet, new ExportEvidenceRequest(Since: records[0].At.AddDays(1)))).Holds);
    }

    [Fact]
    public async Task The_pages_of_many_readers_compute_the_chain_once_for_a_head_and_anew_for_who_asks()
    {
        await using var fleet = await Drilled(2);
        var page = new ListEvidenceRequest { Anew = false };
        Task<EvidencePage> Show(ListEvidenceRequest request) => fleet.Get<ListEvidence>().Handle(TestNode.Admin, request, Fleet.NoStop);
        var first = await Show(page);
        await fleet.Node.Db.Execute("alter table evidence disable trigger all", [], Fleet.NoStop);
        await fleet.Node.Db.Execute("update evidence set subject = 'x' where seq = 1", [], Fleet.NoStop);

        var again = await Show(page);
        var asked = await Show(new ListEvidenceRequest());
        var then = await Show(page);

        Assert.Equal((true, true, first.CheckedAt), (first.ChainIsWhole, again.ChainIsWhole, again.CheckedAt));
        Assert.Equal((false, (long?)1), (asked.ChainIsWhole, asked.BrokenAt));
        Assert.False(then.ChainIsWhole);   // what is broken is never taken from memory as whole
    }

    [Theory]
    [InlineData("update evidence set body = replace(body, 'Proven', 'Failed') where seq = 2", 2)]
    [InlineData("update evidence set at = at + interval '1 microsecond' where seq = 1", 1)]
    [InlineData("delete from evidence where seq = 2", 2)]
    [InlineData("delete from evidence where seq = 3", 3)]
    public async Task What_a_superuser_changes_shows_on_the_page_and_in_the_export(string tampering, long record)
    {
        await using var fleet = await Drilled(3);
        var before = await List(fleet);
        await fleet.Node.Db.Execute("alter table evidence disable trigger all", [], Fleet.NoStop);

        await fleet.Node.Db.Execute(tampering, [], Fleet.NoStop);

        var page = await List(fleet);
        Assert.True(before.ChainIsWhole);
        Assert.Equal((false, (long?)record), (page.ChainIsWhole, page.BrokenAt));
        if (!tampering.StartsWith("delete from evidence where seq = 3", StringComparison.Ordinal))
            Assert.Contains((await Verify(fleet)).Problems, problem => problem.Record == record);
        var shown = await fleet.Get<ShowEvidence>().Handle(TestNode.Admin, new ShowEvidenceRequest(before.Entries[1].Id == default ? default
            : page.Entries.First(entry => entry.Seq == (record == 2 && page.Entries.Count == 2 ? 3 : Math.Min(record, page.Entries[0].Seq)))
                .Id), Fleet.NoStop);
        Assert.False(shown.State!.Holds);
    }

    [Fact]
    public async Task Records_from_before_there_was_a_key_are_signed_at_the_next_start_and_nothing_else_of_them_may_change()
    {
        await using var fleet = await Drilled(2);
        await fleet.Node.Db.Execute("alter table evidence disable trigger all", [], Fleet.NoStop);
        await fleet.Node.Db.Execute("update evidence set signature = null", [], Fleet.NoStop);
        await fleet.Node.Db.Execute("alter table evidence enable trigger all", [], Fleet.NoStop);

        await fleet.Get<EvidenceKey>().SignOlder(Fleet.NoStop);

        Assert.Equal(0, await fleet.Node.Db.Scalar<long>("select count(*) from evidence where signature is null", [], Fleet.NoStop));
        Assert.True((await Verify(fleet)).Holds);
        await Assert.ThrowsAsync<Npgsql.PostgresException>(() => fleet.Node.Db.Execute("update evidence set signature = '\\x00'", [],
            Fleet.NoStop));
    }

    [Fact]
    public async Task The_report_of_a_month_counts_its_evidence_and_names_the_worst()
    {
        await using var fleet = await Drilled(3);
        var (item, records) = (await fleet.OnlyItem(), (await List(fleet)).Entries);
        var month = records[0].At.UtcDateTime.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture);
        Task<EvidenceReport> Report(string? of) => fleet.Get<ShowEvidenceReport>().Handle(TestNode.Admin,
            new ShowEvidenceReportRequest(item.Policy, of), Fleet.NoStop);

        var row = Assert.Single((await Report(month)).Rows);

        Assert.Equal((item.Name, 3, 0, 0, 0), (row.ItemName, row.Proven, row.Failed, row.Skipped, row.Restores));
        Assert.Equal((1.5, 14400.0), (row.Slowest!.Seconds, row.Slowest.TargetSeconds));
        Assert.InRange(row.Oldest!.Seconds, 600, 700);
        Assert.Equal(records[0].Id, row.LastProven);
        Assert.Empty((await Report("2020-01")).Rows);
        var e = await Assert.ThrowsAsync<BadInputException>(() => Report("november"));
        Assert.Equal("month", e.Field);
    }
}
