using System.Diagnostics;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Tools;

/// <summary>What keeps a restored copy from reaching anything: no network at all, and none of the host's sockets. A server that was
/// restored for a test sends no mail, calls no webhook and finds no other server, whatever is in it.</summary>
/// <remarks>Namespaces of the kernel, set up by util-linux's unshare. Files stay reachable: a private socket in a folder of ours is how
/// we talk to the server. Outside of it everything is as it was, and the namespaces end with the last process in them.</remarks>
public static class Isolation
{
    const string Unshare = "/usr/bin/unshare";

    /// <summary>The variable with a folder that the program finds where the variable says then, also where its user could not enter it.
    /// </summary>
    public const string Copy = "BACKUPDR_COPY";

    const string CopyInside = "/run/copy";

    // Sockets of servers of the host lie there; what is mounted over it is seen in the namespace alone.
    const string Script = "mount -n -t tmpfs -o size=1m,mode=755 none /run && if [ -n \"$" + Copy + "\" ]; then mkdir " + CopyInside
        + " && mount -n --bind \"$" + Copy + "\" " + CopyInside + " && export " + Copy + "=" + CopyInside + "; fi && exec \"$@\"";

    static readonly Lazy<bool> Works = new(Try);

    /// <summary>Whether this host lets us: as root, or where everybody may have namespaces.</summary>
    public static bool IsPossible => Works.Value;

    /// <summary>The words to put before a program's.</summary>
    public static IReadOnlyList<string> Words => [Unshare,
        // Postgres does not run as root, and so it is nobody else in a namespace of users.
        .. AccountNames.IsRoot ? (string[])[] : ["--user", "--map-current-user", "--keep-caps"],
        "--net", "--mount", "--propagation", "private", "--", "/bin/sh", "-c", Script, "isolated"];

    /// <summary>Whether a folder that the program works in would be hidden from it.</summary>
    public static bool Hides(string folder) => folder.StartsWith("/run/", StringComparison.Ordinal)
        || folder.StartsWith("/var/run/", StringComparison.Ordinal);

    static bool Try()
    {
        if (!Disk.Exists(Unshare)) return false;
        try
        {
            using var tried = Process.Start(new ProcessStartInfo(Words[0], [.. Words.Skip(1), "/bin/true"])
            {
                RedirectStandardError = true,
                RedirectStandardOutput = true,
            });
            return tried is not null && tried.WaitForExit(TimeSpan.FromSeconds(10)) && tried.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception) { return false; }   // we may not run it
    }
}
