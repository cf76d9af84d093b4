using System.Net.Sockets;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.MariaDb;

/// <summary>Starts a server in a restored folder, with the settings of a copy and as the folder's owner, and leaves it running.</summary>
public static class MariaDbStart
{
    /// <summary>The server's words of that start, in the restored folder.</summary>
    public const string LogName = "backupdr_start.log";

    // It has to outlive us, and our pipes.
    const string Detached = "log=$1; shift; exec setsid --fork \"$@\" </dev/null >>\"$log\" 2>&1";
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>The line that does it, for a shell.</summary>
    public static IReadOnlyList<string> Command(string folder, string? programs)
        => [MariaDbTools.Find(MariaDbTools.Server, programs), $"--defaults-file={Path.Combine(folder, MariaDbRestore.SettingsName)}"];

    /// <summary>Starts it, and waits until it answers.</summary>
    /// <param name="restored">What was restored, as a copy.</param>
    /// <param name="folder">Where it is.</param>
    /// <param name="programs">Folder of the server's programs; null for the usual ones.</param>
    /// <param name="limit">Longest start.</param>
    /// <param name="clock">For the time.</param>
    /// <param name="ct">Cancels; it may be left running then.</param>
    /// <exception cref="SourceException">It does not start.</exception>
    public static async Task Run(MariaDbRestoreSummary restored, string folder, string? programs, TimeSpan limit, TimeProvider clock,
        CancellationToken ct)
    {
        var (begun, log) = (clock.GetTimestamp(), Path.Combine(folder, LogName));
        var (code, lines) = await ToolProcess.Run("/bin/sh", ["-c", Detached, "sh", log, .. Command(folder, programs)], restored.Owner, ct);
        if (code != 0) throw Failed(folder, ToolProcess.LastOf(lines));
        var socket = Path.Combine(folder, MariaDbRestore.SocketName);
        while (!await Answers(socket, ct))
        {
            if (Said(log) is { } words && MariaDbDiscovery.RunningIn(folder) is null) throw Failed(folder, words);
            if (clock.GetElapsedTime(begun) > limit) throw Failed(folder, $"It does not answer after {limit}.");
            await Task.Delay(LookEvery, clock, ct);
        }
    }

    /// <summary>Whether a server greets there: it does that before it asks who is calling.</summary>
    static async Task<bool> Answers(string path, CancellationToken ct)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), ct);
            return await socket.ReceiveAsync(new byte[1], ct) > 0;
        }
        catch (SocketException) { return false; }   // it does not listen yet
    }

    static string? Said(string log)
        => Disk.TryReadText(log)?.Split('\n').LastOrDefault(line => line.Contains("[ERROR]", StringComparison.Ordinal));

    static SourceException Failed(string folder, string words) => new("mariadb.copy_start",
        $"The server in {folder} does not run: {words}", $"See {Path.Combine(folder, LogName)}.");
}
