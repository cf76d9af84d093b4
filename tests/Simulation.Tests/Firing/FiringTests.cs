namespace BackupDr.Simulation.Tests.Firing;

public sealed class FiringTests
{
    [Fact]
    public void In_every_world_each_time_fires_once_runs_begin_in_their_hours_never_pile_up_and_all_comes_right_in_the_end()
    {
        var seeds = Worlds.Seeds(2_000);
        var (coalesced, skipped, held, expired, capped, jumps) = (0L, 0L, 0L, 0L, 0L, 0L);
        for (var seed = 0; seed < seeds; seed++)
        {
            var world = new FiringWorld(seed).Play();
            Assert.True(world.Broken is null, $"seed {seed}: {world.Broken}");
            coalesced += world.Coalesced;
            skipped += world.Skipped;
            held += world.Held;
            expired += world.Expired;
            capped += world.Capped;
            jumps += world.Jumps;
        }

        Assert.True(new[] { coalesced, skipped, held, expired, capped, jumps }.Min() > seeds / 10, "the worlds were too kind: "
            + $"{coalesced} coalesced, {skipped} skipped, {held} held, {expired} expired, {capped} capped, {jumps} jumps");
    }

    [Theory]
    [InlineData(PlantedBug.NoFiringKey)]
    [InlineData(PlantedBug.OnlyNewestFiring)]
    [InlineData(PlantedBug.HoursAskedOnce)]
    [InlineData(PlantedBug.PilesUp)]
    [InlineData(PlantedBug.CapWithoutLock)]
    public void A_planted_bug_is_found_within_two_hundred_seeds_and_its_seed_finds_it_again(PlantedBug bug)
    {
        var found = Enumerable.Range(0, 200).Cast<int?>()
            .FirstOrDefault(seed => new FiringWorld(seed!.Value, bug).Play().Broken is not null);

        Assert.True(found is not null, $"{bug} was not found");
        Assert.Equal(new FiringWorld(found.Value, bug).Play().Broken, new FiringWorld(found.Value, bug).Play().Broken);
        Assert.Null(new FiringWorld(found.Value).Play().Broken);
    }

    [Fact]
    public void A_seed_gives_the_same_world_again()
    {
        foreach (var seed in (int[])[1, 7, 42]) Assert.Equal(new FiringWorld(seed).Play().Story, new FiringWorld(seed).Play().Story);
    }
}
