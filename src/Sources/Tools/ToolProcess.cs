using System.Diagnostics;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Tools;

/// <summary>A program that we run, of a database or of the host: its words kept, its end known, stopped when it is no longer wanted.
/// </summary>
/// <remarks>Secrets are handed over in its environment, never in its arguments, which everybody may read.</remarks>
public sealed class ToolProcess : IAsyncDisposable
{
    const int LinesKept = 400;

    // A pipe of ours is held open: a line in it asks the program to end, and where the pipe ends, because we were killed, it is killed.
    const string Guard = "exec 3<&0; \"$@\" 3<&- </dev/null & child=$!; "
        + "{ read -r word <&3 && kill -TERM $child; cat <&3; kill -KILL $child; } >/dev/null 2>&1 & watch=$!; "
        + "exec 3<&-; wait $child; code=$?; kill -KILL $watch 2>/dev/null; exit $code";

    readonly Process _process;
    readonly Lock _gate = new();
    readonly Queue<string> _lines = new();

    readonly bool _isGuarded;

    ToolProcess(Process process, bool isGuarded) => (_process, _isGuarded) = (process, isGuarded);

    /// <summary>The last lines that it wrote, to both of its outputs.</summary>
    public IReadOnlyList<string> Lines { get { lock (_gate) return [.. _lines]; } }

    /// <summary>The last of them.</summary>
    public string LastLine => LastOf(Lines);

    /// <summary>The last of some lines, for a message.</summary>
    public static string LastOf(IReadOnlyList<string> lines) => lines is [.., var last] ? last : "it said nothing";

    /// <summary>Its number.</summary>
    public int Id => _process.Id;

    /// <summary>What it writes; where that was asked for.</summary>
    public Stream Output => _process.StandardOutput.BaseStream;

    /// <summary>What it reads; where that was asked for.</summary>
    public Stream Input => _process.StandardInput.BaseStream;

    /// <summary>Whether it has ended.</summary>
    public bool HasEnded => _process.HasExited;

    /// <summary>Starts a program.</summary>
    /// <param name="program">Absolute path.</param>
    /// <param name="arguments">Arguments.</param>
    /// <param name="user">Whom to run it as where we are root; null for ourselves.</param>
    /// <param name="environment">Variables besides.</param>
    /// <param name="isBare">Whether it gets these variables only, none of ours.</param>
    /// <param name="isGuarded">Whether it is killed where we are, and can be asked to end. Its input is empty then.</param>
    /// <param name="isIsolated">Whether it reaches no network and none of the host's sockets; see <see cref="Isolation"/>.</param>
    /// <param name="within">Words to put before it: a program that runs it elsewhere.</param>
    /// <param name="pipes">Whether its input and output are ours to write and read; its output is not kept as lines then.</param>
    /// <exception cref="SourceException">It does not start.</exception>
    public static ToolProcess Start(string program, IReadOnlyList<string> arguments, (uint Uid, uint Gid)? user = null,
        IReadOnlyDictionary<string, string>? environment = null, bool isBare = false, bool isGuarded = false,
        bool isIsolated = false, IReadOnlyList<string>? within = null, ToolPipes pipes = ToolPipes.None)
    {
        List<string> words = [program, .. arguments];
        if (user is { } whose && AccountNames.IsRoot)
            words.InsertRange(0, ["/usr/bin/setpriv", $"--reuid={whose.Uid}", $"--regid={whose.Gid}", "--clear-groups", "--"]);
        words.InsertRange(0, within ?? []);
        if (isIsolated) words.InsertRange(0, Isolation.Words);
        if (isGuarded) words.InsertRange(0, ["/bin/sh", "-c", Guard, "guard"]);
        var start = new ProcessStartInfo(words[0], words.Skip(1))
        {
            RedirectStandardInput = isGuarded || pipes.HasFlag(ToolPipes.Input),
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
        var tool = new ToolProcess(process ?? throw new SourceException("tool.start", $"{words[0]} does not start."), isGuarded);
        process.ErrorDataReceived += tool.Keep;
        if (!pipes.HasFlag(ToolPipes.Output))
        {
            process.OutputDataReceived += tool.Keep;
            process.BeginOutputReadLine();
        }
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

    /// <summary>Asks a guarded program to end, as SIGTERM does.</summary>
    public async Task Ask(CancellationToken ct)
    {
        if (!_isGuarded) throw new InvalidOperationException("Only a guarded program can be asked to end.");
        try
        {
            await Input.WriteAsync("end\n"u8.ToArray(), ct);
            await Input.FlushAsync(ct);
        }
        catch (IOException) when (_process.HasExited) { return; }
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

/// <summary>Which ends of a program's pipes are ours.</summary>
[Flags]
public enum ToolPipes
{
    /// <summary>None.</summary>
    None = 0,
    /// <summary>What it reads.</summary>
    Input = 1,
    /// <summary>What it writes.</summary>
    Output = 2,
}
