namespace BackupDr.Simulation.Tests.Replicas;

public sealed class RegionTests
{
    [Fact]
    public void In_every_world_both_regions_stay_whole_and_hold_the_same_at_last()
    {
        var seeds = Worlds.Seeds(200);
        using var world = new RegionWorld();
        Worlds.Each(Worlds.First, seeds, world.Play);

        Assert.True(world.Copied > seeds && world.Removed > seeds / 2 && world.CameBack > seeds / 2 && world.WrittenThere > seeds / 4,
            $"the worlds were too kind: {world.Copied} copied, {world.Removed} removed, {world.CameBack} came back, "
            + $"{world.WrittenThere} written elsewhere");
    }

    [Fact]
    public void In_every_world_regions_that_are_equals_stay_whole_and_hold_the_same_at_last()
    {
        var seeds = Worlds.Seeds(200);
        using var world = new RegionWorld(areEquals: true);
        Worlds.Each(Worlds.First, seeds, world.Play);

        Assert.True(world.Copied > seeds && world.Removed > seeds / 2 && world.CameBack > seeds / 2 && world.WrittenThere > seeds / 2,
            $"the worlds were too kind: {world.Copied} copied, {world.Removed} removed, {world.CameBack} came back, "
            + $"{world.WrittenThere} written elsewhere");
    }

    [Fact]
    public void A_region_that_acknowledges_what_it_does_not_keep_is_found()
    {
        using var world = new RegionWorld { SecondForgetsEvery = 10 };
        Assert.True(Worlds.Breaks(100, world.Play), "A hundred worlds did not notice.");
    }
}
