using System.Globalization;
using BackupDr.TestKit;
using BackupDr.TestKit.Crashes;

namespace BackupDr.Engine.Tests.Crashes;

/// <summary>One operation in a process of its own, which dies at a crash point.</summary>
public static class CrashProcess
{
    /// <summary>The argument with which the program of these tests is such a process.</summary>
    public const string Word = "crash-process";

    const int KilledExitCode = 128 + 9;
    const string Prefix = "BACKUPDR_CRASH_";
    static volatile bool _isCut;

    /// <summary>Runs an operation up to its crash; false where it ended by itself before it came there.</summary>
    /// <param name="operation">What is run.</param>
    /// <param name="scene">On what.</param>
    /// <param name="at">A crash point; empty for none.</param>
    /// <param name="cutAfterMicroseconds">Where given, the disk's power is cut this long after the point, and the process dies with
    /// it.</param>
    internal static bool Run(CrashOperation operation, CrashScene scene, string at, int? cutAfterMicroseconds = null)
    {
        var ended = Tool.Run(Environment.ProcessPath!, [Word],
            new Dictionary<string, string>
            {
                [Prefix + "OPERATION"] = operation.Name,
                [Prefix + "ROOT"] = scene.Root,
                [Prefix + "OWN"] = scene.Own,
                [Prefix + "DISK"] = scene.Disk,
                [Prefix + "AT"] = at,
                [Prefix + "CUT"] = cutAfterMicroseconds?.ToString(CultureInfo.InvariantCulture) ?? "",
            });
        Assert.True(ended.ExitCode is 0 or KilledExitCode, ended.Output + ended.Errors);
        return ended.ExitCode == KilledExitCode;
    }

    /// <summary>Runs an operation to its end; gives the points on its way.</summary>
    internal static async Task<IReadOnlyList<CrashPoint>> Passed(CrashOperation operation, CrashScene scene)
    {
        Assert.False(Run(operation, scene, ""));
        return [.. (await File.ReadAllLinesAsync(scene.Passed)).Select(CrashPoint.Parse)];
    }

    /// <summary>What the process runs.</summary>
    public static async Task Inside()
    {
        var (at, cut, disk) = (Given("AT"), Given("CUT"), Given("DISK"));
        var trigger = new CrashTrigger(at.Length == 0 ? null : CrashPoint.Parse(at),
            cut.Length == 0 ? null : () => CutLater(disk, TimeSpan.FromMicroseconds(int.Parse(cut, CultureInfo.InvariantCulture))));
        var scene = new CrashScene(Given("ROOT"), Given("OWN"), disk);

        try { await CrashOperation.All.Single(operation => operation.Name == Given("OPERATION")).Run(scene, trigger); }
        // The power is off, and a call that fails in the moment before the process dies with it is no other end.
        catch (Exception) when (_isCut) { await Task.Delay(Timeout.InfiniteTimeSpan); }

        Assert.NotEmpty(trigger.Passed);
        await File.WriteAllLinesAsync(scene.Passed, trigger.Passed.Select(point => point.ToString()));
    }

    static string Given(string name) => Environment.GetEnvironmentVariable(Prefix + name)
        ?? throw new InvalidOperationException("This process is started by a test.");

    // The work goes on meanwhile, so that the cut falls between any two system calls, not only between two calls of the store.
    static void CutLater(string disk, TimeSpan wait) => new Thread(() =>
    {
        Thread.Sleep(wait);
        _isCut = true;
        PowerCut.At(disk);
        CrashTrigger.Kill();
    }).Start();
}
