using System.Diagnostics;
using BackupDr.Contracts;

namespace BackupDr.Cli.Up;

/// <summary>A program of ours that is kept running: started in a session of its own, told to stop by the end of its stdin, started again
/// when it crashes.</summary>
sealed class Child : IAsyncDisposable
{
    static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(30), StopPatience = TimeSpan.FromSeconds(25);

    readonly string _name, _program, _logFile;
    readonly IReadOnlyList<string> _arguments;
    readonly CancellationTokenSource _stop = new();
    readonly TimeProvider _clock;
    Process _process;
    Task _keeping = Task.CompletedTask;

    Child(string name, string program, IReadOnlyList<string> arguments, string logFile, TimeProvider clock)
    {
        (_name, _program, _arguments, _logFile, _clock) = (name, program, arguments, logFile, clock);
        _process = Launch();
    }

    /// <summary>Starts it and keeps it running.</summary>
    public static Child Start(string name, string program, IReadOnlyList<string> arguments, string logFolder, TimeProvider clock)
    {
        var child = new Child(name, Sibling.PathOf(program), arguments, Path.Combine(logFolder, $"{name}.log"), clock);
        child._keeping = child.Keep();
        return child;
    }

    /// <summary>Whether it runs now.</summary>
    public bool IsRunning => !_process.HasExited;

    /// <summary>The last lines of its log, for a message.</summary>
    public string LastWords()
    {
        if (!File.Exists(_logFile)) return "it wrote no log";
        var lines = File.ReadLines(_logFile).Where(line => line.Length > 0).TakeLast(3).ToList();
        return lines.Count == 0 ? "it wrote no log" : string.Join(" / ", lines);
    }

    Process Launch()
    {
        // In a session of its own, so that Ctrl-C reaches only us and everything stops in order.
        var start = new ProcessStartInfo("/usr/bin/setsid", ["/bin/sh", "-c", "log=$1; shift; exec \"$@\" >>\"$log\" 2>&1", "sh", _logFile,
            _program, .. _arguments])
        {
            RedirectStandardInput = true,
            WorkingDirectory = "/",
        };
        return Process.Start(start) ?? throw new UnavailableException("up.start", $"{_program} does not start.");
    }

    async Task Keep()
    {
        for (var crashes = 1; ; crashes++)
        {
            var begun = _clock.GetTimestamp();
            await _process.WaitForExitAsync(CancellationToken.None);
            if (_stop.IsCancellationRequested) return;
            if (_clock.GetElapsedTime(begun) > TimeSpan.FromMinutes(5)) crashes = 1;
            var pause = TimeSpan.FromSeconds(Math.Min(LongestPause.TotalSeconds, 0.5 * (1L << Math.Min(crashes, 10))));
            await File.AppendAllTextAsync(_logFile, $"up: {_name} ended with {_process.ExitCode}; starting it again in "
                + $"{pause.TotalSeconds:0} s\n", CancellationToken.None);
            await Task.Delay(pause, _clock, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.IsCancellationRequested) return;
            _process.Dispose();
            _process = Launch();
        }
    }

    /// <summary>Stops it: by the end of its stdin, and after 25 seconds by force.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        if (!_process.HasExited)
        {
            _process.StandardInput.Close();
            using var late = new CancellationTokenSource(StopPatience, _clock);
            try { await _process.WaitForExitAsync(late.Token); }
            catch (OperationCanceledException) { _process.Kill(entireProcessTree: true); }
        }
        await _keeping;
        _process.Dispose();
        _stop.Dispose();
    }
}
