using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Web.Runs;

namespace BackupDr.Web.Tests;

public sealed class RunStoryTests
{
    static readonly DateTimeOffset Start = new(2026, 11, 21, 3, 0, 0, TimeSpan.Zero);

    static Run Backup(RunState state, JobProgress? progress = null) => new()
    {
        Id = RunId.New(TimeProvider.System),
        Kind = JobKind.Backup,
        State = state,
        Title = "Backup /srv/data of web-1",
        Host = HostId.New(TimeProvider.System),
        HostName = "web-1",
        CreatedAt = Start,
        Epoch = 1,
        RequestedBy = "schedule",
        StartedAt = state == RunState.Queued ? null : Start,
        FinishedAt = state is RunState.Complete or RunState.Failed or RunState.Cancelled ? Start.AddMinutes(1) : null,
        Progress = progress,
    };

    static JobProgress Uploading(long done) => new() { Phase = "uploading", BytesDone = done, BytesTotal = 4000 };

    [Fact]
    public void The_time_left_follows_from_the_rate_so_far()
        => Assert.Equal(TimeSpan.FromSeconds(30), RunStory.Left(Backup(RunState.Running, Uploading(1000)), Start.AddSeconds(10)));

    [Fact]
    public void Nothing_is_promised_before_there_is_a_rate()
    {
        Assert.Null(RunStory.Left(Backup(RunState.Running, Uploading(0)), Start.AddSeconds(10)));
        Assert.Null(RunStory.Left(Backup(RunState.Running, Uploading(1000)), Start.AddSeconds(1)));
        Assert.Null(RunStory.Left(Backup(RunState.Queued), Start.AddSeconds(10)));
    }

    [Theory]
    [InlineData(RunState.Queued, "Now Later Later Later")]
    [InlineData(RunState.Running, "Done Done Now Later")]
    [InlineData(RunState.Complete, "Done Done Done Done")]
    [InlineData(RunState.Failed, "Done Done Bad Later")]
    [InlineData(RunState.Cancelled, "Done Done Bad Later")]
    public void The_steps_show_how_far_a_run_came(RunState state, string expected)
    {
        var steps = RunStory.Steps(Backup(state, state == RunState.Queued ? null : Uploading(10)));

        Assert.Equal(expected, string.Join(' ', steps.Select(s => s.State)));
    }

    [Theory]
    [InlineData(ProofResult.Proven, "Proven", "Done Done Done Done Done")]
    [InlineData(ProofResult.Failed, "Proof failed", "Done Done Done Bad Done")]
    public void A_drill_tells_the_steps_that_were_done_and_what_it_proved(ProofResult result, string word, string states)
    {
        var drill = new DrillResult
        {
            Result = result,
            Checks = [new DrillCheck("log", true, "replayed")],
            Steps = [new DrillStep("Restore into a folder of its own", Start, Start, true), new DrillStep("Start a server in it", Start,
                Start, true), new DrillStep("Look through it", Start, Start, result == ProofResult.Proven)],
        };
        var run = Backup(RunState.Complete) with
        {
            Kind = JobKind.Drill,
            Result = new JobResult { Outcome = JobOutcome.Complete, Drill = drill },
        };

        var steps = RunStory.Steps(run);

        Assert.Equal(states, string.Join(' ', steps.Select(step => step.State)));
        Assert.Equal(["Restore into a folder of its own", "Start a server in it", "Look through it"], steps.Skip(1).Take(3)
            .Select(step => step.Word));
        Assert.Equal(word, Parts.Tones.Of(run).Word);
    }

    [Theory]
    [InlineData("restoring", "Restore into a folder of its own, Look through what came back")]
    [InlineData("recovering", "Restore into a folder of its own, Start a server in it, Look through it")]
    [InlineData("comparing", "Restore into a folder of its own, Compare each file with the snapshot")]
    public void A_drill_that_runs_tells_what_its_phases_show(string phase, string words)
    {
        var run = Backup(RunState.Running, new JobProgress { Phase = phase }) with { Kind = JobKind.Drill };

        Assert.Equal(words, string.Join(", ", RunStory.Steps(run).Skip(1).SkipLast(1).Select(step => step.Word)));
    }

    [Fact]
    public void A_run_cancelled_before_it_began_stops_at_the_first_step()
    {
        var run = Backup(RunState.Cancelled) with { StartedAt = null };

        Assert.Equal(StepState.Bad, RunStory.Steps(run)[0].State);
    }

    [Fact]
    public void An_incomplete_backup_counts_what_is_missing_first()
    {
        var result = new BackupResult { SnapshotId = new string('a', 64), TakenAt = Start, MissingCount = 2, BytesAdded = 2048 };
        var run = Backup(RunState.Incomplete) with { Result = new JobResult { Outcome = JobOutcome.Incomplete, Backup = result } };

        Assert.Equal("2 entries missing, 2 KiB added", RunStory.Result(run));
    }

    [Fact]
    public void A_restore_that_waits_for_a_thaw_says_so_in_its_steps()
    {
        var run = Backup(RunState.Queued) with { Kind = JobKind.Restore, StartedAt = Start, Looks = 3 };

        Assert.Equal([("Wait for the agent", StepState.Done), ("Wait for the thaw", StepState.Now), ("Write the files", StepState.Later),
            ("Record the result", StepState.Later)], RunStory.Steps(run).Select(step => (step.Word, step.State)));
    }
}
