using System.Globalization;
using System.Text.RegularExpressions;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.PostgreSql;

/// <summary>A server that was started in a restored folder and goes on running.</summary>
/// <param name="ReachedLsn">Where its recovery ended; null where its log does not say.</param>
/// <param name="ReachedAt">When the last transaction of its recovery was committed; null where there was none.</param>
/// <param name="Time">From the start to the end of recovery.</param>
public sealed record StartedCluster(string? ReachedLsn, DateTimeOffset? ReachedAt, TimeSpan Time);

/// <summary>Starts a server in a restored folder, as its owner, and waits for the end of its recovery.</summary>
public static partial class ClusterStart
{
    /// <summary>The server's words of that start, in the restored folder.</summary>
    public const string LogName = "backupdr_start.log";

    const int InProduction = 6, StateOffset = 16;
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    [GeneratedRegex(@"redo done at (?<lsn>[0-9A-F]+/[0-9A-F]+)")]
    private static partial Regex Redo { get; }

    [GeneratedRegex(@"last completed transaction was at log time (?<time>\S+ \S+)")]
    private static partial Regex LastCommit { get; }

    /// <summary>The folder of the server's programs of a version.</summary>
    /// <exception cref="SourceException">They are not installed.</exception>
    public static string Programs(int serverVersion)
    {
        var folder = $"/usr/lib/postgresql/{serverVersion / 10_000}/bin";
        return Disk.Exists(Path.Combine(folder, "pg_ctl")) ? folder : throw new SourceException("postgres.programs_missing",
            $"{folder} has no pg_ctl.", $"Install the server programs of PostgreSQL {serverVersion / 10_000}.");
    }

    /// <summary>Starts it.</summary>
    /// <param name="restored">What was restored.</param>
    /// <param name="folder">Where it is now.</param>
    /// <param name="limit">Longest recovery.</param>
    /// <param name="clock">For the time.</param>
    /// <param name="ct">Cancels; the server is stopped then.</param>
    /// <exception cref="SourceException">It does not start, or its recovery does not end; it is stopped then.</exception>
    public static async Task<StartedCluster> Run(ClusterRestoreSummary restored, string folder, TimeSpan limit, TimeProvider clock,
        CancellationToken ct)
    {
        var begun = clock.GetTimestamp();
        var (pgCtl, log) = (Path.Combine(Programs(restored.Manifest.ServerVersion), "pg_ctl"), Path.Combine(folder, LogName));
        var seconds = ((long)limit.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        var (code, lines) = await ToolProcess.Run(pgCtl, ["-D", folder, "-w", "-t", seconds, "-l", log, "start"], restored.Owner, ct);
        if (code != 0) throw Failed(folder, Said(log) ?? string.Join(' ', lines.TakeLast(3)));
        try
        {
            // It lets sessions in before its recovery has ended.
            while (State(folder) != InProduction)
            {
                if (ClusterDiscovery.RunningIn(folder) is null) throw Failed(folder, Said(log) ?? "It ended.");
                if (clock.GetElapsedTime(begun) > limit) throw Failed(folder, $"Its recovery did not end within {limit}.");
                await Task.Delay(LookEvery, clock, ct);
            }
        }
        catch
        {
            await ToolProcess.Run(pgCtl, ["-D", folder, "-m", "immediate", "-w", "stop"], restored.Owner, CancellationToken.None);
            throw;
        }
        var words = Disk.TryReadText(log) ?? "";
        var (redo, commit) = (Redo.Match(words), LastCommit.Match(words));
        return new StartedCluster(redo.Success ? redo.Groups["lsn"].Value : null,
            commit.Success && DateTimeOffset.TryParse(commit.Groups["time"].Value, CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeUniversal, out var at) ? at.ToUniversalTime() : null, clock.GetElapsedTime(begun));
    }

    static int State(string folder) => BitConverter.ToInt32(ControlFile.Read(folder).AsSpan(StateOffset, 4));

    static string? Said(string log) => Disk.TryReadText(log)?.Split('\n')
        .LastOrDefault(line => line.Contains("FATAL:", StringComparison.Ordinal) || line.Contains("PANIC:", StringComparison.Ordinal));

    static SourceException Failed(string folder, string words) => new("postgres.copy_start",
        $"The server in {folder} does not run: {words}", $"See {Path.Combine(folder, LogName)}.");
}
