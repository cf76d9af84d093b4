using BackupDr.Storage.S3;
using BackupDr.TestKit.Servers;

namespace BackupDr.Storage.Tests;

/// <summary>Retention and legal hold, in a bucket that was made with object lock.</summary>
public sealed class S3LockTests(S3Server server)
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Pack = new("data/ab/p"), Lock = new("locks/l");

    static DateTimeOffset In(int days) => TimeProvider.System.GetUtcNow() + TimeSpan.FromDays(days);

    async Task<S3Store> Open(params string[] options) => new(await server.NewLockedBucket(), S3Server.Options(options));

    static async Task Denied(Func<Task> attempt)
        => Assert.Equal(StoreFault.Denied, (await Assert.ThrowsAsync<StoreException>(attempt)).Fault);

    [Theory]
    [InlineData("governance", RetentionMode.Governance)]
    [InlineData("compliance", RetentionMode.Compliance)]
    public async Task Each_object_but_a_lock_is_retained_for_the_days_of_the_option(string mode, RetentionMode expected)
    {
        await using var store = await Open("s3.retention-days=3", $"s3.retention-mode={mode}");
        foreach (var name in (string[])["config", "keys/k", "data/ab/p", "index/i", "snapshots/s"])
        {
            await store.Put(new ObjectName(name), new byte[10], None);

            var found = (await store.Locks.Of(new ObjectName(name), None))!.Value;
            Assert.Equal(expected, found.Mode);
            Assert.InRange(found.Until, In(3) - TimeSpan.FromMinutes(10), In(3));
        }
        await store.Put(Lock, new byte[10], None);
        Assert.Null(await store.Locks.Of(Lock, None));
    }

    [Fact]
    public async Task A_pack_in_parts_is_retained_as_well()
    {
        await using var store = new S3Store(await server.NewLockedBucket(), S3Server.Options("s3.retention-days=3"), partsFrom: 5 << 20);

        await store.Put(Pack, new byte[6 << 20], None);

        Assert.InRange((await store.Locks.Of(Pack, None))!.Value.Until, In(3) - TimeSpan.FromMinutes(10), In(3));
    }

    [Fact]
    public async Task A_retention_is_extended_and_never_shortened()
    {
        await using var store = await Open("s3.retention-days=2", "s3.retention-mode=compliance");
        await store.Put(Pack, new byte[10], None);

        await store.Locks.Retain(Pack, new Retention(RetentionMode.Compliance, In(5)), None);
        await Denied(() => store.Locks.Retain(Pack, new Retention(RetentionMode.Compliance, In(1)), None));
        await Denied(() => store.Locks.Retain(Pack, new Retention(RetentionMode.Governance, In(9)), None));

        var found = (await store.Locks.Of(Pack, None))!.Value;
        Assert.Equal(RetentionMode.Compliance, found.Mode);
        Assert.True(found.Until > In(4));
    }

    [Fact]
    public async Task What_is_retained_can_be_hidden_and_not_destroyed()
    {
        await using var store = await Open("s3.retention-days=1", "s3.retention-mode=compliance");
        await store.Put(Pack, new byte[] { 1, 2, 3 }, None);
        var version = Assert.Single(await store.Versions.Of(Pack, None)).Id;

        await Denied(() => store.Versions.Remove(Pack, version, None));
        Assert.True(await store.Delete(Pack, None));

        Assert.Null(await store.Head(Pack, None));
        var left = await store.Versions.Of(Pack, None);
        Assert.Contains(left, one => one.Id == version && !one.IsDeletion);
        // The marker is no part of what is retained: without it the pack is back.
        await store.Versions.Remove(Pack, left.Single(one => one.IsDeletion).Id, None);
        var back = new byte[3];
        await store.Read(Pack, 0, back, None);
        Assert.Equal([1, 2, 3], back);
    }

    [Fact]
    public async Task A_legal_hold_keeps_an_object_until_it_is_lifted()
    {
        await using var store = await Open();
        await store.Put(Pack, new byte[10], None);
        var version = Assert.Single(await store.Versions.Of(Pack, None)).Id;
        Assert.False(await store.Locks.IsHeld(Pack, None));

        await store.Locks.Hold(Pack, true, None);
        Assert.True(await store.Locks.IsHeld(Pack, None));
        await Denied(() => store.Versions.Remove(Pack, version, None));

        await store.Locks.Hold(Pack, false, None);
        Assert.False(await store.Locks.IsHeld(Pack, None));
        await store.Versions.Remove(Pack, version, None);
        Assert.Empty(await store.Versions.Of(Pack, None));
    }

    [Fact]
    public async Task A_bucket_without_object_lock_is_told_at_the_first_put()
    {
        await using var store = new S3Store(await server.NewBucket(), S3Server.Options("s3.retention-days=3"));

        var told = await Assert.ThrowsAsync<StoreException>(() => store.Put(Pack, new byte[10], None));

        Assert.Equal(StoreFault.Unusable, told.Fault);
        Assert.Contains("s3.retention-days", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bucket_that_is_made_for_retained_objects_has_object_lock()
    {
        await server.Start();
        var address = S3Address.Parse($"s3:{server.Endpoint}/made-for-locks/p");
        await using var store = new S3Store(address, S3Server.Options("s3.retention-days=3"));

        await store.Put(Pack, new byte[10], None);

        Assert.NotNull(await store.Locks.Of(Pack, None));
    }

    [Fact]
    public async Task A_listing_of_versions_tells_what_is_hidden_and_until_when_it_is_kept()
    {
        await using var store = await Open("s3.retention-days=2");
        await using var unlocked = new S3Store(S3Address.Parse(store.Url), S3Server.Options());
        await store.Put(Pack, new byte[10], None);
        await unlocked.Put(new ObjectName("data/ab/q"), new byte[7], None);
        await store.Delete(Pack, None);

        var listed = await store.Versions.List("data", None).ToListAsync(None);

        Assert.Equal(3, listed.Count);
        var hidden = listed.Single(version => version.Object == new StoredObject(Pack, 10) && !version.IsDeletion);
        Assert.False(hidden.IsLatest);
        Assert.Contains(listed, version => version is { IsDeletion: true, IsLatest: true } && version.Object.Name == Pack);
        var free = listed.Single(version => version.Object.SizeBytes == 7);
        Assert.True(free.IsLatest);
        Assert.InRange((await store.Versions.KeptUntil(Pack, hidden.Id, None))!.Value, In(1), In(2));
        Assert.Null(await store.Versions.KeptUntil(free.Object.Name, free.Id, None));
        Assert.Empty(await store.Versions.List("index", None).ToListAsync(None));
    }

    [Fact]
    public async Task A_held_version_is_kept_without_a_date()
    {
        await using var store = await Open();
        await store.Put(Pack, new byte[10], None);
        var version = Assert.Single(await store.Versions.Of(Pack, None)).Id;
        await store.Locks.Hold(Pack, true, None);

        Assert.Equal(DateTimeOffset.MaxValue, await store.Versions.KeptUntil(Pack, version, None));

        await store.Locks.Hold(Pack, false, None);
        Assert.Null(await store.Versions.KeptUntil(Pack, version, None));
    }

    [Fact]
    public async Task A_long_listing_of_versions_goes_over_its_pages()
    {
        await using var store = await Open();
        await Parallel.ForEachAsync(Enumerable.Range(0, 1_010), None,
            async (number, ct) => await store.Put(new ObjectName($"index/{number}"), new byte[1], ct));

        var listed = await store.Versions.List("index", None).ToListAsync(None);

        Assert.Equal(1_010, listed.Select(version => version.Object.Name).Distinct().Count());
        Assert.Equal(1_010, listed.Count);
    }
}
