using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>The checks of repositories that a node starts every day, and what becomes of what they find.</summary>
public sealed class RollingCheckTests(SchedulerDatabases databases)
{
    static readonly string Pack = new('8', 64);

    static Task<int> Look(Fleet fleet) => fleet.Get<ChecksDue>().Run(Fleet.NoStop);

    static async Task<RollingCheck> Check(Fleet fleet)
        => Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), default)).Check!;

    static JobResult Found(string? reached, params string[] errors) => new()
    {
        Outcome = errors.Length == 0 ? JobOutcome.Complete : JobOutcome.Incomplete,
        Check = new CheckResult
        {
            Errors = errors,
            Packs = 5,
            BytesRead = 1000,
            Reached = reached,
            DamagedPacks = errors.Length == 0 ? null : [Pack],
        },
    };

    static async Task<HostId> Proven(Fleet fleet)
    {
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        return host;
    }

    [Fact]
    public async Task A_part_is_read_every_day_from_where_the_last_one_ended_until_the_round_is_over()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await Proven(fleet);
        Assert.Equal(0, await Look(fleet));
        await fleet.Node.PassTime(TimeSpan.FromHours(25));
        Assert.Equal((1, 0), (await Look(fleet), await Look(fleet)));

        var first = await fleet.Finish(host, _ => Found(Pack));

        Assert.Equal((JobKind.Check, null, 0), (first.Job.Kind, first.Job.Check!.Round!.After, first.Job.Check.Round.Also.Count));
        var half = await Check(fleet);
        Assert.Equal((0.53, null), (Math.Round(half.Position, 2), half.LastRoundEndedAt));
        Assert.NotNull(half.RoundBeganAt);
        await fleet.Node.PassTime(TimeSpan.FromHours(25));
        Assert.Equal(1, await Look(fleet));
        Assert.Equal(Pack, (await fleet.Finish(host, _ => Found(null))).Job.Check!.Round!.After);
        var over = await Check(fleet);
        Assert.Equal((0, null, half.RoundBeganAt), (over.Position, over.RoundBeganAt, over.LastRoundBeganAt));
        Assert.True(over.LastRoundEndedAt > half.CheckedAt);
        Assert.Equal(2, await fleet.Node.Db.Scalar<long>("select count(*) from evidence where kind = 'check'", [], Fleet.NoStop));
    }

    [Fact]
    public async Task Damage_makes_the_item_failed_is_read_again_and_ends_when_it_is_gone()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await Proven(fleet);
        var repository = (await fleet.OnlyItem()).Repository;
        Task<RunStarted> Start() => fleet.Get<CheckRepository>().Handle(TestNode.Admin, new CheckRepositoryRequest(repository), default);
        await Start();
        await fleet.Finish(host, _ => Found(null, $"pack {Pack}: it is in the index, but not in the store."));

        var item = await fleet.OnlyItem();
        Assert.Equal(ItemState.Failed, item.State);
        Assert.Equal($"A check of its repository found damage: pack {Pack}: it is in the index, but not in the store.", item.StateReason);
        Assert.Equal([Pack], (await Check(fleet)).Damage!.DamagedPacks!);

        Assert.Equal((await Start()).Run, (await Start()).Run);   // one at a time
        Assert.Equal([Pack], (await fleet.Finish(host, _ => Found(null))).Job.Check!.Round!.Also);
        Assert.Equal((ItemState.Proven, null), ((await fleet.OnlyItem()).State, (await Check(fleet)).Damage));
    }
}
