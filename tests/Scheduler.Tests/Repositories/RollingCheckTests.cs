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

    static Task<int> Look(Fleet fleet) => fleet.Get<UpkeepDue>().Run(JobKind.Check, Fleet.NoStop);

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
        Task<RunStarted> Start() => fleet.Get<StartUpkeep>().Handle(TestNode.Admin,
            new StartUpkeepRequest(repository, JobKind.Check), default);
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

    [Fact]
    public async Task Stock_restic_is_asked_once_a_week_and_again_at_once_until_it_finds_nothing()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await Proven(fleet);

        Assert.True(await Asked(new ResticCheck { Problem = "restic is not installed on this host." }));
        Assert.True(await Asked(new ResticCheck { Version = "0.14.0", Errors = ["tree 1: not found"] },
            "restic 0.14.0: tree 1: not found"));
        Assert.Equal("A check of its repository found damage: restic 0.14.0: tree 1: not found", (await fleet.OnlyItem()).StateReason);
        Assert.True(await Asked(new ResticCheck { Version = "0.14.0", Seconds = 2 }));
        Assert.Equal(ItemState.Proven, (await fleet.OnlyItem()).State);
        Assert.Equal(("0.14.0", null), await Check(fleet) is { Restic: { } told } ? (told.Version, told.Problem) : default);
        for (var day = 0; day < 6; day++) Assert.False(await Asked(null));
        Assert.True(await Asked(new ResticCheck { Version = "0.14.0" }));

        async Task<bool> Asked(ResticCheck? says, params string[] errors)
        {
            await fleet.Node.PassTime(TimeSpan.FromHours(25));
            await fleet.Node.Db.Execute("update host set last_seen_at = clock()", [], Fleet.NoStop);
            await fleet.Node.Db.Execute("update recovery_point set taken_at = clock(), received_at = clock()", [], Fleet.NoStop);
            Assert.Equal(1, await Look(fleet));
            var found = Found(null, errors);
            var run = await fleet.Finish(host, _ => found with { Check = found.Check! with { Restic = says } });
            return run.Job.Check!.WithRestic;
        }
    }

    [Fact]
    public async Task Settings_of_the_nodes_turn_stock_restic_off()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await Proven(fleet);
        await fleet.Node.PassTime(TimeSpan.FromHours(25));

        await new UpkeepDue(fleet.Node.Db, new Upkeep(new ChecksOptions { WithRestic = false }), TimeProvider.System)
            .Run(JobKind.Check, default);

        Assert.False((await fleet.Finish(host, _ => Found(null))).Job.Check!.WithRestic);
    }
}
