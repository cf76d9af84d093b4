namespace BackupDr.Simulation.Tests.Placement;

public sealed class PlacementTests
{
    [Fact]
    public void In_every_world_work_goes_to_hosts_that_are_there_near_and_free_and_all_of_it_is_done()
    {
        var seeds = Worlds.Seeds(2_000);
        var (waited, again, away) = (0L, 0L, 0L);
        for (var seed = 0; seed < seeds; seed++)
        {
            var world = new PlacementWorld(seed).Play();
            Assert.True(world.Broken is null, $"seed {seed}: {world.Broken}");
            (waited, again, away) = (waited + world.Waited, again + world.PlacedAgain, away + world.Away);
        }

        Assert.True(Math.Min(waited, Math.Min(again, away)) > seeds, $"the worlds were too kind: {waited} {again} {away}");
        Assert.Equal(new PlacementWorld(7).Play().Story, new PlacementWorld(7).Play().Story);
    }
}
