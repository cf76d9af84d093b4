using System.Threading.Channels;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Timing;

namespace BackupDr.Scheduler.Tests.Timing;

/// <summary>What every firing engine must do. The adapter of another engine inherits this.</summary>
public abstract class FiringEngineContract
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    protected static readonly ScheduleSpec EachSecond = new() { Every = TimeSpan.FromSeconds(1) };

    /// <summary>Nodes of one cluster, each with an engine of its own over the same store.</summary>
    protected abstract Task<IEngineCluster> Cluster();

    [Fact]
    public async Task Two_nodes_fire_each_nominal_time_once_and_the_other_goes_on_when_one_stops()
    {
        await using var cluster = await Cluster();
        await cluster.Engine(0).ScheduleOrReplace("a", EachSecond, CancellationToken.None);
        await using var one = new RunningEngine(cluster.Engine(0));
        await using var two = new RunningEngine(cluster.Engine(1));

        for (var at = 0; at < 4; at++) await one.OrOther(two, Patience);
        await one.Stop();
        for (var at = 0; at < 2; at++) await two.Next(Patience);

        var times = one.Fired.Concat(two.Fired).Select(firing => firing.NominalAt).ToList();
        Assert.Equal(times.Distinct().Count(), times.Count);
        Assert.All(times, time => Assert.Equal(0, time.UtcTicks % TimeSpan.TicksPerSecond));
    }

    [Fact]
    public async Task A_removed_key_fires_no_more_and_removing_it_again_is_ordinary()
    {
        await using var cluster = await Cluster();
        var engine = cluster.Engine(0);
        await engine.ScheduleOrReplace("gone", EachSecond, CancellationToken.None);
        await engine.ScheduleOrReplace("kept", EachSecond, CancellationToken.None);
        await engine.Remove("gone", CancellationToken.None);
        await engine.Remove("gone", CancellationToken.None);

        await using var running = new RunningEngine(engine);
        for (var at = 0; at < 3; at++) await running.Next(Patience);

        Assert.All(running.Fired, firing => Assert.Equal("kept", firing.Key));
    }

    [Fact]
    public async Task A_handler_that_throws_stops_neither_the_engine_nor_the_next_time()
    {
        await using var cluster = await Cluster();
        await cluster.Engine(0).ScheduleOrReplace("a", EachSecond, CancellationToken.None);
        await using var running = new RunningEngine(cluster.Engine(0), fails: true);

        var first = await running.Next(Patience);
        var second = await running.Next(Patience);

        Assert.True(second.NominalAt > first.NominalAt);
    }

    [Fact]
    public async Task A_time_that_came_while_no_node_ran_is_made_up_for_also_when_it_is_scheduled_again_at_the_start()
    {
        await using var cluster = await Cluster();
        var daily = new ScheduleSpec { Every = TimeSpan.FromHours(24) };
        await cluster.Engine(0).ScheduleOrReplace("a", daily, CancellationToken.None);
        await cluster.PassTime(TimeSpan.FromHours(25));
        await cluster.Engine(1).ScheduleOrReplace("a", daily, CancellationToken.None);

        await using var running = new RunningEngine(cluster.Engine(1));

        Assert.Equal("a", (await running.Next(Patience)).Key);
    }
}

/// <summary>Engines over one store.</summary>
public interface IEngineCluster : IAsyncDisposable
{
    IFiringEngine Engine(int node);

    /// <summary>Makes what is scheduled as old as if no node had run for this long.</summary>
    Task PassTime(TimeSpan time);
}

/// <summary>An engine that runs and keeps what it fired.</summary>
sealed class RunningEngine : IAsyncDisposable
{
    readonly CancellationTokenSource _stop = new();
    readonly Channel<Firing> _news = Channel.CreateUnbounded<Firing>();
    readonly Task _run;

    public RunningEngine(IFiringEngine engine, bool fails = false) => _run = engine.Run((firing, _) =>
    {
        lock (Fired) Fired.Add(firing);
        _news.Writer.TryWrite(firing);
        return fails ? throw new InvalidOperationException("The handler failed, as the test wants.") : Task.CompletedTask;
    }, _stop.Token);

    public List<Firing> Fired { get; } = [];

    public Task<Firing> Next(TimeSpan atMost) => _news.Reader.ReadAsync().AsTask().WaitAsync(atMost);

    /// <summary>The next firing of either.</summary>
    public async Task OrOther(RunningEngine other, TimeSpan atMost)
    {
        await Task.WhenAny(_news.Reader.WaitToReadAsync().AsTask(), other._news.Reader.WaitToReadAsync().AsTask()).WaitAsync(atMost);
        if (!_news.Reader.TryRead(out _)) other._news.Reader.TryRead(out _);
    }

    public async Task Stop()
    {
        await _stop.CancelAsync();
        await _run;
    }

    public async ValueTask DisposeAsync()
    {
        await Stop();
        _stop.Dispose();
    }
}
