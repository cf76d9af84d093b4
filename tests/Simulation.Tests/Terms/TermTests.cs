using BackupDr.Scheduler.ControlPlane;

namespace BackupDr.Simulation.Tests.Terms;

public sealed class TermTests
{
    static readonly int Seeds = Worlds.Seeds(2_000);

    [Fact]
    public void In_every_world_an_old_control_plane_removes_nothing_once_the_new_one_has_begun_and_its_last_word_is_old()
    {
        var (begun, refused, late) = (0, 0, 0);
        for (var seed = 0; seed < Seeds; seed++)
        {
            var world = new TermWorld(seed).Play();
            refused += world.Refused;
            Assert.False(world.WentBack, $"seed {seed}: an agent went back");
            if (world.BegunAt is not { } at) continue;
            begun++;
            late += world.Removals.Exists(removal => removal > at) ? 1 : 0;
            Assert.True(Bound(world), $"seed {seed}: a removal at {world.Removals.LastOrDefault()}, and the later term began at {at}");
            Assert.True(world.OldKnows, $"seed {seed}: the old one sees all places and does not know");
        }

        Assert.True(begun > Seeds / 2 && refused > Seeds / 2 && late > Seeds / 10,
            $"the worlds were too kind: {begun} rebuilt, {refused} refused, {late} removed something within the time that a word counts");
    }

    [Fact]
    public void A_control_plane_that_asks_only_the_places_that_it_reaches_is_found()
        => Assert.Contains(Enumerable.Range(0, 500), seed => !Bound(new TermWorld(seed, countsReadableOnly: true).Play()));

    [Fact]
    public void A_seed_gives_the_same_world_again() => Assert.Equal(new TermWorld(7).Play().Removals, new TermWorld(7).Play().Removals);

    static bool Bound(TermWorld world) => world.BegunAt is not { } at || world.Removals.Count == 0
        || world.Removals[^1] - at < TermVotes.ConfirmedFor.TotalSeconds;
}
