using System.Diagnostics;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Storage.Layers;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Storage.Tests;

/// <summary>Bytes keep to a schedule: counted with a clock that a test moves, and over a real store.</summary>
public sealed class BandwidthTests(S3Server s3)
{
    static readonly CancellationToken None = CancellationToken.None;

    static Bandwidth Of(string schedule, TimeProvider clock) => new(BandwidthSchedule.Parse(schedule), clock);

    [Fact]
    public async Task All_who_share_a_limit_keep_to_it_together()
    {
        var clock = new SteppedTime();
        var bandwidth = Of("64 KiB/s", clock);
        var passed = 0;

        var senders = Enumerable.Range(0, 4).Select(async _ =>
        {
            for (var i = 0; i < 8; i++)
            {
                await bandwidth.Pass(16 << 10, None);
                Interlocked.Add(ref passed, 16 << 10);
            }
        }).ToList();
        var seen = new List<int>();
        for (var second = 0; second < 9; second++)
        {
            seen.Add(Volatile.Read(ref passed));
            clock.Advance(TimeSpan.FromSeconds(1));
        }
        await Task.WhenAll(senders);

        // At no moment more than a second's worth and one piece ahead of the clock.
        Assert.All(seen.Select((bytes, second) => (bytes, second)), at => Assert.InRange(at.bytes, 0, ((at.second + 1) * 64 + 16) << 10));
        Assert.Equal(512 << 10, passed);
    }

    [Fact]
    public void The_rate_changes_with_the_hour_and_what_is_unlimited_does_not_wait()
    {
        var clock = new SteppedTime(new DateTimeOffset(2026, 5, 4, 17, 59, 58, TimeSpan.Zero));
        var zone = TimeZoneInfo.CreateCustomTimeZone("test", TimeSpan.FromHours(1), "test", "test");
        var local = new InZone(clock, zone);
        var bandwidth = Of("18:00-19:00 64 KiB/s, else unlimited", local);

        var first = bandwidth.Pass(64 << 10, None);
        var second = bandwidth.Pass(64 << 10, None);   // 18:59:58 there
        clock.Advance(TimeSpan.FromSeconds(3));
        var later = Enumerable.Range(0, 100).Select(_ => bandwidth.Pass(1 << 20, None)).ToList();

        Assert.True(first.IsCompleted);
        Assert.False(second.IsFaulted);
        Assert.All(later, pass => Assert.True(pass.IsCompleted));
        Assert.True(second.IsCompleted);
    }

    [Fact]
    public void A_changed_schedule_counts_from_the_next_piece_on()
    {
        var clock = new SteppedTime();
        var bandwidth = Of("16 KiB/s", clock);
        _ = bandwidth.Pass(16 << 10, None);
        Assert.False(bandwidth.Pass(1, None).IsCompleted);

        bandwidth.Change(BandwidthSchedule.Parse("unlimited"));

        Assert.True(bandwidth.Pass(1 << 30, None).IsCompleted);
    }

    [Fact]
    public async Task A_real_store_is_written_and_read_at_the_limit_with_the_same_bytes()
    {
        var limits = new BandwidthLimits(Of("1 MiB/s", TimeProvider.System), Of("1 MiB/s", TimeProvider.System));
        await using var store = new S3Store(await s3.NewBucket("p"), S3Server.Options() with { Bandwidth = limits });
        var (name, content, back) = (new ObjectName("data/ab/pack"), new byte[1 << 20], new byte[1 << 20]);
        new Random(7).NextBytes(content);

        var begun = Stopwatch.GetTimestamp();
        await store.Put(name, content, None);
        var written = Stopwatch.GetElapsedTime(begun);
        await store.Read(name, 0, back, None);
        var read = Stopwatch.GetElapsedTime(begun) - written;

        Assert.Equal(content, back);
        // Never sooner: that is what the limit promises. How much later is the machine's business.
        Assert.True(written > TimeSpan.FromSeconds(0.95), $"written in {written}");
        Assert.True(read > TimeSpan.FromSeconds(0.95), $"read in {read}");
        Assert.Equal(1 << 20, (await store.Head(name, None))!.Value.SizeBytes);
    }

    sealed class InZone(TimeProvider clock, TimeZoneInfo zone) : TimeProvider
    {
        public override TimeZoneInfo LocalTimeZone => zone;
        public override long TimestampFrequency => clock.TimestampFrequency;
        public override long GetTimestamp() => clock.GetTimestamp();
        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
            => clock.CreateTimer(callback, state, dueTime, period);
    }
}
