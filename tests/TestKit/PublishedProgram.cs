using Xunit;

namespace BackupDr.TestKit;

/// <summary>The program that people run: published and compiled ahead of time, so that the tests' many starts are quick.</summary>
/// <remarks>
/// The tests do not build it, so it may be older than the sources; then they fail instead of testing yesterday's program. To test another
/// one, such as a debug build, name it in <c>BACKUPDR_TEST_PROGRAM</c>.
/// </remarks>
public static class PublishedProgram
{
    const string Override = "BACKUPDR_TEST_PROGRAM";

    // Looked for once; what is wrong is said to every test that asks.
    static readonly Lazy<string> Found = new(Find);

    /// <summary>Absolute path of <c>backupdr</c>; the other programs lie beside it.</summary>
    /// <exception cref="Xunit.Sdk.FailException">It is not there, or was made of other sources.</exception>
    public static string Path => Found.Value;

    static string Find()
    {
        if (Environment.GetEnvironmentVariable(Override) is { Length: > 0 } other) return System.IO.Path.GetFullPath(other);
        var (root, artifacts) = (Service.Checkout(), System.IO.Path.Combine(Service.Checkout(), "artifacts"));
        var (program, stamp) = (System.IO.Path.Combine(artifacts, "app", "backupdr"), System.IO.Path.Combine(artifacts, ".stamp-app"));
        // build/publish leaves the stamp of the sources that it published, and nothing where it failed.
        if (!File.Exists(program) || !File.Exists(stamp)) Assert.Fail($"{program} has not been published: run build/publish. {Otherwise}");
        var sources = Tool.Succeed(System.IO.Path.Combine(root, "build", "stamp"));
        if (File.ReadAllText(stamp).Trim() != sources.Trim())
            Assert.Fail($"{program} is older than the sources: run build/publish. {Otherwise}");
        return program;
    }

    const string Otherwise = $"{Override} may name another program to test, such as artifacts/bin/Cli/debug/backupdr.";
}
