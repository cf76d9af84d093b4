using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Simulation.Tests;

public sealed class LeaseTests
{
    static readonly int Seeds = Worlds.Seeds(2_000);

    [Fact]
    public void In_every_world_each_run_ends_once_within_five_leases_and_epochs_only_grow()
    {
        var (refused, expired) = (0, 0);
        for (var seed = 0; seed < Seeds; seed++)
            foreach (var run in new LeaseSimulation(seed).Play())
            {
                Assert.True(RunStates.IsOver(run.State), $"seed {seed}: a run is still {run.State}");
                Assert.True(run.Ends == 1, $"seed {seed}: a run ended {run.Ends} times");
                Assert.True(run.Epoch <= RunStates.MaximumLeases, $"seed {seed}: {run.Epoch} leases");
                var inOrder = run.WritesByEpoch.SequenceEqual(run.WritesByEpoch.Order());
                Assert.True(inOrder, $"seed {seed}: an old epoch wrote after a newer one");
                Assert.True(run.State != RunState.Cancelled || run.CancelAsked, $"seed {seed}: cancelled, and nobody asked");
                Assert.True(run.ClaimedAfterCancel == 0, $"seed {seed}: taken again after somebody had asked to cancel");
                refused += run.Refused;
                expired += run.Epoch > 1 ? 1 : 0;
            }

        Assert.True(refused > Seeds / 10 && expired > Seeds / 10, $"the worlds were too kind: {refused} refused, {expired} expired");
    }

    [Fact]
    public void A_seed_gives_the_same_world_again()
        => Assert.Equal(Story(7), Story(7));

    static string Story(int seed)
        => string.Join(' ', new LeaseSimulation(seed).Play()
            .Select(run => $"{run.State}/{run.Epoch}/{run.Refused}/{run.WritesByEpoch.Count}"));
}
