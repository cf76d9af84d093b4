using BackupDr.Storage.Layers;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Storage.Tests;

public sealed class RetryingStoreTests : IAsyncDisposable
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Name = new("data/ab/x");

    readonly MemoryStore _memory = new();
    readonly FaultyStore _faulty;
    readonly HurriedTime _clock = new();
    readonly RetryingStore _store;

    public RetryingStoreTests()
    {
        _faulty = new FaultyStore(_memory);
        _store = new RetryingStore(_faulty, new RetryOptions(), _clock);
    }

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    static StoreException Away(string what) => new(StoreFault.Unavailable, $"{what}: down");

    [Fact]
    public async Task What_passes_is_repeated_and_the_caller_hears_nothing_of_it()
    {
        _faulty.Before = (verb, what, call) => call % 4 == 0 ? null : Away(what);

        await _store.Put(Name, new byte[] { 1, 2, 3 }, None);
        var back = new byte[3];
        await _store.Read(Name, 0, back, None);
        var listed = await _store.List("data", None).ToListAsync();

        Assert.Equal([1, 2, 3], back);
        Assert.Equal(Name, Assert.Single(listed).Name);
        Assert.True(_clock.Passed > TimeSpan.Zero);
    }

    [Fact]
    public async Task An_answer_that_was_lost_after_the_put_worked_is_a_success()
    {
        _faulty.After = (verb, what, call) => call == 1 ? Away(what) : null;

        await _store.Put(Name, new byte[] { 1, 2, 3 }, None);

        Assert.Equal([1, 2, 3], _memory.Objects[Name.Value]);
    }

    [Fact]
    public async Task Somebody_elses_object_under_the_name_is_never_taken_for_ours()
    {
        _memory.Objects[Name.Value] = [9, 9, 9];
        _faulty.Before = (verb, what, call) => call == 1 ? Away(what) : null;

        var e = await Assert.ThrowsAsync<StoreException>(() => _store.Put(Name, new byte[] { 1, 2, 3 }, None));

        Assert.Equal(StoreFault.Exists, e.Fault);
        Assert.Equal([9, 9, 9], _memory.Objects[Name.Value]);
    }

    [Fact]
    public async Task An_object_that_holds_the_same_bytes_counts_as_put_because_something_on_the_way_may_have_sent_it_twice()
    {
        _memory.Objects[Name.Value] = [1];

        await _store.Put(Name, new byte[] { 1 }, None);

        Assert.Equal([1], _memory.Objects[Name.Value]);
        Assert.Equal(StoreFault.Exists, (await Assert.ThrowsAsync<StoreException>(() => _store.Put(Name, new byte[] { 2 }, None))).Fault);
    }

    [Fact]
    public async Task The_budget_ends_it_and_the_last_failure_is_thrown()
    {
        _faulty.Before = (verb, what, call) => Away($"{what} {call}");

        var e = await Assert.ThrowsAsync<StoreException>(() => _store.Head(Name, None));

        Assert.Equal($"{Name} {_faulty.Calls}: down", e.Message);
        Assert.InRange(_clock.Passed, new RetryOptions().Budget, new RetryOptions().Budget + TimeSpan.FromSeconds(1));
        Assert.InRange(_faulty.Calls, 30, 300);
    }

    [Theory]
    [InlineData(StoreFault.Denied)]
    [InlineData(StoreFault.Full)]
    [InlineData(StoreFault.Missing)]
    [InlineData(StoreFault.Unusable)]
    public async Task What_does_not_pass_is_not_repeated(StoreFault fault)
    {
        _faulty.Before = (verb, what, call) => new StoreException(fault, what);

        await Assert.ThrowsAsync<StoreException>(() => _store.Read(Name, 0, new byte[1], None));

        Assert.Equal(1, _faulty.Calls);
    }

    [Fact]
    public async Task An_object_that_is_too_short_is_told_after_three_tries()
    {
        _memory.Objects[Name.Value] = [1];

        Assert.Equal(StoreFault.ShortRead, (await Assert.ThrowsAsync<StoreException>(() => _store.Read(Name, 0, new byte[2], None))).Fault);
        Assert.Equal(3, _faulty.Calls);
    }

    [Fact]
    public async Task A_listing_that_breaks_after_it_began_throws_and_is_never_short()
    {
        _memory.Objects["data/1"] = [1];
        _faulty.After = (verb, what, call) => Away(what);

        await Assert.ThrowsAsync<StoreException>(async () => await _store.List("data", None).ToListAsync());
    }

    [Fact]
    public async Task A_delete_whose_answer_was_lost_did_delete()
    {
        _memory.Objects[Name.Value] = [1];
        _faulty.After = (verb, what, call) => call == 1 ? Away(what) : null;

        Assert.True(await _store.Delete(Name, None));
        Assert.Empty(_memory.Objects);
    }
}
