using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Repositories;

/// <summary>Who can read a repository, and who can delete in it.</summary>
public sealed class RepositoryReachTests(SchedulerDatabases databases)
{
    static readonly ReachingHost Source = Host("db-1"), Mover = Host("mover"), Drill = Host("drill");

    static ReachingHost Host(string name) => new(HostId.New(TimeProvider.System), name);

    [Theory]
    [InlineData(LocationKind.Folder, true, "db-1 deletes|The nodes")]
    [InlineData(LocationKind.Gateway, true, "db-1|mover|drill|The nodes deletes")]
    [InlineData(LocationKind.Rest, true, "db-1 deletes|drill deletes|The nodes deletes")]
    [InlineData(LocationKind.S3, true, "db-1 deletes|mover deletes|drill deletes|The nodes deletes")]
    [InlineData(LocationKind.Azure, true, "db-1 deletes|mover deletes|drill deletes|The nodes deletes")]
    [InlineData(LocationKind.S3, false, "db-1 deletes|drill deletes|The nodes deletes")]
    public void Each_kind_of_location_is_read_and_emptied_by_its_own(LocationKind kind, bool isUpkeepAllowed, string expected)
    {
        var about = new ReachedRepository
        {
            Host = Source,
            Kind = kind,
            IsUpkeepAllowed = isUpkeepAllowed,
            Movers = [Mover],
            DrillHosts = [Drill],
        };

        Assert.Equal(expected, string.Join('|', RepositoryReaches.Of(about)
            .Select(one => one.CanDelete ? $"{one.Name} deletes" : one.Name)));
        // A further place that only its own machine reaches keeps repository work from the movers.
        if (kind == LocationKind.S3)
            Assert.DoesNotContain(RepositoryReaches.Of(about with { HasOnlyFarReplicas = false }), one => one.As == ReachAs.Mover);
    }

    [Fact]
    public void A_host_that_is_several_things_is_named_once_and_a_lock_is_told()
    {
        var all = RepositoryReaches.Of(new ReachedRepository
        {
            Host = Source,
            Kind = LocationKind.S3,
            LockDays = 14,
            HasGatewayUser = true,
            Movers = [Source, Mover],
            DrillHosts = [Mover],
        });

        Assert.Equal(["db-1", "mover", "Stock restic", "The nodes"], all.Select(one => one.Name));
        Assert.Contains("younger than 14 days is locked", all[0].Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Movers_and_the_hosts_that_policies_name_for_drills_are_found()
    {
        await using var fleet = await Fleet.Start(databases);
        var (source, drill) = (await fleet.AddHost(), await fleet.AddHost());
        var policy = await fleet.ProtectReady(source, "/srv/data");
        await fleet.Node.Db.Execute("update policy set spec = jsonb_set(spec, '{proof,drillHosts}', jsonb_build_array($2::text)) "
            + "where id = $1", [policy.Id, drill.ToString()], default);
        await fleet.Node.Db.Execute("update location set kind = 'S3', address = 's3:https://far.example.org/b', path = null", [], default);
        var repository = Assert.Single(await fleet.Get<ListRepositories>().Handle(TestNode.Admin, new ListRepositoriesRequest(), default));

        var all = await fleet.Get<ShowRepositoryReach>().Handle(TestNode.Admin, new ShowRepositoryReachRequest(repository.Id), default);

        Assert.Equal([(ReachAs.Host, source), (ReachAs.DrillHost, drill), (ReachAs.Nodes, (HostId?)null)],
            all.Select(one => (one.As, one.Host)));
        await Assert.ThrowsAsync<NotFoundException>(() => fleet.Get<ShowRepositoryReach>().Handle(TestNode.Admin,
            new ShowRepositoryReachRequest(RepositoryId.New(TimeProvider.System)), default));
    }
}
