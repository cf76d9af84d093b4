using System.Globalization;
using BackupDr.Engine;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Sources;

namespace BackupDr.Agent.Jobs;

/// <summary>The room of a drill: it needs what it restores and leaves a reserve, before it begins and as long as it lasts, so that it never
/// fills the disk of the host that it runs on.</summary>
/// <param name="folder">The folder that the sandbox is in; its file system is meant.</param>
/// <param name="reserve">What is left free; null for <see cref="ReserveOf"/>.</param>
sealed class DrillSpace(string folder, long? reserve = null)
{
    const long LeastReserve = 64L << 20, MostReserve = 20L << 30;
    // A file's last block is half empty on average, and it has an entry somewhere.
    const long BytesOfAFile = 4 << 10;
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(50);
    static readonly HashSet<string> Codes = ["drill.space", "postgres.space", "mariadb.space"];

    readonly DriveInfo _drive = new(folder);

    /// <summary>What is left free, in bytes.</summary>
    public long Reserve { get; } = reserve ?? ReserveOf(new DriveInfo(folder).TotalSize);

    /// <summary>What is left free of a file system: a twentieth, at least 64 MiB, at most 20 GiB.</summary>
    public static long ReserveOf(long size) => Math.Clamp(size / 20, LeastReserve, MostReserve);

    /// <summary>Whether a failure says that there was no room: it says nothing of what was to be restored.</summary>
    public static bool IsMeant(SourceException failure) => Codes.Contains(failure.Code);

    /// <summary>Refuses a restore that does not fit.</summary>
    /// <exception cref="SourceException">drill.space: it does not fit.</exception>
    public async Task Need(Repository repository, Snapshot snapshot, CancellationToken ct)
    {
        var (files, bytes, _) = snapshot.Numbers();
        if (files is null || bytes is null)
        {
            using var nothing = new EmptyTarget();
            var look = await RestoreRun.Preview(repository, snapshot, new RestoreRequest(), nothing, ct);
            (files, bytes) = (look.Files, look.Bytes);
        }
        Need(bytes.Value + files.Value * BytesOfAFile);
    }

    /// <summary>Refuses what does not fit.</summary>
    /// <param name="bytes">What the restore takes.</param>
    /// <exception cref="SourceException">drill.space: it does not fit.</exception>
    public void Need(long bytes)
    {
        if (_drive.AvailableFreeSpace is var free && free - Reserve < bytes)
            throw Full($"{folder} has {Size(free)} free; the restore takes {Size(bytes)}, and {Size(Reserve)} must stay free.");
    }

    /// <summary>Does the work, and stops it where less than the reserve is left: more came back than was expected, or somebody else
    /// writes.</summary>
    /// <exception cref="SourceException">drill.space: it was stopped.</exception>
    public async Task<T> Watch<T>(Func<CancellationToken, Task<T>> work, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        using var over = new CancellationTokenSource();
        var watching = Watch(stop, over.Token);
        T? done = default;
        long? left;
        try { done = await work(stop.Token); }
        // Whatever a full disk does to it, that is no word about the copy.
        catch (Exception) when (stop.IsCancellationRequested && !ct.IsCancellationRequested) { done = default; }
        finally
        {
            await over.CancelAsync();
            left = await watching;
        }
        return left is null ? done!
            : throw Full($"It was stopped: {folder} had {Size(left.Value)} free, and {Size(Reserve)} must stay free.");
    }

    /// <summary>What was left when the work was stopped; null where it was not.</summary>
    async Task<long?> Watch(CancellationTokenSource stop, CancellationToken over)
    {
        using var timer = new PeriodicTimer(LookEvery, TimeProvider.System);
        try
        {
            do
            {
                if (_drive.AvailableFreeSpace is var free && free >= Reserve) continue;
                await stop.CancelAsync();
                return free;
            }
            while (await timer.WaitForNextTickAsync(over));
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested) { return null; }   // the work ended first
        return null;
    }

    static SourceException Full(string message) => new("drill.space", message,
        "Free space there, name a host with more for drills in the policy, or another scratch folder.");

    static string Size(long bytes) => bytes < 1 << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0} MiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):0.0} GiB");
}
