using System.Diagnostics;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Tools;

/// <summary>A program that we run, of a database or of the host: its words kept, its end known, stopped when it is no longer wanted.
/// </summary>
/// <remarks>Secrets are handed over in its environment, never in its arguments, which everybody may read.</remarks>
public sealed class ToolProcess : IAsyncDisposable
{
    const int LinesKept = 400;

    readonly Process _process;
    readonly Lock _gate = new();
    readonly Queue<string> _lines = new();

    ToolProcess(Process process) => _process = process;

    /// <summary>The last lines that it wrote, to both of its outputs.</summary>
    public IReadOnlyList<string> Lines { get { lock (_gate) return [.. _lines]; } }

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded => _process.HasExited;

    /// <summary>Starts a program.</summary>
    /// <param name="program">Absolute path.</param>
    /// <param name="arguments">Arguments.</param>
    /// <param name="user">Whom to run it as where we are root; null for ourselves.</param>
    /// <param name="environment">Variables besides.</param>
    /// <param name="isBare">Whether it gets these variables only, none of ours.</param>
    /// <exception cref="SourceException">It does not start.</exception>
    public static ToolProcess Start(string program, IReadOnlyList<string> arguments, (uint Uid, uint Gid)? user = null,
        IReadOnlyDictionary<string, string>? environment = null, bool isBare = false)
    {
        List<string> words = [program, .. arguments];
        if (user is { } whose && AccountNames.IsRoot)
            words.InsertRange(0, ["/usr/bin/setpriv", $"--reuid={whose.Uid}", $"--regid={whose.Gid}", "--clear-groups", "--"]);
        var start = new ProcessStartInfo(words[0], words.Skip(1))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        if (isBare) start.Environment.Clear();
        start.Environment["LC_ALL"] = "C.UTF-8";
        foreach (var (name, value) in environment ?? new Dictionary<string, string>()) start.Environment[name] = value;
        Process? process;
        try { process = Process.Start(start); }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new SourceException("tool.start",
            $"{words[0]} does not start: {e.Message}");
        }
        var tool = new ToolProcess(process ?? throw new SourceException("tool.start", $"{words[0]} does not start."));
        process.OutputDataReceived += tool.Keep;
        process.ErrorDataReceived += tool.Keep;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return tool;
    }

    /// <summary>Runs a program to its end.</summary>
    public static async Task<(int ExitCode, IReadOnlyList<string> Lines)> Run(string program, IReadOnlyList<string> arguments,
        (uint Uid, uint Gid)? user, CancellationToken ct)
    {
        await using var tool = Start(program, arguments, user);
        return (await tool.End(ct), tool.Lines);
    }

    void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data is null) return;
        lock (_gate)
        {
            if (_lines.Count == LinesKept) _lines.Dequeue();
            _lines.Enqueue(line.Data);
        }
    }

    /// <summary>Waits for its end; gives its exit code.</summary>
    public async Task<int> End(CancellationToken ct)
    {
        await _process.WaitForExitAsync(ct);
        return _process.ExitCode;
    }

    /// <summary>Ends it where it still runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }
        _process.Dispose();
    }
}
