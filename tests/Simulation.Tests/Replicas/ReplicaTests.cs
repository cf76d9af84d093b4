using BackupDr.Simulation.Tests.Garbage;

namespace BackupDr.Simulation.Tests.Replicas;

public sealed class ReplicaTests
{
    static readonly int Seeds = Worlds.Seeds(500);

    [Fact]
    public void Two_places_are_whole_at_any_moment_and_the_same_in_peace()
    {
        using var world = new ReplicaWorld();
        for (var seed = 0; seed < Seeds; seed++)
        {
            try { world.Play(seed); }
            catch (WorldBrokenException e) { Assert.Fail($"seed {seed}: {e.Message}"); }
        }

        Assert.True(world.Published > Seeds && world.Copied > 3 * Seeds && world.Removed > Seeds / 10,
            $"the worlds were too kind: {world.Published} published, {world.Copied} copied, {world.Removed} removed");
    }

    [Fact]
    public void A_place_that_acknowledges_what_it_did_not_keep_is_found()
    {
        using var world = new ReplicaWorld { SecondForgetsEvery = 10 };
        for (var seed = 0; seed < Seeds; seed++)
        {
            try { world.Play(seed); }
            catch (WorldBrokenException) { return; }
        }
        Assert.Fail($"{Seeds} worlds did not notice");
    }
}
