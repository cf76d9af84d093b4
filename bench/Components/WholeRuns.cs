using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Upkeep;
using BackupDr.Sources.Files;
using BackupDr.Storage.Folder;

namespace BackupDr.Components;

/// <summary>A first backup, its restore and the check of all its data, in this process, without the start of a program or the derivation
/// of a key.</summary>
static class WholeRuns
{
    /// <summary>CPU seconds of the three.</summary>
    /// <exception cref="InvalidDataException">One of them did not do what it should.</exception>
    public static async Task<IReadOnlyList<double>> Measure(string source, string scratch, CancellationToken ct)
    {
        using var password = Secret.FromText("benchmark only");
        var options = new RepositoryOptions { Kdf = new KdfCost(1024, 8, 1) };
        var (home, target) = (Path.Join(scratch, "repository"), Path.Join(scratch, "restored"));
        Repository? repository = null;
        BackupSummary? taken = null;

        var backup = await Cost.Of(async () =>
        {
            repository?.Dispose();
            Remove(home);
            repository = await Repository.Init(new FolderStore(FilePath.FromText(home), TimeProvider.System), password, options, ct);
        }, async () =>
        {
            using var files = FileSource.Open(new FileSelection { Paths = [FilePath.FromText(source)] });
            taken = await BackupRun.Execute(repository!, files, new BackupRequest { HostName = "benchmark" }, null, ct);
        });
        using var made = repository!;
        var snapshot = await made.FindSnapshot(taken!.SnapshotId.ToString(), SnapshotFilter.All, ct);

        var restore = await Cost.Of(() => { Remove(target); return Task.CompletedTask; }, async () =>
        {
            Directory.CreateDirectory(target);
            using var folder = FileTarget.Open(FilePath.FromText(target), new FileTargetOptions());
            var summary = await RestoreRun.Execute(made, snapshot, new RestoreRequest(), folder, null, ct);
            if (summary.Failed.Count > 0) throw new InvalidDataException(summary.Failed[0].Message);
        });
        var check = await Cost.Of(() => Task.CompletedTask, async () =>
        {
            var report = await RepositoryCheck.Execute(made, readData: true, null, ct);
            if (!report.IsGood) throw new InvalidDataException(report.Errors[0]);
        });
        Remove(target);
        return [backup, restore, check];
    }

    static void Remove(string folder)
    {
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);
    }
}
