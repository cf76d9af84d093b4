using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runs;

/// <summary>What lists say of a history, however it is cut.</summary>
public sealed class RunListTests(SchedulerDatabases databases)
{
    static Task<RunPage> List(Fleet fleet, ListRunsRequest request)
        => fleet.Get<ListRuns>().Handle(TestNode.Admin, request, Fleet.NoStop);

    [Fact]
    public async Task Runs_of_a_stretch_of_time_come_page_by_page_each_once_also_where_ids_are_in_another_order()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        var other = await fleet.Protect(host, "/srv/other");
        for (var day = 0; day < 6; day++)
        {
            await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
            await fleet.Node.PassTime(TimeSpan.FromDays(1));
        }
        // A node whose clock is behind gave a younger run an older id.
        await fleet.Node.Db.Execute("""
            update run set created_at = created_at + interval '2 minutes'
            where id = (select id from run where kind = 'Backup' order by id limit 1)
            """, [], Fleet.NoStop);
        var all = (await List(fleet, new ListRunsRequest { Policy = policy.Id })).Runs;
        Assert.Equal(7, all.Count);
        var (since, until) = (all[^2].CreatedAt, all[1].CreatedAt);
        var wanted = all.Where(run => run.CreatedAt >= since && run.CreatedAt < until).OrderByDescending(run => run.CreatedAt)
            .Select(run => run.Id).ToList();

        var found = new List<RunId>();
        for (RunId? before = null; ;)
        {
            var page = await List(fleet, new ListRunsRequest
            {
                Policy = policy.Id,
                Since = since,
                Until = until,
                Before = before,
                Limit = 1,
            });
            found.AddRange(page.Runs.Select(run => run.Id));
            if ((before = page.Next) is null) break;
        }

        Assert.Equal(5, wanted.Count);
        Assert.Equal(wanted, found);
        Assert.Equal([other.Id], (await List(fleet, new ListRunsRequest { Policy = other.Id })).Runs.Select(run => run.Policy!.Value));
    }

    [Fact]
    public async Task A_repository_stores_what_its_points_added_but_for_those_that_are_gone()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        var policy = await fleet.ProtectReady(host, "/srv/data");
        foreach (var (snapshot, bytes) in ((char, long)[])[('a', 5L << 40), ('b', 7), ('c', 11)])
        {
            await fleet.Finish(host, _ => Fleet.Backup(snapshot: snapshot) is var done ? done with
            {
                Backup = done.Backup! with { BytesAdded = bytes },
            } : done);
            if (snapshot == 'a') await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
            await fleet.Get<RunPolicy>().Handle(TestNode.Admin, new RunPolicyRequest(policy.Id), Fleet.NoStop);
        }

        async Task<(int, long)> Stored()
        {
            var one = Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(),
                Fleet.NoStop));
            return (one.RecoveryPoints, one.StoredBytes);
        }

        Assert.Equal((3, (5L << 40) + 18), await Stored());
        await fleet.Node.Db.Execute("update recovery_point set gone_at = clock() where snapshot_id like 'b%'", [], Fleet.NoStop);
        Assert.Equal((2, (5L << 40) + 11), await Stored());
    }
}
