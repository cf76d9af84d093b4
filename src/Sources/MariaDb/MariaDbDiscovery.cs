using System.Globalization;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>Finds MariaDB and MySQL servers on this host.</summary>
public static class MariaDbDiscovery
{
    static readonly string[] Programs = ["mariadbd", "mysqld"];
    const string Usual = "/var/lib/mysql";

    /// <summary>The servers: those that run, by their processes; one that does not, in the usual folder. In the order of their folders.
    /// </summary>
    public static IReadOnlyList<FoundDatabase> Find()
    {
        var found = new SortedDictionary<string, FoundDatabase>(StringComparer.Ordinal);
        foreach (var (name, kind) in Disk.List("/proc"))
            if (kind == FileKind.Folder && int.TryParse(name, CultureInfo.InvariantCulture, out var pid) && Of(pid) is { } one)
                found[one.DataPath] = one;
        if (!found.ContainsKey(Usual) && IsDataFolder(Usual)) found[Usual] = Describe(Usual, "", 0, isRunning: false);
        return [.. found.Values];
    }

    // A server's working folder is its data folder.
    static FoundDatabase? Of(int pid)
    {
        try
        {
            if (Disk.TryReadText($"/proc/{pid}/comm")?.Trim() is not { } name || !Programs.Contains(name)) return null;
            using var process = Descriptor.OpenFolder(Contracts.FilePath.FromText($"/proc/{pid}"));
            var folder = process.ReadLink("cwd"u8).ToString();
            if (!IsDataFolder(folder)) return null;
            var words = (Disk.TryReadText($"/proc/{pid}/cmdline") ?? "").Split('\0');
            var port = int.TryParse(Option(words, "port"), CultureInfo.InvariantCulture, out var number) ? number : 0;
            return Describe(folder, SocketOf(pid) ?? Option(words, "socket") ?? "", port, isRunning: true);
        }
        catch (PosixException) { return null; }   // it ended, or is another user's and hidden from us
    }

    static bool IsDataFolder(string folder)
    {
        try { return Disk.Exists(Path.Combine(folder, "ibdata1")) && Disk.Exists(Path.Combine(folder, "mysql")); }
        catch (PosixException) { return false; }   // not for us
    }

    /// <summary>The server of a data folder; null where that is none, or not for us.</summary>
    public static FoundDatabase? In(string folder)
        => RunningIn(folder) is { } pid && Of(pid) is { } running ? running
            : IsDataFolder(folder) ? Describe(folder, "", 0, isRunning: false) : null;

    /// <summary>The process that runs in a data folder; null where none does.</summary>
    public static int? RunningIn(string folder)
    {
        foreach (var (name, kind) in Disk.List("/proc"))
            if (kind == FileKind.Folder && int.TryParse(name, CultureInfo.InvariantCulture, out var pid) && Of(pid) is { } one
                && IsSame(one.DataPath, folder))
                return pid;
        return null;
    }

    /// <summary>Whether two paths lead to one folder: one of them may be a link to the other.</summary>
    internal static bool IsSame(string one, string other)
    {
        if (Path.TrimEndingDirectorySeparator(one) == Path.TrimEndingDirectorySeparator(other)) return true;
        try
        {
            var (here, there) = (Descriptor.StatOf(Contracts.FilePath.FromText(one), follow: true),
                Descriptor.StatOf(Contracts.FilePath.FromText(other), follow: true));
            return (here.DeviceId, here.Inode) == (there.DeviceId, there.Inode);
        }
        catch (PosixException) { return false; }   // one of them is not there, or not for us
    }

    static string? Option(string[] words, string name) => words.Select(word => word.StartsWith($"--{name}=", StringComparison.Ordinal)
        ? word[(name.Length + 3)..] : null).LastOrDefault(value => value is not null);

    /// <summary>The socket that a process listens at, as the kernel lists it.</summary>
    static string? SocketOf(int pid)
    {
        var inodes = new HashSet<string>();
        using var links = Descriptor.OpenFolder(Contracts.FilePath.FromText($"/proc/{pid}/fd"));
        foreach (var (name, _) in Disk.List($"/proc/{pid}/fd"))
            if (links.ReadLink(System.Text.Encoding.ASCII.GetBytes(name)).ToString() is var target
                && target.StartsWith("socket:[", StringComparison.Ordinal)) inodes.Add(target[8..^1]);
        // Num RefCount Protocol Flags Type St Inode Path
        foreach (var line in (Disk.TryReadText($"/proc/{pid}/net/unix") ?? "").Split('\n'))
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is { Length: 8 } parts && inodes.Contains(parts[6])
                && parts[7].StartsWith('/')) return parts[7];
        return null;
    }

    static FoundDatabase Describe(string folder, string socket, int port, bool isRunning)
    {
        var version = TryRead(Path.Combine(folder, "mysql_upgrade_info")) ?? TryRead(Path.Combine(folder, "mariadb_upgrade_info")) ?? "";
        return new FoundDatabase("mariadb", $"MariaDB {version} in {folder}".Replace("  ", " ", StringComparison.Ordinal), folder, version,
            socket, port, isRunning);
    }

    static string? TryRead(string path)
    {
        try { return Disk.TryReadText(path)?.Trim('\0', '\n', ' '); }
        catch (PosixException) { return null; }   // not for us
    }
}
