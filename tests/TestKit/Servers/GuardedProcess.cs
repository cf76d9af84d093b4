using System.Diagnostics;

namespace BackupDr.TestKit.Servers;

/// <summary>A server that ends with us: a shell holds it and kills it when our end of a pipe closes, even if we are killed.</summary>
public sealed class GuardedProcess : IAsyncDisposable
{
    readonly Process _shell;
    readonly string _log;

    /// <summary>Starts it.</summary>
    /// <param name="log">File for what it writes.</param>
    /// <param name="words">Program and arguments.</param>
    /// <param name="environment">Added to ours.</param>
    public GuardedProcess(string log, IReadOnlyList<string> words, IReadOnlyDictionary<string, string>? environment = null)
    {
        _log = log;
        // A shell gives what it runs in the background an empty input of its own, so the pipe is named.
        const string hold = "log=$1; shift; exec 3<&0 2>/dev/null; \"$@\" 3<&- </dev/null >>\"$log\" 2>&1 & p=$!; "
            + "cat <&3 >/dev/null & c=$!; wait -n; kill -KILL $p $c 2>/dev/null; wait";
        var start = new ProcessStartInfo("bash", ["-c", hold, "server", log, .. words])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        _shell = Process.Start(start)!;
    }

    /// <summary>Whether it ended by itself or was killed.</summary>
    public bool HasEnded => _shell.HasExited;

    /// <summary>The end of what it wrote.</summary>
    public string LastWords => string.Join('\n', File.ReadLines(_log).TakeLast(20));

    /// <summary>Kills it and waits for its end.</summary>
    public async ValueTask DisposeAsync()
    {
        _shell.StandardInput.Close();
        await _shell.WaitForExitAsync();
        _shell.Dispose();
    }
}
