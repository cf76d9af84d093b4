using BackupDr.Contracts;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.Volumes;

/// <summary>Lists the subvolumes of mounted Btrfs file systems. A snapshot of one holds none of those below it.</summary>
public static class Subvolumes
{
    static readonly string[] Tools = ["/usr/bin/btrfs", "/usr/sbin/btrfs", "/bin/btrfs", "/sbin/btrfs"];

    /// <summary>Those below a mount point that are no snapshots, as paths of this host. Empty without the tool or the right to ask.
    /// </summary>
    public static async Task<IReadOnlyList<FilePath>> Below(MountPoint mount, CancellationToken ct)
    {
        if (mount.FileSystem != "btrfs" || !HasTool) return [];
        var all = await Paths(mount, [], ct);
        var snapshots = await Paths(mount, ["-s"], ct);
        return [.. all.Except(snapshots).Select(path => Visible(mount, path)).OfType<FilePath>().Where(path => path != mount.Path)];
    }

    /// <summary>The snapshots below a mount point.</summary>
    internal static async Task<IReadOnlyList<FilePath>> SnapshotsBelow(MountPoint mount, CancellationToken ct) => !HasTool ? []
        : [.. (await Paths(mount, ["-s"], ct)).Select(path => Visible(mount, path)).OfType<FilePath>()];

    /// <summary>Whether the tool is there.</summary>
    internal static bool HasTool => Tools.Any(Disk.Exists);

    /// <summary>Runs the tool to its end.</summary>
    internal static Task<(int ExitCode, IReadOnlyList<string> Lines)> Run(IReadOnlyList<string> arguments, CancellationToken ct)
        => ToolProcess.Run(Tools.First(Disk.Exists), arguments, null, ct);

    static async Task<IReadOnlyList<string>> Paths(MountPoint mount, string[] options, CancellationToken ct)
    {
        var (exit, lines) = await Run(["subvolume", "list", "-a", .. options, mount.Path.ToString()], ct);
        const string before = " path ", top = "<FS_TREE>/";   // of those that lie elsewhere; the path is from the top in any case
        return exit != 0 ? [] : [.. lines.Where(line => line.Contains(before, StringComparison.Ordinal))
            .Select(line => line[(line.IndexOf(before, StringComparison.Ordinal) + before.Length)..])
            .Select(path => path.StartsWith(top, StringComparison.Ordinal) ? path[top.Length..] : path)];
    }

    // What is mounted may be a subvolume further down.
    static FilePath? Visible(MountPoint mount, string path)
    {
        var full = FilePath.FromText("/" + path);
        if (!MountTable.IsWithin(full, mount.Root)) return null;
        var place = mount.Path;
        foreach (var part in full.Parts().Skip(mount.Root.Parts().Count)) place = place.Join(part.Bytes);
        return place;
    }
}
