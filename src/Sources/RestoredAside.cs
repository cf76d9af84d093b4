using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources;

/// <summary>Puts one file of a snapshot under a name of its own: it appears there whole or not at all.</summary>
static class RestoredAside
{
    /// <summary>Restores it beside its place first. Run again after it was broken off, it goes on.</summary>
    /// <param name="repository">Open.</param>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="path">Absolute path of the file in it.</param>
    /// <param name="target">Absolute path of the file to be; its folder is made where it is missing.</param>
    /// <param name="isDurable">False for a test restore that is thrown away.</param>
    /// <param name="replacing">Called just before it takes its place.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="ct">Cancels.</param>
    /// <returns>What could not be restored; null where the file stands in its place.</returns>
    public static async Task<Engine.Backup.Problem?> Run(Repository repository, Snapshot snapshot, string path, string target,
        bool isDurable, Action? replacing, IProgress<RestoreProgress>? progress, CancellationToken ct)
    {
        var (folder, name) = (Path.GetDirectoryName(target)!, Path.GetFileName(target));
        Disk.MakeFolder(folder);
        var making = Path.Combine(folder, $".backupdr-restore-{snapshot.Id.ToString()[..16]}");   // the same one when it is run again
        using (var aside = FileTarget.Open(FilePath.FromText(making), OverwritePolicy.Always, isDurable))
        {
            var from = Path.GetDirectoryName(path)! is var above and not "/" ? above : "";
            var done = await RestoreRun.Execute(repository, snapshot,
                RestoreRequest.Of([FilePath.FromText(path)]) with { From = FilePath.FromText(from) }, aside, progress, ct);
            if (done.Failed.Count > 0) return done.Failed[0];
        }
        using (var place = Descriptor.OpenFolder(FilePath.FromText(folder)))
        using (var made = Descriptor.OpenFolder(FilePath.FromText(making)))
        {
            replacing?.Invoke();
            made.Rename(FilePath.FromText(Path.GetFileName(path)).Bytes, place, FilePath.FromText(name).Bytes);
            place.Sync();
        }
        Disk.RemoveTree(making);
        return null;
    }
}
