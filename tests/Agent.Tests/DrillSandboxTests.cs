using System.Diagnostics;
using BackupDr.Agent.Jobs;
using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Agent.Tests;

public sealed class DrillSandboxTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Whatever_was_restored_is_removed_at_the_end_of_a_drill()
    {
        var state = new AgentState(_scratch.At("state"));
        string folder;
        using (var sandbox = DrillSandbox.Make(state, RunId.New(TimeProvider.System)))
        {
            folder = sandbox.Folder;
            OddTree.Make(FilePath.FromText(folder), seed: 1);
            Assert.NotEmpty(Directory.EnumerateFileSystemEntries(folder));
        }

        Assert.False(Directory.Exists(folder));
    }

    [Fact]
    public void What_a_killed_agent_left_behind_is_removed_at_its_next_start()
    {
        var state = new AgentState(_scratch.At("state"));
        var left = DrillSandbox.Make(state, RunId.New(TimeProvider.System));   // never disposed: the agent was killed
        OddTree.Make(FilePath.FromText(left.Folder), seed: 2);

        DrillSandbox.RemoveAll(state);

        Assert.False(Directory.Exists(left.Folder));
    }

    [Fact]
    public async Task A_server_that_outlived_a_killed_agent_is_ended_with_its_folder()
    {
        var state = new AgentState(_scratch.At("state"));
        var left = DrillSandbox.Make(state, RunId.New(TimeProvider.System), FilePath.FromText(_scratch.Folder("elsewhere")));
        using var server = Process.Start(new ProcessStartInfo("sleep", "600") { WorkingDirectory = left.Folder })!;
        using var other = Process.Start(new ProcessStartInfo("sleep", "600") { WorkingDirectory = _scratch.Path })!;

        DrillSandbox.RemoveAll(state);

        await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.False(Directory.Exists(left.Folder));
        Assert.False(other.HasExited);
        other.Kill();
    }
}
