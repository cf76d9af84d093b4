using System.Threading.Channels;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;

namespace BackupDr.Agent.Tests;

/// <summary>The boot clock in the test's hand: it stands until it is moved.</summary>
sealed class HeldClock : TimeProvider
{
    long _ticks;
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;
    public override long GetTimestamp() => Interlocked.Read(ref _ticks);
    public void Pass(TimeSpan time) => Interlocked.Add(ref _ticks, time.Ticks);
}

/// <summary>The node's side of reports: each is kept, and answered as the test says.</summary>
sealed class ScriptedReports(Func<ReportRequest, ReportAnswer> answer)
{
    readonly List<ReportRequest> _received = [];
    readonly Channel<long> _arrived = Channel.CreateUnbounded<long>();

    public IReadOnlyList<ReportRequest> Received { get { lock (_received) return [.. _received]; } }

    public Task<ReportAnswer> Take(ReportRequest request, CancellationToken ct)
    {
        lock (_received) _received.Add(request);
        _arrived.Writer.TryWrite(request.Seq);
        return Task.FromResult(answer(request));
    }

    /// <summary>Waits for one more report.</summary>
    public async Task Next() => await _arrived.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));

    /// <summary>Waits for one more than there are at this moment.</summary>
    public async Task Another()
    {
        var already = Received.Count;
        while (Received.Count == already) await Next();
    }
}

public sealed class LeasedWorkTests
{
    const int TtlMs = 30_000;
    static readonly TimeSpan JustOverTheFence = TimeSpan.FromSeconds(23), JustBeforeTheFence = TimeSpan.FromSeconds(22);
    static readonly JobResult Done = new() { Outcome = JobOutcome.Complete };

    readonly HeldClock _clock = new();

    static LeasedRun ARun() => new(RunId.New(TimeProvider.System), 7, TtlMs, new Job
    {
        Kind = JobKind.Check,
        Repository = new RepositoryAccess { Id = RepositoryId.New(TimeProvider.System), Url = "/nowhere", Password = "secret" },
    });

    static ReportAnswer Fine(ReportRequest request) => new(TtlMs, Cancel: false);

    LeasedWork Work(ScriptedReports reports) => new(reports.Take, _clock, TimeProvider.System);

    /// <summary>Work that goes on until it is told to stop.</summary>
    static async Task<JobResult> Endless(RunReporter reporter, CancellationToken ct)
    {
        await Task.Delay(Timeout.Infinite, ct);
        return Done;
    }

    static Task<T> InTime<T>(Task<T> task) => task.WaitAsync(TimeSpan.FromSeconds(20));

    [Fact]
    public async Task The_first_report_comes_before_the_work_and_the_last_one_after_its_last_event()
    {
        var reports = new ScriptedReports(Fine);
        var reportedBefore = 0;

        var (result, cause) = await InTime(Work(reports).Run(ARun(), (reporter, _) =>
        {
            reportedBefore = reports.Received.Count;
            reporter.Event(EventLevel.Info, "test.last", "the last words");
            return Task.FromResult(Done);
        }, CancellationToken.None));

        Assert.Equal((Done, StopCause.None), (result, cause));
        Assert.Equal(1, reportedBefore);
        Assert.Equal("the last words", reports.Received[^1].Events.Single().Text);
        Assert.All(reports.Received, report => Assert.Equal(7, report.Epoch));
        Assert.Equal(Enumerable.Range(1, reports.Received.Count), reports.Received.Select(report => (int)report.Seq));
    }

    [Fact]
    public async Task A_refused_first_report_means_that_nothing_is_begun()
    {
        var reports = new ScriptedReports(_ => throw new ConflictException("run.lease_lost", "The lease is over."));
        var begun = false;

        var (result, cause) = await InTime(Work(reports).Run(ARun(), (_, _) =>
        {
            begun = true;
            return Task.FromResult(Done);
        }, CancellationToken.None));

        Assert.Equal((null, StopCause.LeaseLost), (result, cause));
        Assert.False(begun);
    }

    [Fact]
    public async Task A_refused_later_report_stops_the_work()
    {
        var reports = new ScriptedReports(report => report.Seq == 1 ? Fine(report)
            : throw new ConflictException("run.lease_lost", "The lease is over."));

        var (result, cause) = await InTime(Work(reports).Run(ARun(), async (reporter, ct) =>
        {
            reporter.Event(EventLevel.Info, "test.news", "makes a second report due");
            return await Endless(reporter, ct);
        }, CancellationToken.None));

        Assert.Equal((null, StopCause.LeaseLost), (result, cause));
    }

