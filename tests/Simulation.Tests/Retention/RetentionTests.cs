namespace BackupDr.Simulation.Tests.Retention;

public sealed class RetentionTests
{
    [Fact]
    public void In_every_world_what_must_stay_stays_and_a_host_that_was_taken_over_pushes_out_nothing_good()
    {
        var seeds = Worlds.Seeds(2_000);
        var (gone, alarms, encrypted) = (0L, 0, 0);
        for (var seed = 0; seed < seeds; seed++)
        {
            var world = new RetentionWorld(seed).Play();
            Assert.True(world.Broken is null, $"seed {seed}: {world.Broken}");
            gone += world.Gone;
            alarms += world.HasAlarm ? 1 : 0;
            encrypted += world.IsEncrypted ? 1 : 0;
            Assert.True(world.HasAlarm == world.IsEncrypted, $"seed {seed}: {(world.HasAlarm ? "an alarm for nothing" : "no alarm")}");
        }

        Assert.True(gone > 50 * seeds && encrypted > seeds / 8,
            $"the worlds were too kind: {gone} gone, {alarms} alarms, {encrypted} encrypted");
        Assert.Equal(new RetentionWorld(3).Play().Story, new RetentionWorld(3).Play().Story);
    }
}
