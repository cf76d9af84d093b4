using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Replicas;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests.Replicas;

/// <summary>Places that say nothing at all, as a region whose packets are dropped: no request to one ends before it is cancelled or let
/// go on.</summary>
public sealed class SilentPlaceTests : IDisposable
{
    static readonly RepositoryOptions Options = Prepared.Options with { Clock = new ShortWaits(), PackSizeBytes = 4 << 20 };
    static readonly TimeSpan AMoment = TimeSpan.FromTicks(1);

    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _a = new() { Url = "memory:a" }, _b = new() { Url = "memory:b" };
    readonly SteppedTime _clock = new();
    readonly List<string> _news = [];
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    /// <summary>In front of a place: silent from a request on until it is let speak, and counting what goes there.</summary>
    sealed class Line
    {
        TaskCompletionSource _silence = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int _under;

        public Line(MemoryStore place, bool isSilent)
        {
            if (!isSilent) Speak();
            Store = new FaultyStore(place)
            {
                Before = (verb, name, _) =>
                {
                    lock (Asked) Asked.Add($"{verb} {name}");
                    return Failure;
                },
                Until = async (_, _, ct) =>
                {
                    Interlocked.Increment(ref _under);
                    try { await _silence.Task.WaitAsync(ct); }
                    finally { Interlocked.Decrement(ref _under); }
                },
            };
        }

        public FaultyStore Store { get; }
        public List<string> Asked { get; } = [];
        public StoreException? Failure { get; set; }
        public int Under => Volatile.Read(ref _under);

        public int Reads { get { lock (Asked) return Asked.Count(one => one.StartsWith("Read", StringComparison.Ordinal)); } }

        public void Speak() => _silence.TrySetResult();

        public void Fail(Exception e) => _silence.TrySetException(e);

        public void FallSilent() => _silence = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    async Task Prepare()
    {
        using (var repository = await Prepared.Init(_a, Options)) await Prepared.Backup(repository, Prepared.Folder(_scratch));
        using var password = Secret.FromText(Prepared.PasswordText);
        Assert.True((await Replication.Execute([_a, _b], password, Options, new ReplicationRequest(), _ct)).IsEqual);
    }

    Task<ReplicatedStore> Open(IObjectStore a, IObjectStore b, ReplicaUse use = ReplicaUse.Read, CancellationToken? ct = null)
        => ReplicatedStore.Open([a, b], use, _clock, ct ?? _ct, news => { lock (_news) _news.Add(news.ToString()); });

    string[] News() { lock (_news) return [.. _news]; }

    async Task<ReplicatedStore> OpenWithASilent(Line a, Line b)
    {
        var opening = Open(a.Store, b.Store);
        _clock.Advance(ReplicatedStore.Patience);
        return await opening;
    }

    Task<byte[]> Config(ReplicatedStore places) => Whole(places, "config");

    async Task<byte[]> Whole(ReplicatedStore places, string name)
    {
        var bytes = new byte[_b.Objects[name].Length];
        await places.Read(new ObjectName(name), 0, bytes, _ct);
        return bytes;
    }

    /// <summary>What goes on beside us ends on a thread of its own.</summary>
    static async Task Until(Func<bool> isSo)
    {
        var end = DateTimeOffset.UtcNow.AddMinutes(4);
        while (!isSo())
        {
            Assert.True(DateTimeOffset.UtcNow < end);
            await Task.Delay(10);
        }
    }

    [Fact, Clause("F-13.5")]
    public async Task A_silent_place_costs_the_patience_and_is_not_waited_for_again()
    {
        await Prepare();
        var (a, b) = (new Line(_a, isSilent: true), new Line(_b, isSilent: false));

        var opening = Open(a.Store, b.Store);
        _clock.Advance(ReplicatedStore.Patience - AMoment);
        Assert.False(opening.IsCompleted);
        _clock.Advance(AMoment);
        await using (var places = await opening)
        {
            using var repository = await Prepared.Open(places, Options);
            var snapshot = Assert.Single(await repository.Snapshots(SnapshotFilter.All, _ct));
            Assert.True((await repository.LoadIndex(_ct)).Rows > 0);
            Assert.Equal(snapshot.Id, (await repository.FindSnapshot(snapshot.Id.ToString(), SnapshotFilter.All, _ct)).Id);

            Assert.Equal(["Head config"], a.Asked);
            Assert.Equal("memory:a", Assert.Single(places.Absent).Place);
            Assert.Equal("memory:a is passed over, and the other places answer for it: it was silent for 5 seconds after another place had "
                + "answered; it comes in when it answers.", Assert.Single(News()));
        }
        Assert.Equal(0, a.Under);
    }

    [Fact]
    public async Task The_first_place_stays_the_first_where_it_answers_a_little_later()
    {
        await Prepare();
        var (a, b) = (new Line(_a, isSilent: true), new Line(_b, isSilent: false));

        var opening = Open(a.Store, b.Store);
        _clock.Advance(ReplicatedStore.Patience - AMoment);
        a.Speak();
        await using var places = await opening;
        await Config(places);

        Assert.Equal((1, 0), (a.Reads, b.Reads));
        Assert.Equal(["Head config"], b.Asked);   // as it was asked before, and no more
        Assert.Empty(places.Absent);
        Assert.Empty(News());
    }

