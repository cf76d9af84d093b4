using BackupDr.Contracts;

namespace BackupDr.Agent.Jobs;

/// <summary>An empty folder of one drill, removed with all that is in it; leftovers of a crash go at the next start.</summary>
sealed class DrillSandbox : IDisposable
{
    DrillSandbox(string folder) => Folder = folder;

    public string Folder { get; }

    public static DrillSandbox Make(AgentState state, RunId run)
    {
        var folder = Path.Combine(state.SandboxFolder, run.ToString());
        Remove(folder);
        try { Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnavailableException("drill.sandbox",
            $"The sandbox {folder} cannot be made: {e.Message}", "Check space and rights of the agent's state folder.", e);
        }
        return new DrillSandbox(folder);
    }

    public static void RemoveAll(AgentState state) => Remove(state.SandboxFolder);

    // The base library cannot remove names that are no UTF-8, nor folders without rights; rm can.
    static void Remove(string folder)
    {
        if (!Directory.Exists(folder)) return;
        using var rm = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("rm", ["-rf", "--", folder]))
            ?? throw new UnavailableException("drill.sandbox", "rm does not start.");
        rm.WaitForExit();
        if (rm.ExitCode != 0) throw new UnavailableException("drill.sandbox",
            $"The sandbox {folder} cannot be removed (rm ended with {rm.ExitCode}).", "Remove it by hand; it holds restored data.");
    }

    public void Dispose() => Remove(Folder);
}
