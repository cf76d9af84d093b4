using BackupDr.Contracts;
using BackupDr.Storage.Layers;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Storage.Tests;

/// <summary>What a place was asked is counted, and how much at a time depends on what it takes.</summary>
public sealed class MeasuredStoreTests
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Name = new("config");

    static StoreException Throttled => new(StoreFault.Throttled, "put config: slow down.");

    static VerbTraffic Verb(StoreCounters counters, string verb) => counters.Read()!.Verbs.Single(one => one.Verb == verb);

    [Fact]
    public async Task Each_try_is_counted_with_its_bytes_its_time_and_how_it_failed()
    {
        var clock = new SteppedTime();
        var counters = new StoreCounters();
        var faulty = new FaultyStore(new MemoryStore())
        {
            Before = (_, _, call) =>
            {
                clock.Advance(TimeSpan.FromSeconds(2));
                return call <= 2 ? Throttled : null;
            },
        };
        var options = new RetryOptions { FirstPause = TimeSpan.Zero, Repeating = _ => counters.Retried() };
        await using var store = new RetryingStore(new MeasuredStore(faulty, counters, new RequestGate(), clock), options, clock);

        await store.Put(Name, new byte[100], None);
        await store.Read(Name, 10, new byte[40], None);
        await Assert.ThrowsAsync<StoreException>(() => store.Read(new ObjectName("gone"), 0, new byte[40], None));
        Assert.Single(await store.List("", None).ToListAsync(None));
        Assert.True(await store.Delete(Name, None));

        var put = Verb(counters, "put");
        Assert.Equal((3, 100, 6.0), (put.Requests, put.Bytes, put.Seconds));
        Assert.Equal(new Dictionary<string, long> { ["throttled"] = 2 }, put.Errors);
        Assert.Equal((2, 40), (Verb(counters, "read").Requests, Verb(counters, "read").Bytes));
        Assert.Equal(1, Verb(counters, "read").Errors!["missing"]);
        Assert.Null(Verb(counters, "list").Errors);
        Assert.Equal(2, counters.Read()!.Retries);
        Assert.Equal(["put", "read", "list", "delete"], counters.Read()!.Verbs.Select(verb => verb.Verb));
    }

    [Fact]
    public void Who_asked_nothing_has_nothing_to_tell() => Assert.Null(new StoreCounters().Read());

    [Fact]
    public async Task A_throttled_round_halves_the_gate_once_and_each_round_that_passes_adds_one()
    {
        var gate = new RequestGate(16);
        var hold = new TaskCompletionSource();
        var round = Enumerable.Range(0, 16).Select(_ => gate.Run<bool>(async () => { await hold.Task; throw Throttled; }, None)).ToList();
        Assert.Equal(16, gate.Inside);

        hold.SetResult();
        foreach (var request in round) await Assert.ThrowsAsync<StoreException>(() => request);
        Assert.Equal((8, 0), (gate.Limit, gate.Inside));   // sixteen refusals of one round are one sign

        for (var i = 0; i < 8; i++) await gate.Run(() => Task.FromResult(true), None);
        Assert.Equal(9, gate.Limit);
        await Assert.ThrowsAsync<StoreException>(() => gate.Run<bool>(() => throw Throttled, None));
        Assert.Equal(1, gate.Limit);   // alone and refused: one at a time
        await Assert.ThrowsAsync<StoreException>(() => gate.Run<bool>(() => throw Throttled, None));
        Assert.Equal(1, gate.Limit);   // and never none
        for (var i = 0; i < 1000; i++) await gate.Run(() => Task.FromResult(true), None);
        Assert.Equal(16, gate.Limit);
    }

    [Fact]
    public async Task What_has_no_room_waits_in_order_and_may_stop_waiting()
    {
        var gate = new RequestGate(1);
        var first = new TaskCompletionSource<int>();
        var began = new List<int>();
        var running = gate.Run(() => first.Task, None);
        using var stop = new CancellationTokenSource();
        var given = gate.Run(() => Begin(1), stop.Token);
        var second = gate.Run(() => Begin(2), None);
        var third = gate.Run(() => Begin(3), None);

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        Assert.Empty(began);
        first.SetResult(0);
        await Task.WhenAll(running, second, third);

        Assert.Equal([2, 3], began);
        Assert.Equal((1, 0), (gate.Limit, gate.Inside));

        Task<int> Begin(int number)
        {
            lock (began) began.Add(number);
            return Task.FromResult(number);
        }
    }

    [Fact]
    public async Task Many_at_once_never_exceed_a_gate_that_breathes()
    {
        const int seed = 11;
        var random = new Random(seed);
        var gate = new RequestGate(8);
        var (inside, most) = (0, 0);
        var requests = Enumerable.Range(0, 400).Select(number => (number, isRefused: random.Next(10) == 0)).Select(async one =>
        {
            try
            {
                await gate.Run(async () =>
                {
                    var now = Interlocked.Increment(ref inside);
                    InterlockedMax(ref most, now);
                    await Task.Yield();
                    Interlocked.Decrement(ref inside);
                    return one.isRefused ? throw Throttled : true;
                }, None);
            }
            catch (StoreException) { Assert.True(one.isRefused); }
        }).ToList();

        await Task.WhenAll(requests);

        Assert.InRange(most, 1, 8);
        Assert.Equal(0, gate.Inside);
        Assert.InRange(gate.Limit, 1, 8);
    }

    static void InterlockedMax(ref int most, int value)
    {
        for (var seen = most; value > seen; seen = most)
            if (Interlocked.CompareExchange(ref most, value, seen) == seen) return;
    }
}
