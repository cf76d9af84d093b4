using System.Globalization;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Finds PostgreSQL clusters on this host.</summary>
public static class ClusterDiscovery
{
    // Where distributions keep clusters that may be stopped.
    static readonly string[] Roots = ["/var/lib/postgresql", "/var/lib/pgsql"];
    const int Depth = 3;

    /// <summary>The clusters: those that run, by their processes; those that do not, in the usual folders. In the order of their folders.
    /// </summary>
    public static IReadOnlyList<FoundDatabase> Find()
    {
        var folders = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (name, kind) in Disk.List("/proc"))
            if (kind == FileKind.Folder && int.TryParse(name, CultureInfo.InvariantCulture, out var pid) && DataFolderOf(pid) is { } folder)
                folders.Add(folder);
        foreach (var root in Roots) Search(root, Depth, folders);
        return [.. folders.Select(Describe)];
    }

    // A server's working folder is its data folder, and it names itself "postgres" however it was started.
    static string? DataFolderOf(int pid)
    {
        var words = TryRead($"/proc/{pid}/comm");
        if (words is null || !(words.StartsWith("postgres", StringComparison.Ordinal) || words.StartsWith("postmaster",
            StringComparison.Ordinal)))
            return null;
        try
        {
            using var process = Descriptor.OpenFolder(Contracts.FilePath.FromText($"/proc/{pid}"));
            var folder = process.ReadLink("cwd"u8).ToString();
            return Disk.Exists(Path.Combine(folder, "PG_VERSION")) ? folder : null;
        }
        catch (PosixException) { return null; }   // it ended, or is another user's and hidden from us
    }

    static string? TryRead(string path)
    {
        try { return Disk.TryReadText(path)?.Trim(); }
        catch (PosixException) { return null; }   // not for us
    }

    static void Search(string folder, int depth, SortedSet<string> found)
    {
        List<(string Name, FileKind Kind)> entries;
        try { entries = Disk.List(folder); }
        catch (PosixException) { return; }   // not for us
        if (entries.Any(entry => entry.Name == "PG_VERSION")) { found.Add(folder); return; }
        if (depth == 0) return;
        foreach (var (name, kind) in entries)
            if (kind == FileKind.Folder) Search(Path.Combine(folder, name), depth - 1, found);
    }

    static FoundDatabase Describe(string folder)
    {
        var version = TryRead(Path.Combine(folder, "PG_VERSION")) ?? "";
        var pid = RunningIn(folder);
        // postmaster.pid: process, data folder, start, port, socket folder, address.
        var lines = pid is null ? [] : (TryRead(Path.Combine(folder, "postmaster.pid")) ?? "").Split('\n');
        var port = lines.Length > 3 && int.TryParse(lines[3], CultureInfo.InvariantCulture, out var number) ? number : 0;
        var endpoint = lines.Length > 4 && lines[4].Length > 0 ? lines[4] : lines.Length > 5 ? lines[5] : "";
        return new FoundDatabase("postgresql", $"PostgreSQL {version} in {folder}", folder, version, endpoint, port, pid is not null);
    }

    /// <summary>The cluster in a data folder; null where there is none.</summary>
    public static FoundDatabase? In(string folder) => TryRead(Path.Combine(folder, "PG_VERSION")) is null ? null : Describe(folder);

    /// <summary>The process of the server that runs in a data folder; null where none does.</summary>
    public static int? RunningIn(string folder)
    {
        var text = TryRead(Path.Combine(folder, "postmaster.pid"));
        if (text is null || !int.TryParse(text.Split('\n')[0], CultureInfo.InvariantCulture, out var pid) || pid <= 0) return null;
        return TryRead($"/proc/{pid}/comm") is { } name && name.StartsWith("post", StringComparison.Ordinal) && !HasEnded(pid) ? pid : null;
    }

    /// <summary>Whether nothing is left of a process but the entry that its parent did not ask for yet.</summary>
    static bool HasEnded(int pid)
        => TryRead($"/proc/{pid}/stat") is not { } stat || stat[(stat.LastIndexOf(')') + 1)..].TrimStart() is ['Z' or 'X', ..];
}
