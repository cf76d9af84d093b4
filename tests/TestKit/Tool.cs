using System.Diagnostics;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>How a program ended and what it wrote.</summary>
public sealed record ToolResult(int ExitCode, string Output, string Errors);

/// <summary>Starts programs for tests.</summary>
public static class Tool
{
    /// <summary>Runs a program to its end; killed when its time is over, which is two minutes where nothing is said.</summary>
    public static ToolResult Run(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, TimeSpan? patience = null)
    {
        var limit = patience ?? TimeSpan.FromMinutes(2);
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>()) start.Environment[key] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} did not end within {limit}.");
        }
        return new ToolResult(process.ExitCode, output.GetAwaiter().GetResult(), errors.GetAwaiter().GetResult());
    }

    /// <summary>Runs a program that must succeed.</summary>
    public static string Succeed(string program, params IEnumerable<string> arguments)
    {
        var result = Run(program, arguments);
        Assert.True(result.ExitCode == 0, $"{program} ended with {result.ExitCode}: {result.Output}{result.Errors}");
        return result.Output;
    }

    /// <summary>Skips the test where a program is missing and names the package; fails where CI is set.</summary>
    public static void Need(string program, string debianPackage)
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, program)));
        if (found) return;
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail($"{program} is missing: install the package {debianPackage}.");
        Assert.Skip($"{program} is missing: install the package {debianPackage}.");
    }
}