    [Fact, Clause("F-13.5")]
    public async Task What_no_other_place_has_waits_for_the_silent_one()
    {
        await Prepare();
        BlobId only;
        using (var alone = await Prepared.Open(_a, Options)) only = (await Prepared.Backup(alone, Prepared.Folder(_scratch, 2))).SnapshotId;
        var (a, b) = (new Line(_a, isSilent: true), new Line(_b, isSilent: false));
        await using var places = await OpenWithASilent(a, b);
        using var repository = await Prepared.Open(places, Options);

        var finding = repository.FindSnapshot(only.ToString(), SnapshotFilter.All, _ct);
        var looking = places.Head(ObjectLayout.Of(ObjectLayout.Snapshots, only), _ct);
        Assert.False(finding.IsCompleted || looking.IsCompleted);
        a.Speak();

        Assert.Equal(only, (await finding).Id);
        Assert.NotNull(await looking);
        Assert.Equal("memory:a answers again, and is used again.", News()[^1]);
    }

    [Fact, Clause("F-13.5")]
    public async Task A_place_that_died_is_looked_at_beside_the_work_and_no_reader_waits()
    {
        await Prepare();
        var (a, b) = (new Line(_a, isSilent: false), new Line(_b, isSilent: false));
        await using var places = await Open(a.Store, b.Store);
        a.Failure = new StoreException(StoreFault.Unavailable, "the region is gone");
        await Config(places);
        (a.Failure, var before) = (null, a.Asked.Count);
        a.FallSilent();

        _clock.Advance(ReplicatedStore.Rest - AMoment);
        await Config(places);
        Assert.Equal(before, a.Asked.Count);
        _clock.Advance(AMoment);
        for (var i = 0; i < 5; i++) await Config(places);

        Assert.Equal("Head config", Assert.Single(a.Asked.Skip(before)));
        Assert.Equal(6 + 1, b.Reads);
        a.Speak();
        await Until(() => News().Length == 2);
        await Config(places);
        Assert.Equal(6 + 1, b.Reads);
        Assert.Equal(["memory:a is passed over, and the other places answer for it: the region is gone",
            "memory:a answers again, and is used again."], News());
    }

    [Fact]
    public async Task A_silent_place_that_fails_in_the_end_says_why()
    {
        await Prepare();
        var (a, b) = (new Line(_a, isSilent: true), new Line(_b, isSilent: false));
        await using var places = await OpenWithASilent(a, b);

        a.Fail(new StoreException(StoreFault.Unavailable, "nobody answered at 10.0.0.1"));

        await Until(() => News().Length == 2);
        Assert.EndsWith(": nobody answered at 10.0.0.1", News()[^1], StringComparison.Ordinal);
        Assert.Equal(("memory:a", "nobody answered at 10.0.0.1"), Assert.Single(places.Absent));
    }

    [Fact]
    public async Task A_writer_waits_for_its_place_as_long_as_that_takes_and_passes_over_the_others()
    {
        await Prepare();
        var (a, b) = (new Line(_a, isSilent: true), new Line(_b, isSilent: false));

        var first = Open(a.Store, b.Store, ReplicaUse.Write);
        _clock.Advance(TimeSpan.FromHours(1));
        Assert.False(first.IsCompleted);
        a.Fail(new StoreException(StoreFault.Unavailable, "a is gone"));
        Assert.Equal("a is gone", (await Assert.ThrowsAsync<StoreException>(() => first)).Message);
        Assert.Empty(News());   // the backup says itself where it goes
        var silent = new Line(_a, isSilent: true);
        var second = Open(b.Store, silent.Store, ReplicaUse.Write);
        _clock.Advance(ReplicatedStore.Patience);

        await using var places = await second;
        Assert.StartsWith("memory:a is passed over", Assert.Single(News()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_opening_that_is_cancelled_leaves_nothing_behind()
    {
        await Prepare();
        var (a, b) = (new Line(_a, isSilent: true), new Line(_b, isSilent: true));
        using var stop = new CancellationTokenSource();

        var opening = Open(a.Store, b.Store, ct: stop.Token);
        Assert.Equal((1, 1), (a.Under, b.Under));
        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => opening);
        Assert.Equal((0, 0), (a.Under, b.Under));
    }

    [Theory]
    [InlineData(false, "None of the 2 places can be used. memory:a: a is gone | memory:b: b refuses.")]
    [InlineData(true, "None of the 2 places can be used. memory:a: a is gone | memory:b: there is no repository there.")]
    public async Task Where_no_place_can_be_used_each_is_named_with_its_reason(bool isEmpty, string expected)
    {
        if (!isEmpty) await Prepare();
        var (a, b) = (new Line(_a, isSilent: false), new Line(_b, isSilent: false));
        a.Failure = new StoreException(StoreFault.Unavailable, "a is gone", "Look at its cable.");
        if (!isEmpty) b.Failure = new StoreException(StoreFault.Denied, "b refuses.", "Renew its key.");

        var e = await Assert.ThrowsAsync<StoreException>(() => Open(b: b.Store, a: a.Store));

        Assert.Equal((StoreFault.Unavailable, expected), (e.Fault, e.Message));
        Assert.Equal("One of them is enough: look at its network, its credentials and its address. Look at its cable."
            + (isEmpty ? "" : " Renew its key."), e.Hint);
    }
}
