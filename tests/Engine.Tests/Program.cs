using BackupDr.Engine.Tests.Crashes;
using Xunit.MicrosoftTestingPlatform;
using Xunit.Runner.InProc.SystemConsole;

namespace BackupDr.Engine.Tests;

/// <summary>Runs the tests; or what a test starts as a process of its own, some eighty times a run: looking for tests would take longer
/// than that does.</summary>
static class Program
{
    static async Task<int> Main(string[] words)
    {
        if (words is [CrashProcess.Word])
        {
            await CrashProcess.Inside();
            return 0;
        }
        // As xUnit's own entry point, which stands aside where there is another.
        return words.Contains("--server") || words.Contains("--internal-msbuild-node")
            ? await TestPlatformTestFramework.RunAsync(words, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : await ConsoleRunner.Run(words);
    }
}
