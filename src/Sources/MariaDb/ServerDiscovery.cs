using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.MariaDb;

/// <summary>Finds MariaDB and MySQL servers on this host.</summary>
public static class ServerDiscovery
{
    // Where distributions keep the data of a server that may be stopped.
    static readonly string[] Usual = ["/var/lib/mysql"];

    /// <summary>The servers: those that run, by their processes; those that do not, in the usual folders. In the order of their folders.
    /// </summary>
    public static IReadOnlyList<FoundDatabase> Find()
    {
        var found = new SortedDictionary<string, FoundDatabase>(StringComparer.Ordinal);
        foreach (var (name, kind) in Disk.List("/proc"))
            if (kind == FileKind.Folder && int.TryParse(name, CultureInfo.InvariantCulture, out var pid) && Running(pid) is { } server)
                found.TryAdd(server.DataPath, server);
        foreach (var folder in Usual)
            if (IsDataFolder(folder)) found.TryAdd(folder, Describe(folder, "", 0, isRunning: false));
        return [.. found.Values];
    }

    // A server's working folder is its data folder; its socket and port stand among its arguments where they are not the usual ones.
    static FoundDatabase? Running(int pid)
    {
        try
        {
            if (Disk.TryReadText($"/proc/{pid}/comm")?.Trim() is not ("mariadbd" or "mysqld")) return null;
            using var process = Descriptor.OpenFolder(FilePath.FromText($"/proc/{pid}"));
            var folder = process.ReadLink("cwd"u8).ToString();
            if (!IsDataFolder(folder)) return null;
            var words = Encoding.UTF8.GetString(Disk.TryRead($"/proc/{pid}/cmdline") ?? []).Split('\0');
            string? Option(string name) => words.FirstOrDefault(word => word.StartsWith($"--{name}=", StringComparison.Ordinal))?
                .Split('=', 2)[1];
            return Describe(folder, Option("socket") ?? "/run/mysqld/mysqld.sock",
                int.TryParse(Option("port"), CultureInfo.InvariantCulture, out var port) ? port : 3306, isRunning: true);
        }
        catch (PosixException) { return null; }   // it ended, or is another user's and hidden from us
    }

    static bool IsDataFolder(string folder)
    {
        try { return Disk.Exists(Path.Combine(folder, "ibdata1")) && Disk.Exists(Path.Combine(folder, "mysql")); }
        catch (PosixException) { return false; }   // not for us
    }

    static FoundDatabase Describe(string folder, string socket, int port, bool isRunning)
    {
        var version = Version(folder);
        return new FoundDatabase("mariadb", $"MariaDB {version} in {folder}".Replace("  ", " ", StringComparison.Ordinal), folder, version,
            socket, port, isRunning);
    }

    static string Version(string folder)
    {
        foreach (var file in (string[])["mariadb_upgrade_info", "mysql_upgrade_info"])
        {
            try
            {
                if (Disk.TryReadText(Path.Combine(folder, file))?.Trim('\0', '\n', ' ') is { Length: > 0 and < 40 } version) return version;
            }
            catch (PosixException) { continue; }   // not for us
        }
        return "";
    }
}
