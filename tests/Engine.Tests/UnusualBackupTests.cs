using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Backup;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>What a backup counts is enough to tell an encrypted tree from one at work.</summary>
public sealed class UnusualBackupTests : IDisposable
{
    const int Files = 100;

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_tree_of_which_most_was_encrypted_is_unusual_and_a_night_of_work_is_not()
    {
        var folder = _scratch.Folder("source");
        using var repository = await Prepared.Init(new MemoryStore());
        for (var number = 0; number < Files; number++) Write(folder, number, 0);
        var past = new List<BackupResult>();
        for (var night = 1; night <= 5; night++)
        {
            past.Insert(0, Result(await Prepared.Backup(repository, folder)));
            for (var number = 0; number < 5; number++) Write(folder, number, night);
        }
        File.Move(Path.Combine(folder, "7.txt"), Path.Combine(folder, "seven.txt"));

        var work = Result(await Prepared.Backup(repository, folder));
        Assert.Equal((1, 0L, 0L), ((int)work.FilesVanished!, work.ExtensionsChanged!.Value, work.BytesIncompressible!.Value));
        Assert.Empty(Anomalies.Of(work, past, new AnomalySpec()));
        past.Insert(0, work);
        for (var number = 10; number < 90; number++)
        {
            File.Delete(Path.Combine(folder, $"{number}.txt"));
            File.WriteAllBytes(Path.Combine(folder, $"{number}.txt.locked"), Prepared.Noise(8_000, number));
        }

        var encrypted = Result(await Prepared.Backup(repository, folder));

        Assert.Equal((80L, 80L), (encrypted.FilesVanished!.Value, encrypted.ExtensionsChanged!.Value));
        Assert.Equal(80 * 8_000, encrypted.BytesIncompressible);
        var reasons = Anomalies.Of(encrypted, past, new AnomalySpec());
        Assert.Equal(3, reasons.Count);
        Assert.StartsWith("80 % of it is new or changed since the point before; usually it is ", reasons[0], StringComparison.Ordinal);
        Assert.Equal("80 files have another extension than before.", reasons[1]);
        Assert.Contains("cannot be compressed, as if it were encrypted", reasons[2], StringComparison.Ordinal);
    }

    static void Write(string folder, int number, int night)
        => File.WriteAllText(Path.Combine(folder, $"{number}.txt"), string.Concat(Enumerable.Repeat($"line {number} of {night}\n", 600)));

    static BackupResult Result(BackupSummary run) => new()
    {
        SnapshotId = run.SnapshotId.ToString(),
        ParentId = run.ParentId?.ToString(),
        TakenAt = run.Time,
        Files = run.Files,
        FilesNew = run.FilesNew,
        FilesChanged = run.FilesChanged,
        Bytes = run.Bytes,
        BytesNew = run.BytesNew,
        BytesIncompressible = run.BytesIncompressible,
        FilesVanished = run.FilesVanished,
        ExtensionsChanged = run.ExtensionsChanged,
    };
}
