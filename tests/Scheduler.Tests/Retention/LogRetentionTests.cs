using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Retention;

/// <summary>What retention does with base backups of a database whose log is received.</summary>
public sealed class LogRetentionTests(SchedulerDatabases databases)
{
    const string Server = "db1:3306";

    [Fact]
    public async Task A_base_backup_that_leads_into_kept_log_behind_a_gap_stays_and_the_log_goes_with_the_oldest()
    {
        await using var one = await RetainedFleet.Start(databases, RetainedFleet.ThreeDays with { KeepDaily = 1 });
        Task<RecoveryPoint> Base(int at) => one.Backup(result => result with { MariaDb = Point(at) });
        var oldest = await Base(1000);
        await one.Fleet.Get<HoldPoint>().Handle(TestNode.Admin, new HoldPointRequest(oldest.Id, "case 2026-17"), default);
        foreach (var at in (int[])[2000, 2500, 2800])   // the first of them behind a gap: it alone leads to what follows
        {
            await one.Fleet.Node.PassTime(TimeSpan.FromDays(1));
            await Base(at);
        }
        await one.Fleet.Node.Db.InTransaction(async tx =>
        {
            await Grow(tx, one.Item, 4, 1500);
            await Grow(tx, one.Item, 1900, 2900);
            return 0;
        }, default);
        await one.Turn();

        var shown = (await one.Retention()).Points;
        Assert.Contains(KeepReason.BeginsLog, shown[2].Reasons);      // 2000
        Assert.Empty(shown[1].Reasons);                               // 2500: reached from 2000 by the log
        await one.Fleet.Node.PassTime(TimeSpan.FromDays(2));
        await one.Turn();
        var forget = (await one.Lease(JobKind.Forget)).Job.Forget!;
        Assert.Equal([Server], forget.Servers);
        Assert.Null(forget.Clusters);
    }

    static Task<bool> Grow(Transaction tx, ItemId item, long from, long to)
        => LogStretches.Grow(tx, item, Server, 0, Position(from), Position(to), TimeProvider.System.GetUtcNow(), default);

    static string Position(long at) => $"bin.000001.1763700000:{at}";

    static MariaDbPoint Point(long at) => new()
    {
        Server = Server,
        ServerVersion = "10.11.19-MariaDB-log",
        DataFolder = FilePath.FromText("/var/lib/mysql"),
        StartedAt = DateTimeOffset.UnixEpoch,
        StoppedAt = DateTimeOffset.UnixEpoch,
        Position = Position(at),
    };
}
