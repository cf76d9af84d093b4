using BackupDr.Contracts;
using BackupDr.Engine.ObjectLocks;
using BackupDr.Storage;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests.ObjectLocks;

public sealed class RetentionMemoryTests : IDisposable
{
    static readonly ObjectName Pack = new("data/ab/p"), Config = new("config");
    static readonly DateTimeOffset Until = new(2026, 12, 20, 1, 2, 3, 456, TimeSpan.Zero);

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    Task<Repository> Make(MemoryStore store, string cache = "cache")
        => Prepared.Init(store, Prepared.Options with { CacheFolder = FilePath.FromText(_scratch.At(cache)) });

    string OnlyFile => Directory.GetFiles(_scratch.At("cache"), "*", SearchOption.AllDirectories).Single();

    [Fact]
    public async Task What_was_written_is_read_again_and_never_later_than_it_was()
    {
        using var repository = await Make(new MemoryStore());
        Assert.Empty(new RetentionMemory(repository).Read());

        new RetentionMemory(repository).Write([new(Pack, Until), new(Config, Until.AddDays(1))]);

        var read = new RetentionMemory(repository).Read();
        Assert.Equal(2, read.Count);
        Assert.Equal(new DateTimeOffset(2026, 12, 20, 1, 2, 3, TimeSpan.Zero), read[Pack]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(-2)]
    public async Task A_file_that_was_changed_counts_as_none(int at)
    {
        using var repository = await Make(new MemoryStore());
        new RetentionMemory(repository).Write([new(Pack, Until)]);
        var bytes = await File.ReadAllBytesAsync(OnlyFile, TestContext.Current.CancellationToken);
        bytes[at < 0 ? bytes.Length + at : at] ^= 1;
        await File.WriteAllBytesAsync(OnlyFile, bytes, TestContext.Current.CancellationToken);

        Assert.Empty(new RetentionMemory(repository).Read());

        await File.WriteAllBytesAsync(OnlyFile, bytes[..20], TestContext.Current.CancellationToken);
        Assert.Empty(new RetentionMemory(repository).Read());
    }

    [Fact]
    public async Task Another_place_of_the_same_repository_has_a_memory_of_its_own()
    {
        using var repository = await Make(new MemoryStore { Url = "memory:one" });
        new RetentionMemory(repository).Write([new(Pack, Until)]);
        using var other = await Make(new MemoryStore { Url = "memory:other" });

        Assert.Empty(new RetentionMemory(other).Read());
    }

    [Fact]
    public async Task Without_room_for_it_nothing_is_remembered_and_nothing_fails()
    {
        _scratch.File("taken", "a file where the folder belongs");
        using var repository = await Make(new MemoryStore(), "taken");

        new RetentionMemory(repository).Write([new(Pack, Until)]);

        Assert.Empty(new RetentionMemory(repository).Read());
    }
}
