using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
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
}
