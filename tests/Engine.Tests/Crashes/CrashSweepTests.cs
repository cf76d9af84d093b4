using System.Collections.Concurrent;
using BackupDr.TestKit;
using BackupDr.TestKit.Crashes;

namespace BackupDr.Engine.Tests.Crashes;

/// <summary>Operations whose process is killed with SIGKILL at named points, each in a process of its own.</summary>
/// <remarks>After each: the repository is whole, nothing that was reported is lost, and the operation succeeds when it is simply run
/// again.</remarks>
public sealed class CrashSweepTests : IDisposable
{
    const int KilledExitCode = 128 + 9;
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    public static TheoryData<string> Operations => [.. CrashOperation.All.Select(operation => operation.Name)];

    [Theory, MemberData(nameof(Operations)), Clause("F-8.1")]
    public async Task Killed_at_any_point_nothing_is_lost_and_running_it_again_succeeds(string name)
    {
        var operation = CrashOperation.All.Single(candidate => candidate.Name == name);
        var wanted = Nightly.Or(64, 1_000) / CrashOperation.All.Count;
        var seed = Environment.TickCount;
        var scene = await CrashScene.Make(_scratch, seed);
        var points = Choose(await Passed(operation, scene), wanted, new Random(seed));
        var missed = new ConcurrentBag<CrashPoint>();

        await Parallel.ForEachAsync(points.Index(), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (next, _) =>
        {
            try { if (!await Survives(operation, scene, next.Item, next.Index)) missed.Add(next.Item); }
            catch (Exception e) { throw new InvalidOperationException($"Seed {seed}, {name} killed at {next.Item}", e); }
        });

        // Which worker comes to a step first is chance, so a late point may not be reached for once.
        Assert.True(missed.Count * 10 <= wanted, $"seed {seed}: not reached: {string.Join(", ", missed)}");
    }

    /// <summary>Started by the sweep in a process of its own.</summary>
    [Fact(Explicit = true)]
    public async Task Run_one_operation_up_to_its_crash()
    {
        var variables = new[] { "OPERATION", "ROOT", "OWN", "AT" }.Select(v => Environment.GetEnvironmentVariable($"BACKUPDR_CRASH_{v}")!);
        var (name, root, own, at) = variables.ToArray() is [var a, var b, var c, var d] ? (a, b, c, d) : default;
        var trigger = new CrashTrigger(at.Length == 0 ? null : CrashPoint.Parse(at));
        var scene = new CrashScene(root, own);

        await CrashOperation.All.Single(operation => operation.Name == name).Run(scene, trigger);

        Assert.NotEmpty(trigger.Passed);
        await File.WriteAllLinesAsync(scene.Passed, trigger.Passed.Select(point => point.ToString()));
    }

    /// <summary>One point; false where the process ended by itself before it came there.</summary>
    async Task<bool> Survives(CrashOperation operation, CrashScene template, CrashPoint at, int number)
    {
        var scene = template.Copy(_scratch.At($"own-{number}"));
        var ended = Start(operation, scene, at.ToString());
        Assert.True(ended.ExitCode is 0 or KilledExitCode, ended.Output + ended.Errors);
        await scene.Prove(alsoByStock: number % 5 == 0);
        await operation.Run(scene, new CrashTrigger(null));
        await scene.Prove(alsoByStock: number % 5 == 1);
        Tool.Succeed("rm", "-rf", scene.Own);
        return ended.ExitCode == KilledExitCode;
    }

    async Task<IReadOnlyList<CrashPoint>> Passed(CrashOperation operation, CrashScene template)
    {
        var scene = template.Copy(_scratch.At("uninterrupted"));
        var ended = Start(operation, scene, "");
        Assert.True(ended.ExitCode == 0, ended.Output + ended.Errors);
        return [.. (await File.ReadAllLinesAsync(scene.Passed)).Select(CrashPoint.Parse)];
    }

    /// <summary>Of each step the first, then one more of each as chance has it, and so on; again where more are wanted than there
    /// are.</summary>
    static IEnumerable<CrashPoint> Choose(IReadOnlyList<CrashPoint> passed, int count, Random random)
    {
        var all = passed.ToArray();
        random.Shuffle(all);
        var ordered = all.GroupBy(point => (point.Step, point.IsAfter))
            .SelectMany(step => step.OrderBy(point => point.Number != 1).Index()).OrderBy(rank => rank.Index).Select(rank => rank.Item)
            .ToList();
        return Enumerable.Range(0, count).Select(i => ordered[i % ordered.Count]);
    }

    static ToolResult Start(CrashOperation operation, CrashScene scene, string at) => Tool.Run(Environment.ProcessPath!,
        ["-method", $"{typeof(CrashSweepTests).FullName}.{nameof(Run_one_operation_up_to_its_crash)}", "-explicit", "only", "-noColor"],
        new Dictionary<string, string>
        {
            ["BACKUPDR_CRASH_OPERATION"] = operation.Name,
            ["BACKUPDR_CRASH_ROOT"] = scene.Root,
            ["BACKUPDR_CRASH_OWN"] = scene.Own,
            ["BACKUPDR_CRASH_AT"] = at,
        });
}