    [Fact]
    public async Task Without_answers_the_agent_fences_itself_at_three_quarters_of_the_lease()
    {
        var reports = new ScriptedReports(report => report.Seq == 1 ? Fine(report)
            : throw new UnavailableException("node.unreachable", "away"));
        var running = Work(reports).Run(ARun(), async (reporter, ct) =>
        {
            reporter.Event(EventLevel.Info, "test.news", "makes a second report due");
            return await Endless(reporter, ct);
        }, CancellationToken.None);
        await reports.Next();

        _clock.Pass(JustBeforeTheFence);
        await reports.Another();   // still trying
        var endedEarly = running.IsCompleted;
        _clock.Pass(JustOverTheFence - JustBeforeTheFence);
        var (result, cause) = await InTime(running);

        Assert.False(endedEarly);
        Assert.Equal((null, StopCause.LeaseLost), (result, cause));
    }

    [Theory]
    [InlineData(9 * 60, StopCause.Cancelled)]   // the database came back, and somebody had asked to cancel
    [InlineData(11 * 60, StopCause.LeaseLost)]
    public async Task While_nodes_say_that_their_database_is_away_the_work_goes_on_for_ten_minutes(int seconds, StopCause end)
    {
        var isAway = false;
        var reports = new ScriptedReports(report => !Volatile.Read(ref isAway) ? new ReportAnswer(TtlMs, Cancel: report.Seq > 1)
            : throw new UnavailableException(AgentProtocol.DatabaseAway, "The database does not answer."));
        var running = Work(reports).Run(ARun(), async (reporter, ct) =>
        {
            Volatile.Write(ref isAway, true);
            reporter.Event(EventLevel.Info, "test.news", "makes a second report due");
            return await Endless(reporter, ct);
        }, CancellationToken.None);
        await reports.Next();

        var step = TimeSpan.FromSeconds(20);
        for (var passed = TimeSpan.Zero; passed < TimeSpan.FromSeconds(seconds) && !running.IsCompleted; passed += step)
        {
            _clock.Pass(step);
            await Task.WhenAny(reports.Another(), running);
        }
        Volatile.Write(ref isAway, false);

        Assert.Equal((null, end), await InTime(running));
    }

    [Fact]
    public async Task An_agent_that_slept_past_its_lease_stops_before_it_says_anything_more()
    {
        var reports = new ScriptedReports(Fine);
        var running = Work(reports).Run(ARun(), Endless, CancellationToken.None);
        await reports.Next();

        _clock.Pass(TimeSpan.FromHours(1));
        var (result, cause) = await InTime(running);

        Assert.Equal((null, StopCause.LeaseLost), (result, cause));
        Assert.Single(reports.Received);
    }

    [Fact]
    public async Task A_person_who_cancels_and_a_host_that_stops_are_told_apart()
    {
        using var stopping = new CancellationTokenSource();
        var quiet = new ScriptedReports(Fine);
        var stopped = Work(quiet).Run(ARun(), Endless, stopping.Token);
        await quiet.Next();
        await stopping.CancelAsync();

        var cancelling = new ScriptedReports(_ => new ReportAnswer(TtlMs, Cancel: true));
        var cancelled = await InTime(Work(cancelling).Run(ARun(), Endless, CancellationToken.None));

        Assert.Equal((null, StopCause.Cancelled), cancelled);
        Assert.Equal((null, StopCause.HostStopping), await InTime(stopped));
    }

    [Fact]
    public async Task A_report_whose_answer_was_lost_is_sent_again_as_it_was()
    {
        var lost = true;
        var reports = new ScriptedReports(report =>
        {
            if (report.Seq != 2 || !lost) return Fine(report);
            lost = false;
            throw new UnavailableException("node.unreachable", "the answer was lost");
        });

        await InTime(Work(reports).Run(ARun(), async (reporter, _) =>
        {
            reporter.Event(EventLevel.Info, "test.first", "first");
            await reports.Next();   // the one that began the run
            await reports.Next();   // the one whose answer is lost
            reporter.Event(EventLevel.Info, "test.second", "second");
            return Done;
        }, CancellationToken.None));

        var twice = reports.Received.Where(report => report.Seq == 2).ToList();
        Assert.Equal(["first", "first"], twice.Select(report => report.Events.Single().Text));
        var later = reports.Received.Where(report => report.Seq > 2).SelectMany(report => report.Events);
        Assert.Equal(["second"], later.Select(line => line.Text));
    }
}
