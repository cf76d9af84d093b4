using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class AnomaliesTests
{
    static BackupResult Night(long files = 1000, long bytes = 100_000_000, long changed = 20, long bytesNew = 2_000_000, long raw = 200_000,
        long renamed = 0) => new()
        {
            SnapshotId = "",
            ParentId = "p",
            TakenAt = default,
            Files = files,
            Bytes = bytes,
            FilesChanged = changed,
            BytesNew = bytesNew,
            BytesIncompressible = raw,
            ExtensionsChanged = renamed,
        };

    static readonly List<BackupResult> Past = [.. Enumerable.Repeat(Night(), 5), Night(changed: 1000, bytesNew: 100_000_000)];

    static string Found(BackupResult now, List<BackupResult>? past = null, AnomalySpec? spec = null)
        => string.Join(' ', Anomalies.Of(now, past ?? Past, spec ?? new AnomalySpec()));

    [Fact]
    public void A_night_like_others_is_nothing() => Assert.Equal("", Found(Night(files: 900, changed: 60, raw: 1_900_000)));

    [Fact]
    public void A_shrinking_source_is_unusual()
    {
        Assert.Equal("It has 500 files, and the point before had 1,000.", Found(Night(files: 500)));
        Assert.Equal("It has 10 bytes, and the point before had 100,000,000.", Found(Night(bytes: 10, bytesNew: 0)));
        Assert.Equal("", Found(Night(files: 501)));
        Assert.NotEqual("", Found(Night(files: 700), spec: new AnomalySpec { ShrinkPercent = 30 }));
        Assert.Equal("", Found(Night(files: 2), [Night(files: 10)]));   // too few to say anything
    }

    [Fact]
    public void Churn_is_unusual_only_for_who_does_not_always_churn()
    {
        Assert.Equal("80 % of it is new or changed since the point before; usually it is 2 %.", Found(Night(changed: 800)));
        Assert.Equal("", Found(Night(changed: 800), [.. Enumerable.Repeat(Night(changed: 700), 5)]));
        Assert.Equal("", Found(Night(changed: 800), [Night()]));   // no past yet
        Assert.Equal("80 % of it is new or changed since the point before; usually it is 2 %.",   // one large file
            Found(Night(files: 1, bytesNew: 80_000_000), [.. Enumerable.Repeat(Night(files: 1), 5)]));
    }

    [Fact]
    public void Data_that_looks_encrypted_and_files_with_another_extension_are_unusual()
    {
        Assert.Equal("95 % of its new data cannot be compressed, as if it were encrypted; usually it is 10 %.",
            Found(Night(changed: 300, bytesNew: 30_000_000, raw: 28_500_000)));
        Assert.Equal("600 files have another extension than before.", Found(Night(renamed: 600)));
        Assert.Equal("", Found(Night(changed: 300, bytesNew: 30_000_000, raw: 28_500_000),   // photographs
            [.. Enumerable.Repeat(Night(raw: 1_950_000), 5)]));
    }

    [Fact]
    public void It_can_be_switched_off() => Assert.Equal("", Found(Night(files: 1), spec: new AnomalySpec { IsOn = false }));
}
