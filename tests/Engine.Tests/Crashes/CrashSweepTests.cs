using System.Collections.Concurrent;
using BackupDr.TestKit;
using BackupDr.TestKit.Crashes;

namespace BackupDr.Engine.Tests.Crashes;

/// <summary>Operations whose process is killed with SIGKILL at named points, each in a process of its own.</summary>
/// <remarks>After each: the repository is whole, nothing that was reported is lost, and the operation succeeds when it is simply run
/// again.</remarks>
public sealed class CrashSweepTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    public static TheoryData<string> Operations => [.. CrashOperation.All.Select(operation => operation.Name)];

    [Theory, MemberData(nameof(Operations)), Clause("F-8.1")]
    public async Task Killed_at_any_point_nothing_is_lost_and_running_it_again_succeeds(string name)
    {
        var operation = CrashOperation.All.Single(candidate => candidate.Name == name);
        var wanted = Nightly.Or(65, 1_000) / CrashOperation.All.Count;
        var seed = Environment.TickCount;
        var scene = await CrashScene.Make(_scratch, seed);
        var points = Choose(await CrashProcess.Passed(operation, scene.Copy(_scratch.At("uninterrupted"))), wanted, new Random(seed));
        var missed = new ConcurrentBag<CrashPoint>();

        await Parallel.ForEachAsync(points.Index(), new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (next, _) =>
        {
            try { if (!await Survives(operation, scene, next.Item, next.Index)) missed.Add(next.Item); }
            catch (Exception e) { throw new InvalidOperationException($"Seed {seed}, {name} killed at {next.Item}", e); }
        });

        // Which worker comes to a step first is chance, so a late point may not be reached for once.
        Assert.True(missed.Count * 10 <= wanted, $"seed {seed}: not reached: {string.Join(", ", missed)}");
    }

    [Fact, Clause("F-9.5")]
    public async Task A_killed_backup_keeps_no_prune_waiting()
    {
        var template = await CrashScene.Make(_scratch, 1);
        var scene = template.Copy(_scratch.At("killed"));
        Assert.True(CrashProcess.Run(CrashOperation.All.Single(one => one.Name == "backup"), scene, "put data:after:1"));
        Assert.Single(Directory.GetFiles(Path.Combine(scene.Repository, "locks")));

        // The operation itself asserts that everything was removed and nobody is waited for.
        await CrashOperation.All.Single(one => one.Name == "prune").Run(scene, new CrashTrigger(null));

        Assert.Empty(Directory.GetFiles(Path.Combine(scene.Repository, "locks")));
        await scene.Prove(alsoByStock: true);
    }

    /// <summary>One point; false where the process ended by itself before it came there.</summary>
    async Task<bool> Survives(CrashOperation operation, CrashScene template, CrashPoint at, int number)
    {
        var scene = template.Copy(_scratch.At($"own-{number}"));
        var isKilled = CrashProcess.Run(operation, scene, at.ToString());
        await scene.Prove(alsoByStock: number % 5 == 0);
        await operation.Run(scene, new CrashTrigger(null));
        await scene.Prove(alsoByStock: number % 5 == 1);
        Tool.Succeed("rm", "-rf", scene.Own);
        return isKilled;
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
}
