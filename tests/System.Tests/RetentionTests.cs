using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>The published service forgets, and its agent is killed while it removes.</summary>
public sealed class RetentionTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_agent_that_is_killed_while_it_gives_back_space_leaves_a_whole_repository_and_the_run_goes_on()
    {
        await using var service = new Service();
        var folder = service.Folder("source");
        Fill(folder);
        service.Start("--protect", folder);
        var outcome = await service.Outcome();   // the first point is proven, so it never goes
        using var api = service.Api();
        using var http = service.Http();
        var item = Assert.Single(await api.Items(_ct));
        await Keep(http, item, new RetentionSpec
        {
            KeepHourly = 0,
            KeepDaily = 0,
            KeepMonthly = 0,
            KeepLast = 1,
            Floor = 1,
            Trash = RetentionSpec.ShortestTrash,
            Anomaly = new AnomalySpec { IsOn = false },
        });
        for (var number = 0; number < 3; number++)
        {
            Fill(folder);
            var run = Assert.Single((await api.RunPolicy(item.Policy, _ct)).Runs);
            await service.Until(async () => (await api.Run(run, _ct)).State == RunState.Complete, "a backup is complete");
        }
        var before = service.Packs();

        await service.Pass(TimeSpan.FromDays(2));   // retention looks
        await service.Until(async () => (await Points(http, item)).Count(point => point.TrashUntil is not null) == 2,
            "two are in the trash");
        await service.Pass(TimeSpan.FromDays(10));   // the 7 days that the policy had count once more
        var prune = await Kill(service, http, JobKind.Prune);

        await service.Until(async () => (await api.Run(prune, _ct)).FinishedAt is not null, "the prune ends");
        var pruned = await api.Run(prune, _ct);
        Assert.Equal((RunState.Complete, 2), (pruned.State, pruned.Epoch));
        var points = await Points(http, item);
        Assert.Equal([false, true, true, false], points.Select(point => point.ForgottenAt is not null));
        service.Restic(outcome).Check();
        // A check that was at work beside it may still count on what it marked: then the next one removes it.
        if (pruned.Result!.Prune!.WaitingPacks > 0) await service.Pass(TimeSpan.FromDays(11));
        await service.Until(() => Task.FromResult(service.Packs() < before), "packs are gone");
        Assert.Equal(2, service.Restic(outcome).Snapshots().Count);
        var drill = (await api.Drill(points[0].Id, _ct)).Run;
        await service.Until(async () => (await api.Run(drill, _ct)).FinishedAt is not null, "the drill ends");
        Assert.Equal(ProofResult.Proven, (await api.Run(drill, _ct)).Result!.Drill!.Result);
        Assert.Equal(0, await service.Stop());
    }

    static void Fill(string folder)
    {
        for (var number = 0; number < 6; number++)
            File.WriteAllBytes(Path.Combine(folder, $"file-{number}"), RandomNumberGenerator.GetBytes(4 << 20));
    }

    /// <summary>Kills the agent as soon as it works on a run of a kind.</summary>
    async Task<RunId> Kill(Service service, HttpClient http, JobKind kind)
    {
        Run? run = null;
        await service.Until(async () => (run = (await Runs(http, kind)).FirstOrDefault(one => one.State is RunState.Leased
            or RunState.Running)) is not null, $"a {kind} is under way");
        service.KillAgent();
        return run!.Id;
    }

    // The days that pass here are to bring no backups of their own.
    static readonly ScheduleSpec Never = new() { Cron = "0 0 29 2 *" };

    async Task Keep(HttpClient http, Item item, RetentionSpec keep)
    {
        var policy = (await Get(http, $"policies/{item.Policy}", WireJson.Default.Policy))!;
        using var answer = await http.PutAsJsonAsync($"policies/{policy.Id}", new EditPolicyRequest(policy.Id, policy.Name,
            policy.Spec with { Retention = keep, Schedule = Never }), WireJson.Default.EditPolicyRequest, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
    }

    Task<IReadOnlyList<RecoveryPoint>> Points(HttpClient http, Item item)
        => Get(http, $"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint);

    async Task<IReadOnlyList<Run>> Runs(HttpClient http, JobKind kind)
        => (await Get(http, $"runs?kind={kind}", WireJson.Default.RunPage)).Runs;

    async Task<T> Get<T>(HttpClient http, string path, JsonTypeInfo<T> shape) => (await http.GetFromJsonAsync(path, shape, _ct))!;
}
