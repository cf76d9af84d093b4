using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Trail;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Tests.Fixtures;
using Npgsql;

namespace BackupDr.Scheduler.Tests.Access;

public sealed class AuditTests(SchedulerDatabases databases)
{
    static async Task Write(TestDatabase database, int entries)
    {
        for (var at = 1; at <= entries; at++)
        {
            await using var tx = await database.Postgres.Begin(default);
            await Audit.Add(tx, TestNode.Admin, "test.write", $"thing {at}", "é\"\n", default);
            await tx.Commit(default);
        }
    }

    static Task<AuditPage> List(TestDatabase database, ListAuditRequest? request = null)
        => new ListAudit(database.Postgres).Handle(TestNode.Admin, request ?? new ListAuditRequest(), default);

    [Fact]
    public async Task Entries_come_newest_first_page_by_page_and_the_chain_is_whole()
    {
        await using var database = await databases.New();
        await Write(database, 5);

        var first = await List(database, new ListAuditRequest(Limit: 3));
        var second = await List(database, new ListAuditRequest(first.Next, 3));

        Assert.True(first.ChainIsWhole);
        Assert.Equal([5, 4, 3], first.Entries.Select(entry => entry.Seq));
        Assert.Equal([2, 1], second.Entries.Select(entry => entry.Seq));
        Assert.Null(second.Next);
    }

