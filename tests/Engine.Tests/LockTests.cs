using BackupDr.Engine.Format;
using BackupDr.Engine.Locks;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

public sealed class LockTests : IAsyncDisposable
{
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public ValueTask DisposeAsync() => _store.DisposeAsync();

    [Theory, Clause("F-9.1")]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task An_exclusive_lock_excludes_and_is_excluded_and_the_holder_is_named(bool first, bool second)
    {
        using var holder = await Prepared.Init(_store);
        using var other = await Prepared.Open(_store, Prepared.Options with { HostName = "there" });
        await using var held = await RepositoryLock.Take(holder, first, _ct);

        var refused = await Assert.ThrowsAsync<RepositoryException>(() => RepositoryLock.Take(other, second, _ct));

        Assert.Equal("repository.locked", refused.Code);
        Assert.Contains($"by tester on {Prepared.Options.HostName} ", refused.Message, StringComparison.Ordinal);
        Assert.Single(Locks());
    }

    [Fact, Clause("F-9.1")]
    public async Task Shared_locks_live_together_and_go_with_their_owners()
    {
        using var one = await Prepared.Init(_store);
        using var other = await Prepared.Open(_store);
        await using (await RepositoryLock.Take(one, exclusive: false, _ct))
        await using (await RepositoryLock.Take(other, exclusive: false, _ct))
            Assert.Equal(2, Locks().Count);

        Assert.Empty(Locks());
    }

    [Theory, Clause("F-9.2")]
    [InlineData(false)]
    [InlineData(true)]   // who reads before it waits must not read what an exclusive lock's owner removes meanwhile
    public async Task Who_sees_a_conflict_after_writing_its_lock_takes_it_back(bool readsFirst)
    {
        using var quick = await Prepared.Init(_store);
        RepositoryLock? held = null;
        var faulty = new FaultyStore(_store);
        using var slow = await Prepared.Open(faulty);
        // The other one writes its lock between our first look and our own.
        faulty.Before = (verb, name, _) =>
        {
            if (verb == StoreVerb.Put && name.StartsWith("locks/", StringComparison.Ordinal))
                held ??= RepositoryLock.Take(quick, exclusive: true, _ct).GetAwaiter().GetResult();
            return null;
        };

        var refused = await Assert.ThrowsAsync<RepositoryException>(() => readsFirst
            ? RepositoryLock.Announce(slow, LockKind.Shared, _ct) : RepositoryLock.Take(slow, exclusive: false, _ct));

        Assert.Equal("repository.locked", refused.Code);
        Assert.Single(Locks());
        Assert.True(await held!.IsHeld(_ct));
        await held.DisposeAsync();
    }

    [Fact, Clause("F-9.3")]
    public async Task A_lock_is_written_anew_every_five_minutes_and_never_missing_meanwhile()
    {
        var clock = new SteppedTime();
        var faulty = new FaultyStore(_store);
        using var repository = await Prepared.Init(faulty, Prepared.Options with { Clock = clock });
        await using var held = await Take(repository, clock);
        var first = Assert.Single(Locks());
        var fewest = int.MaxValue;
        faulty.After = (_, _, _) => { fewest = Math.Min(fewest, Locks().Count); return null; };

        clock.Advance(RepositoryLock.RefreshEvery);

        await Until(() => Locks() is [var now] && now != first);
        Assert.Equal(1, fewest);
        Assert.True(await held.IsHeld(_ct));
    }

    [Fact, Clause("F-9.3")]
    public async Task A_lock_that_could_not_be_refreshed_for_22_minutes_stops_its_owner()
    {
        var clock = new SteppedTime();
        var faulty = new FaultyStore(_store);
        using var repository = await Prepared.Init(faulty, Prepared.Options with { Clock = clock });
        await using var held = await Take(repository, clock);
        faulty.Before = (verb, name, _) => verb == StoreVerb.Put ? new StoreException(StoreFault.Unavailable, $"put {name}") : null;
        var calls = faulty.Calls;

        for (var minutes = 5; minutes <= 25; minutes += 5)
        {
            Assert.True(await held.IsHeld(_ct));
            clock.Advance(RepositoryLock.RefreshEvery);
            var tries = minutes / 5;
            await Until(() => faulty.Calls >= calls + tries || held.Lost.IsCancellationRequested);
        }

        await Until(() => held.Lost.IsCancellationRequested);
        Assert.False(await held.IsHeld(_ct));
    }

    [Fact, Clause("F-9.4")]
    public async Task A_stale_lock_still_counts_until_somebody_removes_it()
    {
        var clock = new SteppedTime();
        using var dead = await Prepared.Init(_store, Prepared.Options with { Clock = clock, HostName = "there" });
        var left = new LockFile
        {
            Time = UnixTime.From(clock.GetUtcNow()),
            IsExclusive = true,
            HostName = "there",
            UserName = "tester",
            Pid = 1
        };
        await dead.WriteUnpacked(ObjectLayout.Locks, left.Write(), _ct);
        clock.Advance(RepositoryLock.StaleAge + TimeSpan.FromMinutes(1));

        var refused = await Assert.ThrowsAsync<RepositoryException>(() => RepositoryLock.Take(dead, exclusive: false, _ct));

        Assert.Contains("stale", refused.Hint, StringComparison.Ordinal);
        Assert.Single(Locks());
    }

    [Fact, Clause("F-9.4")]
    public async Task Only_the_own_locks_of_dead_processes_are_removed()
    {
        using var repository = await Prepared.Init(_store);
        foreach (var (host, user, pid) in new[] { ("here", "tester", 1), ("here", "tester", 2), ("there", "tester", 1),
            ("here", "other", 1) })
        {
            var left = new LockFile { Time = default, IsExclusive = false, HostName = host, UserName = user, Pid = pid };
            await repository.WriteUnpacked(ObjectLayout.Locks, left.Write(), _ct);
        }

        Assert.Equal(1, await RepositoryLock.RemoveLeftovers(repository, pid => pid == 2, _ct));
        Assert.Equal(3, Locks().Count);
    }

    // The settling time passes on the stepped clock too.
    async Task<RepositoryLock> Take(Repository repository, SteppedTime clock)
    {
        var taking = RepositoryLock.Take(repository, exclusive: false, _ct);
        await Until(() => clock.Waiting > 0);
        clock.Advance(TimeSpan.FromMilliseconds(200));
        return await taking;
    }

    async Task Until(Func<bool> holds)
    {
        var deadline = TimeProvider.System.GetTimestamp();
        while (!holds())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(deadline) < TimeSpan.FromSeconds(20), "It did not happen within 20 seconds.");
            await Task.Delay(5, _ct);
        }
    }

    List<string> Locks() => [.. _store.Objects.Keys.Where(name => name.StartsWith("locks/", StringComparison.Ordinal))];
}
