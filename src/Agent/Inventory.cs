using System.Globalization;
using BackupDr.Agent.Jobs;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Sources;
using BackupDr.Sources.MariaDb;
using BackupDr.Sources.PostgreSql;
using BackupDr.Sources.Sqlite;
using BackupDr.Sources.Volumes;

namespace BackupDr.Agent;

/// <summary>What is found on this host. Each look has a limit; one that hangs, for example on a server that is gone, is left to itself, and
/// until it ends what it found before counts.</summary>
public sealed class Inventory(AgentState state)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    static readonly string[] Passing = ["/tmp/", "/var/tmp/", "/run/", "/dev/"];
    const int MostMounts = 200;

    readonly LimitedLook<FoundMount> _mounts = new(_ => Task.FromResult(FoundMounts.Find()));
    readonly LimitedLook<BlockDevice> _devices = new(_ => Task.FromResult(BlockDevices.List()));
    readonly LimitedLook<FoundDatabase> _databases = new(_ => Task.FromResult<IReadOnlyList<FoundDatabase>>(
        [.. ClusterDiscovery.Find(), .. MariaDbDiscovery.Find(), .. SqliteFile.Find()]));
    readonly LimitedLook<FilePath> _subvolumes = new(FindSubvolumes);

    /// <summary>Looks.</summary>
    public async Task<InventoryRequest> Look(CancellationToken ct)
    {
        var (mounts, devices, databases, subvolumes) = (_mounts.Within(Patience, ct), _devices.Within(Patience, ct),
            _databases.Within(Patience, ct), _subvolumes.Within(Patience, ct));
        return new InventoryRequest
        {
            Mounts = [.. (await mounts).Take(MostMounts)
                .Select(found => new MountFound(found.Mount.Path, found.Mount.FileSystem, found.SizeBytes, found.FreeBytes))],
            Processors = Environment.ProcessorCount,
            MemoryBytes = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            Sources = Sources(await mounts, await subvolumes, await devices, await databases),
        };
    }

    List<SourceFound> Sources(IReadOnlyList<FoundMount> mounts, IReadOnlyList<FilePath> subvolumes, IReadOnlyList<BlockDevice> devices,
        IReadOnlyList<FoundDatabase> databases)
    {
        var mounted = mounts.Select(found => new SourceFound(FoundKind.FileSystem, found.Mount.Path,
            $"{found.Mount.FileSystem} on {found.Mount.Device}", found.SizeBytes - found.FreeBytes));
        var below = subvolumes.Where(path => mounts.All(found => found.Mount.Path != path))
            .Select(path => new SourceFound(FoundKind.Subvolume, path, "Btrfs subvolume"));
        var bare = devices.Where(device => device.Use.Length == 0)
            .Select(device => new SourceFound(FoundKind.BlockDevice, FilePath.FromText(device.Path), "not mounted", device.SizeBytes));
        return [.. mounted.Concat(below).Concat(bare).Concat(databases.Where(one => !IsPassing(one)).Select(Database))
            .Where(found => !IsOurs(found.Path)).DistinctBy(found => (found.Kind, found.Path)).Take(InventoryRequest.MostSources)
            .Select(Short)];
    }

    static SourceFound Database(FoundDatabase found)
    {
        var kind = found.Engine switch
        {
            "postgresql" => FoundKind.PostgreSql,
            "mariadb" => FoundKind.MariaDb,
            _ => FoundKind.Sqlite,
        };
        var detail = kind switch { FoundKind.PostgreSql => "PostgreSQL", FoundKind.MariaDb => "MariaDB", _ => "SQLite" };
        if (found.Version.Length > 0) detail += $" {found.Version}";
        if (kind != FoundKind.Sqlite) detail += !found.IsRunning ? ", stopped" : found.Port > 0 ? $", port {found.Port}" : "";
        if (kind == FoundKind.MariaDb && found is { IsRunning: true, Endpoint.Length: > 0 }) detail += $", socket {found.Endpoint}";
        return new SourceFound(kind, FilePath.FromText(found.DataPath), detail, FolderSize.Of(found.DataPath));
    }

    // Programs keep notes for the moment in such files too; and a server in a sandbox is a test restore.
    static bool IsPassing(FoundDatabase found) => found.DataPath.Contains($"/{DrillSandbox.Prefix}", StringComparison.Ordinal)
        || (found.Engine == "sqlite" && Passing.Any(folder => found.DataPath.StartsWith(folder, StringComparison.Ordinal)));

    // What 'backupdr up' keeps is rebuilt from the recovery kit, and its database is no item of anybody's.
    bool IsOurs(FilePath path)
    {
        var above = Path.GetDirectoryName(state.Folder) ?? "/";
        return above != "/" && File.Exists(Path.Combine(above, "up.lock")) && MountTable.IsWithin(path, FilePath.FromText(above));
    }

    static SourceFound Short(SourceFound found) => found.Detail.Length <= SourceFound.LongestDetail ? found
        : found with { Detail = found.Detail[..SourceFound.LongestDetail] };

    static async Task<IReadOnlyList<FilePath>> FindSubvolumes(CancellationToken ct)
    {
        var found = new List<FilePath>();
        foreach (var mount in MountTable.Read().Where(mount => mount.FileSystem == "btrfs").DistinctBy(mount => (mount.Number, mount.Root)))
            found.AddRange(await Subvolumes.Below(mount, ct));
        return found;
    }

    /// <summary>Load average over one minute.</summary>
    public static double Load()
    {
        const string file = "/proc/loadavg";
        return File.Exists(file) && double.TryParse(File.ReadAllText(file).Split(' ')[0], CultureInfo.InvariantCulture, out var load)
            ? load : 0;
    }
}
