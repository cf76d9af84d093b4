using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Restore;
using BackupDr.Sources.Files;

namespace BackupDr.Sources.Volumes;

/// <summary>Proves a recovery point of a volume: restores it beside, reads it back, compares every chunk, removes it.</summary>
public static class VolumeProof
{
    /// <summary>Runs it.</summary>
    /// <exception cref="RepositoryException">NoSuchSnapshot, Damaged or Archived.</exception>
    public static async Task<ProofReport> Run(Repository repository, VolumeProofOptions options, IProgress<RestoreProgress>? progress,
        CancellationToken ct)
    {
        var clock = repository.Options.Clock;
        using var scratch = Scratch.Make(options.Scratch);
        var begun = clock.GetTimestamp();
        var (snapshot, volume, node) = await VolumeRestore.Find(repository, options.Volume, options.Snapshot, ct);
        var folder = FilePath.FromText(Path.Combine(scratch.Path, "restored"));
        using var target = FileTarget.Open(folder, OverwritePolicy.Always, durable: false);
        var done = await RestoreRun.Execute(repository, snapshot, new RestoreRequest { From = FilePath.FromText(volume), Verify = true },
            target, progress, ct);
        var allocated = Storage.Posix.Descriptor.StatOf(target.Path.Join(node.Name.Bytes)).AllocatedBytes;
        return new ProofReport(
        [
            new ProofCheck("restore", done.Failed.Count == 0, done.Failed.Count > 0 ? done.Failed[0].Message
                : $"{node.SizeBytes} bytes in {node.Content.Count} chunks; {allocated} bytes of the disk."),
            new ProofCheck("content", done.FilesVerified == 1, done.FilesVerified == 1
                ? "Every chunk was read back and is what the snapshot says." : "What was read back is not what the snapshot says."),
        ], clock.GetElapsedTime(begun), TimeSpan.Zero, TimeSpan.Zero);
    }
}
