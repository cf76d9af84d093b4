using BackupDr.TestKit;

namespace BackupDr.Storage.Tests;

/// <summary>Runs one explicit test of this assembly in a process of its own under strace, which can make system calls fail.</summary>
static class Traced
{
    /// <summary>The folder that the outer test gives to the inner one.</summary>
    public static string Folder => Environment.GetEnvironmentVariable("BACKUPDR_TRACED_FOLDER")
        ?? throw new InvalidOperationException("This test is started by another one.");

    /// <param name="test">The inner test's class.</param>
    /// <param name="method">The inner test.</param>
    /// <param name="folder">Given to it.</param>
    /// <param name="strace">Options: what is traced or injected.</param>
    public static ToolResult Run(Type test, string method, string folder, params IEnumerable<string> strace)
    {
        Tool.Need("strace", "strace");
        string[] inner = [Environment.ProcessPath!, "-method", $"{test.FullName}.{method}", "-explicit", "only", "-noColor"];
        return Tool.Run("strace", ["-f", "-qq", "-o", Path.Combine(folder, "trace"), .. strace, .. inner],
            new Dictionary<string, string> { ["BACKUPDR_TRACED_FOLDER"] = folder });
    }

    /// <summary>What strace wrote.</summary>
    public static string[] Trace(string folder) => File.ReadAllLines(Path.Combine(folder, "trace"));
}