    [Fact]
    public async Task Entries_written_at_once_by_many_make_one_chain()
    {
        await using var database = await databases.New();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Write(database, 5)));

        var page = await List(database);
        Assert.True(page.ChainIsWhole);
        Assert.Equal(Enumerable.Range(1, 40).Reverse().Select(seq => (long)seq), page.Entries.Select(entry => entry.Seq));
    }

    [Theory]
    [InlineData("update audit set detail = 'nothing happened' where seq = 2")]
    [InlineData("delete from audit where seq = 2")]
    [InlineData("delete from audit where seq = 4")]
    [InlineData("update audit set seq = seq + 10 where seq = 4")]
    [InlineData("update audit set at = at + interval '1 microsecond' where seq = 1")]
    public async Task What_a_superuser_changes_behind_our_back_shows(string tampering)
    {
        await using var database = await databases.New();
        await Write(database, 4);
        Assert.True((await List(database)).ChainIsWhole);

        await database.Postgres.Execute("alter table audit disable trigger all", [], default);
        await database.Postgres.Execute(tampering, [], default);

        Assert.False((await List(database)).ChainIsWhole);
    }

    [Theory]
    [InlineData("update audit set detail = ''")]
    [InlineData("delete from audit")]
    [InlineData("truncate audit")]
    [InlineData("update evidence set body = ''")]
    [InlineData("truncate evidence")]
    public async Task The_database_refuses_to_change_records(string statement)
    {
        await using var database = await databases.New();
        await Write(database, 1);
        await database.Postgres.Execute(
            "insert into evidence (seq, id, at, kind, subject, body, hash) values (1, gen_random_uuid(), clock(), 'test', 'x', '{}', '')",
                [], default);

        var e = await Assert.ThrowsAsync<PostgresException>(() => database.Postgres.Execute(statement, [], default));

        Assert.Contains("append-only", e.MessageText, StringComparison.Ordinal);
    }

    static Task<AuditVerdict> Verify(TestDatabase database)
        => new VerifyAudit(database.Postgres).Handle(TestNode.Admin, new VerifyAuditRequest(), default);

    [Theory]
    [InlineData("update audit set detail = 'nothing happened' where seq = 4", 4, "Entry 4 (test.write by key:test) was changed")]
    [InlineData("update audit set actor = 'bob' where seq = 1", 1, "Entry 1 (test.write by bob) was changed")]
    [InlineData("delete from audit where seq = 3", 3, "Entry 3 is missing")]
    [InlineData("delete from audit where seq between 3 and 5", 3, "Entries 3 to 5 are missing")]
    [InlineData("delete from audit where seq > 6", 7, "ends at entry 6, and its head says 8")]
    [InlineData("update audit set seq = case seq when 3 then -4 else -3 end where seq in (3, 4); update audit set seq = -seq where seq < 0",
        3, "Entry 3 (test.write by key:test) was changed")]
    [InlineData("update audit set seq = seq + 1 where seq = 8", 8, "ends at entry 7, and its head says 8")]
    [InlineData("update chain_head set hash = repeat('0', 64) where chain = 'audit'", 8, "is not the one that the head of the log names")]
    public async Task Verifying_says_what_a_superuser_did_and_where(string tampering, long entry, string words)
    {
        await using var database = await databases.New();
        await Write(database, 8);
        Assert.Empty((await Verify(database)).Problems);
        await database.Postgres.Execute("alter table audit disable trigger all", [], default);

        await database.Postgres.Execute(tampering, [], default);

        var verdict = await Verify(database);
        Assert.Equal(entry, verdict.Problems[0].Entry);
        Assert.Contains(words, verdict.Problems[0].Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("delete from audit where seq > 2; update chain_head set seq = 2, hash = (select hash from audit where seq = 2) "
        + "where chain = 'audit'", "once had an entry")]
    [InlineData("delete from audit; update chain_head set seq = 0, hash = repeat('0', 64) where chain = 'audit'", "once had an entry")]
    public async Task A_log_that_is_cut_off_with_its_head_shows_against_the_evidence(string tampering, string words)
    {
        await using var node = await TestNode.Start(databases);
        for (var at = 0; at < 5; at++)
            await node.Db.InTransaction(tx => Audit.Add(tx, TestNode.Admin, "test.write", $"thing {at}", "", default), default);
        await node.Get<AuditAnchors>().Record(TimeSpan.Zero, default);
        await node.Get<AuditAnchors>().Record(TimeSpan.Zero, default);   // a head that is recorded already is not recorded again
        Assert.Equal(1, (await node.Get<VerifyAudit>().Handle(TestNode.Admin, new VerifyAuditRequest(), default)).Anchors);
        await node.Db.Execute("alter table audit disable trigger all", [], default);

        await node.Db.Execute(tampering, [], default);

        var verdict = await node.Get<VerifyAudit>().Handle(TestNode.Admin, new VerifyAuditRequest(), default);
        Assert.Contains(words, verdict.Problems[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Filters_give_what_they_say_and_refuse_what_they_cannot()
    {
        await using var database = await databases.New();
        await Write(database, 3);
        await using (var tx = await database.Postgres.Begin(default))
        {
            await Audit.Add(tx, Caller.OfKey("ci", Role.Viewer), "policy.pause", "pol_1", "moves", default);
            await tx.Commit(default);
        }
        async Task<IEnumerable<long>> Seqs(ListAuditRequest request) => (await List(database, request)).Entries.Select(entry => entry.Seq);

        Assert.Equal([4], await Seqs(new ListAuditRequest(Actor: "key:ci")));
        Assert.Equal([4], await Seqs(new ListAuditRequest(Action: "policy.")));
        Assert.Equal([3, 2, 1], await Seqs(new ListAuditRequest(Action: "test.write")));
        Assert.Equal([2], await Seqs(new ListAuditRequest(Object: "thing 2")));
        Assert.Equal([4], await Seqs(new ListAuditRequest(Text: "MOVES")));
        Assert.Empty(await Seqs(new ListAuditRequest(Until: DateTimeOffset.UnixEpoch)));
        Assert.Equal("until", (await Assert.ThrowsAsync<BadInputException>(() => List(database, new ListAuditRequest(
            Since: DateTimeOffset.UnixEpoch, Until: DateTimeOffset.UnixEpoch)))).Field);
        Assert.Equal("text", (await Assert.ThrowsAsync<BadInputException>(() => List(database, new ListAuditRequest(Text: "\0")))).Field);
    }

    [Fact]
    public async Task An_export_verifies_by_itself_and_each_change_of_it_is_named()
    {
        await using var node = await TestNode.Start(databases);
        for (var at = 0; at < 4; at++)
            await node.Db.InTransaction(tx => Audit.Add(tx, TestNode.Admin, "test.write", $"thing {at}", "é\"", default), default);
        var lines = (await node.AdminClient().GetStringAsync("/api/v1/audit/export")).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        async Task<AuditFileVerdict> Check(IEnumerable<string> changed, params (long, string)[] anchors)
            => await AuditFileCheck.Run(new StringReader(string.Join('\n', changed) + "\n"), anchors, default);
        async Task<string> First(IEnumerable<string> changed) => (await Check(changed)).Problems is [var first, ..] ? first.Text : "";

        var whole = await Check(lines);
        Assert.Empty(whole.Problems);
        Assert.Equal(node.Get<BackupDr.Scheduler.Evidence.EvidenceKey>().Fingerprint, whole.Fingerprint);
        Assert.Contains("Entry 3", await First(lines.Select((line, at) => at == 3 ? line.Replace("test.write", "test.right",
            StringComparison.Ordinal) : line)), StringComparison.Ordinal);
        Assert.Contains("Entry 3 is missing", await First(lines.Where((_, at) => at != 3)), StringComparison.Ordinal);
        Assert.Contains("cut off", await First(lines.SkipLast(1)), StringComparison.Ordinal);
        Assert.Contains("its head says", await First(lines.SkipLast(2).Append(lines[^1])), StringComparison.Ordinal);
        Assert.NotEqual("", await First(lines.Take(2).Append(lines[3]).Append(lines[2]).Concat(lines.Skip(4))));
        Assert.Contains("signature", await First(lines.Select((line, at) => at == 0 ? line.Replace("\"madeAt\":\"2", "\"madeAt\":\"3",
            StringComparison.Ordinal) : line)), StringComparison.Ordinal);
        Assert.Contains("once had an entry", (await Check(lines, (99, new string('a', 64)))).Problems[0].Text, StringComparison.Ordinal);
        Assert.Contains("recorded elsewhere", (await Check(lines, (2, new string('a', 64)))).Problems[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_agent_that_names_another_ones_run_is_refused_and_audited()
    {
        await using var fleet = await Fleet.Start(databases);
        var (own, foreign) = (await fleet.Node.Join("web-1"), await fleet.Node.Join("db-1"));
        await fleet.Protect(own.Id, "/srv/web");
        var run = await fleet.Lease(own.Id);
        var client = fleet.Node.AgentClient(foreign.Certificate);

        var report = await client.PostAsync("/agent/v1/report", TestNode.Json(new ReportRequest
        {
            RunId = run!.RunId,
            Epoch = run.Epoch,
            Seq = 1
        },
            WireJson.Default.ReportRequest));
        var end = await client.PostAsync("/agent/v1/complete", TestNode.Json(new CompleteRequest(run.RunId, run.Epoch, Fleet.NoSpace),
            WireJson.Default.CompleteRequest));

        Assert.Equal("access.denied", (await report.Problem()).Code);
        Assert.Equal("access.denied", (await end.Problem()).Code);
        var refused = (await fleet.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(Action: "access.refused"),
            default)).Entries;
        Assert.Equal(["CompleteRun", "ReportRun"], refused.Select(entry => entry.Object));
        Assert.All(refused, entry => Assert.Equal(foreign.Id.ToString(), entry.Actor));
        Assert.NotEqual(RunState.Failed, (await fleet.Show(run.RunId)).State);
    }
}
