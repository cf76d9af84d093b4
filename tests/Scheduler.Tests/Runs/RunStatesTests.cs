using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Tests.Runs;

public sealed class RunStatesTests
{
    [Fact]
    public void Every_pair_of_state_and_trigger_moves_as_listed_or_is_refused()
    {
        var listed = RunStates.All.ToDictionary(move => (move.From, move.On), move => move.To);

        foreach (var from in Enum.GetValues<RunState>())
            foreach (var on in Enum.GetValues<RunTrigger>())
            {
                Assert.Equal(listed.ContainsKey((from, on)), RunStates.TryMove(from, on, out var to));
                if (listed.TryGetValue((from, on), out var expected)) Assert.Equal(expected, to);
            }
    }

    [Fact]
    public void Nothing_leads_out_of_a_state_that_is_over_and_every_other_state_has_an_end()
    {
        foreach (var state in Enum.GetValues<RunState>())
            Assert.Equal(RunStates.IsOver(state), RunStates.All.All(move => move.From != state));

        Assert.All(Enum.GetValues<RunState>().Where(state => !RunStates.IsOver(state)),
            state => Assert.Contains(RunStates.All, move => move.From == state && RunStates.IsOver(move.To)));
    }

    [Theory]
    [InlineData(JobOutcome.Complete, RunState.Complete)]
    [InlineData(JobOutcome.Incomplete, RunState.Incomplete)]
    [InlineData(JobOutcome.Failed, RunState.Failed)]
    [InlineData(JobOutcome.Cancelled, RunState.Cancelled)]
    public void A_run_ends_in_the_state_of_its_outcome(JobOutcome outcome, RunState expected)
    {
        Assert.True(RunStates.TryMove(RunState.Running, RunStates.Of(outcome), out var to));

        Assert.Equal(expected, to);
    }

    [Fact]
    public void The_pause_after_a_lost_lease_grows_to_two_minutes_and_stays_there()
    {
        var pauses = Enumerable.Range(1, 8).Select(leases => (int)RunStates.BackOff(leases).TotalSeconds);

        Assert.Equal([2, 4, 8, 16, 32, 64, 120, 120], pauses);
    }
}
