using System.Diagnostics;
using BackupDr.Contracts;
using BackupDr.Sources;

namespace BackupDr.Agent.Jobs;

/// <summary>An empty folder of one drill, removed with all that is in it; leftovers of a crash go at the next start.</summary>
/// <remarks>One that lies elsewhere, because a server's user must enter it, is named by a file in the state folder before it is
/// made.</remarks>
sealed class DrillSandbox : IDisposable
{
    /// <summary>Beginning of the name of one that lies elsewhere.</summary>
    public const string Prefix = "backupdr-drill-";
    const string Elsewhere = "elsewhere";

    readonly string _own;

    DrillSandbox(string own, string folder) => (_own, Folder, Space) = (own, folder, new DrillSpace(Path.GetDirectoryName(folder)!));

    public string Folder { get; }
    /// <summary>The room that it has.</summary>
    public DrillSpace Space { get; }

    /// <summary>In the agent's own folder.</summary>
    public static DrillSandbox Make(AgentState state, RunId run)
    {
        var own = Path.Combine(state.SandboxFolder, run.ToString());
        Remove(own);
        MakeFolder(own);
        return new DrillSandbox(own, own);
    }

    /// <summary>In another folder, where a server's user may enter it.</summary>
    /// <exception cref="UnavailableException">It cannot be made.</exception>
    public static DrillSandbox Make(AgentState state, RunId run, FilePath parent)
    {
        var (own, folder) = (Path.Combine(state.SandboxFolder, run.ToString()), Path.Combine(parent.ToString(), Prefix + run));
        Remove(own);
        MakeFolder(own);
        File.WriteAllText(Path.Combine(own, Elsewhere), folder);
        RemoveElsewhere(folder);
        MakeFolder(folder);
        // What lies in it is private, and the server's user has to come to it.
        File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupExecute
            | UnixFileMode.OtherExecute);
        return new DrillSandbox(own, folder);
    }

    public static void RemoveAll(AgentState state)
    {
        if (!Directory.Exists(state.SandboxFolder)) return;
        foreach (var own in Directory.GetDirectories(state.SandboxFolder))
            if (Path.Combine(own, Elsewhere) is var name && File.Exists(name) && File.ReadAllText(name) is var folder
                && Path.GetFileName(folder).StartsWith(Prefix, StringComparison.Ordinal)) RemoveElsewhere(folder);
        Remove(state.SandboxFolder);
        LeftScratch.Remove();
    }

    // A server that outlived its agent works in there.
    static void RemoveElsewhere(string folder)
    {
        foreach (var server in Process.GetProcesses())
        {
            using var one = server;
            try
            {
                if (File.ResolveLinkTarget($"/proc/{one.Id}/cwd", false)?.FullName is not { } works
                    || !$"{works}/".StartsWith($"{folder}/", StringComparison.Ordinal)) continue;
                one.Kill(entireProcessTree: true);
                one.WaitForExit();
            }
            catch (Exception e) when (e is ArgumentException or InvalidOperationException or IOException or UnauthorizedAccessException
                or System.ComponentModel.Win32Exception)
            {
                // it ended meanwhile, or is another user's and no server of ours
            }
        }
        Remove(folder);
    }

    static void MakeFolder(string folder)
    {
        try { Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnavailableException("drill.sandbox",
            $"The sandbox {folder} cannot be made: {e.Message}", "Check space and rights of the folder above it.", e);
        }
    }

    // The base library cannot remove names that are no UTF-8, nor folders without rights; rm can.
    static void Remove(string folder)
    {
        if (!Directory.Exists(folder)) return;
        using var rm = Process.Start(new ProcessStartInfo("rm", ["-rf", "--", folder]))
            ?? throw new UnavailableException("drill.sandbox", "rm does not start.");
        rm.WaitForExit();
        if (rm.ExitCode != 0) throw new UnavailableException("drill.sandbox",
            $"The sandbox {folder} cannot be removed (rm ended with {rm.ExitCode}).", "Remove it by hand; it holds restored data.");
    }

    public void Dispose()
    {
        Remove(Folder);
        Remove(_own);
    }
}
