using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>A policy that keeps the newest point alone: node and agent forget the base backups before it, and with them the log that no
/// point needs.</summary>
static class LogRemoval
{
    const int FilesOfASnapshot = 16;

    /// <summary>Lets all of it happen. Afterwards the database's clock of the service is ahead.</summary>
    /// <param name="service">The service.</param>
    /// <param name="item">An item whose log is received.</param>
    /// <param name="restic">Stock restic on its repository.</param>
    /// <param name="tag">What snapshots of the log are tagged with.</param>
    /// <param name="rotate">Ends a file of the log and begins the next.</param>
    public static async Task Run(Service service, Item item, ResticCli restic, string tag, Func<Task> rotate)
    {
        var ct = TestContext.Current.CancellationToken;
        using var api = service.Api();
        using var http = service.Http();
        var old = Logs();
        for (var file = 0; file <= FilesOfASnapshot; file++) await rotate();
        await service.Until(() => Task.FromResult(Logs().Except(old).Any()), "log is published");
        var run = Assert.Single((await api.RunPolicy(item.Policy, ct)).Runs);
        await service.Until(async () => (await api.Run(run, ct)).FinishedAt is not null, "a base backup behind that log is taken");
        var points = await Points(http, item, ct);
        Assert.True(points.Count >= 2, $"{points.Count} points");
        await Drill(service, api, points[0], ct);   // the last proven one never goes
        var before = Logs();
        await Keep(http, item, ct);
        await service.Pass(TimeSpan.FromDays(2));   // retention looks
        await service.Until(async () => (await Points(http, item, ct)).Count(point => point.TrashUntil is not null) >= points.Count - 1,
            "all but the newest are in the trash");
        await service.Pass(TimeSpan.FromDays(10));   // the 7 days that the policy had count once more
        await service.Until(async () => (await Points(http, item, ct)).Count(point => point.ForgottenAt is not null) >= points.Count - 1,
            "they are forgotten");

        await service.Until(() => Task.FromResult(before.Except(Logs()).Any()), "the log that no point needs is removed");
        await Drill(service, api, (await Points(http, item, ct)).First(point => point.ForgottenAt is null), ct);

        List<string> Logs() => [.. restic.Snapshots().Where(snapshot => snapshot.TryGetProperty("tags", out var tags)
            && tags.EnumerateArray().Any(one => one.GetString() == tag)).Select(snapshot => snapshot.GetProperty("id").GetString()!)];
    }

    static async Task Keep(HttpClient http, Item item, CancellationToken ct)
    {
        var policy = (await http.GetFromJsonAsync($"policies/{item.Policy}", WireJson.Default.Policy, ct))!;
        using var answer = await http.PutAsJsonAsync($"policies/{policy.Id}", new EditPolicyRequest(policy.Id, policy.Name,
            policy.Spec with
            {
                Retention = new RetentionSpec
                {
                    KeepHourly = 0,
                    KeepDaily = 0,
                    KeepMonthly = 0,
                    KeepLast = 1,
                    Floor = 1,
                    Trash = RetentionSpec.ShortestTrash,
                    Anomaly = new AnomalySpec { IsOn = false },
                },
            }, policy.Name), WireJson.Default.EditPolicyRequest, ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(ct));
    }

    static async Task Drill(Service service, ApiClient api, RecoveryPoint point, CancellationToken ct)
    {
        var drill = (await api.Drill(point.Id, ct)).Run;
        await service.Until(async () => (await api.Run(drill, ct)).FinishedAt is not null, "the drill ends");
        var result = (await api.Run(drill, ct)).Result!.Drill!;
        Assert.True(result.Result == ProofResult.Proven, result.Reason);
    }

    static async Task<IReadOnlyList<RecoveryPoint>> Points(HttpClient http, Item item, CancellationToken ct)
        => (await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint, ct))!;
}
