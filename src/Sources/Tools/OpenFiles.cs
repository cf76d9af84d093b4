using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Tools;

/// <summary>The files that processes of this host have open, by <c>/proc</c>. Of other users' processes only root sees them.</summary>
static class OpenFiles
{
    /// <summary>Absolute paths of the files that any process has open, sorted.</summary>
    public static SortedSet<string> All()
    {
        var open = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var pid in Processes()) open.UnionWith(Of(pid));
        return open;
    }

    /// <summary>The first other process that has a file open; null where none is seen.</summary>
    public static int? By(string path) => Processes().Where(pid => pid != Environment.ProcessId).Select(pid => (int?)pid)
        .FirstOrDefault(pid => Of(pid!.Value).Contains(path));

    static IEnumerable<int> Processes() => Disk.List("/proc").Where(entry => entry.Kind == FileKind.Folder)
        .Select(entry => int.TryParse(entry.Name, out var pid) ? pid : 0).Where(pid => pid > 0);

    static List<string> Of(int pid)
    {
        var found = new List<string>();
        try
        {
            var folder = $"/proc/{pid}/fd";
            foreach (var (name, kind) in Disk.List(folder))
            {
                if (kind != FileKind.Symlink) continue;
                using var links = Descriptor.OpenFolder(FilePath.FromText(folder));
                var target = links.ReadLink(System.Text.Encoding.ASCII.GetBytes(name)).ToString();
                if (target.StartsWith('/') && !target.StartsWith("/dev/", StringComparison.Ordinal)
                    && !target.StartsWith("/proc/", StringComparison.Ordinal)) found.Add(target);
            }
        }
        catch (PosixException) { return found; }   // it ended, or is another user's
        return found;
    }
}
