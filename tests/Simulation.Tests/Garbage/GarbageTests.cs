using BackupDr.Engine.Garbage;

namespace BackupDr.Simulation.Tests.Garbage;

public sealed class GarbageTests
{
    const int Few = 1_000;
    static readonly int Seeds = Worlds.Seeds(2_000);

    [Fact]
    public void In_every_world_each_snapshot_keeps_its_blobs_and_garbage_goes_at_last()
    {
        using var world = new GarbageWorld(new GarbageRules());
        Worlds.Each(Worlds.First, Seeds, world.Play);

        Assert.True(world.Removed > Seeds && world.Waited > Seeds / 10 && world.Published > 3 * Seeds && world.Rescued > 0,
            $"the worlds were too kind: {world.Removed} removed, {world.Waited} waited, {world.Published} published, "
            + $"{world.Rescued} rescued");
    }

    [Fact]
    public void A_writer_that_counts_on_marked_packs_is_found() => MustBreak(new GarbageRules { WritersHeedMarks = false });

    [Fact]
    public void A_sweep_that_waits_for_nobody_is_found() => MustBreak(new GarbageRules { SweepAwaitsWitnesses = false });

    [Fact]
    public void A_sweep_that_does_not_read_the_snapshots_again_is_found()
        => MustBreak(new GarbageRules { SweepReadsSnapshotsAgain = false });

    static void MustBreak(GarbageRules rules)
    {
        using var world = new GarbageWorld(rules);
        Assert.True(Worlds.Breaks(Few, world.Play), $"{Few} worlds did not notice: {rules}");
    }
}
