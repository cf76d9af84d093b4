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
    /// <summary>Lets all of it happen. Afterwards the database's clock of the service is ahead.</summary>
    /// <param name="service">The service.</param>
    /// <param name="api">Its API.</param>
    /// <param name="http">The same.</param>
    /// <param name="item">An item with at least two points, and with log before the newest.</param>
    public static async Task Run(Service service, ApiClient api, HttpClient http, Item item)
    {
        var ct = TestContext.Current.CancellationToken;
        var points = await Points(http, item, ct);
        Assert.True(points.Count >= 2, $"{points.Count} points");
        await Drill(service, api, points[0], ct);   // the last proven one never goes
        var before = (await Log(http, item, ct)).Stretches.Count;
        await Keep(http, item, ct);
        await service.Pass(TimeSpan.FromDays(2));   // retention looks
        await service.Until(async () => (await Points(http, item, ct)).Count(point => point.TrashUntil is not null) >= points.Count - 1,
            "all but the newest are in the trash");
        await service.Pass(TimeSpan.FromDays(10));   // the 7 days that the policy had count once more
        await service.Until(async () => (await Points(http, item, ct)).Count(point => point.ForgottenAt is not null) >= points.Count - 1,
            "they are forgotten");

        var forgets = (await http.GetFromJsonAsync($"runs?kind={JobKind.Forget}", WireJson.Default.RunPage, ct))!.Runs;
        Assert.True(forgets.Sum(run => run.Result?.Forget?.LogsRemoved ?? 0) > 0, "no log was removed");
        Assert.True((await Log(http, item, ct)).Stretches.Count < before, "what can be restored is shown as before");
        await Drill(service, api, (await Points(http, item, ct)).First(point => point.ForgottenAt is null), ct);
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

    static async Task<ItemLog> Log(HttpClient http, Item item, CancellationToken ct)
        => (await http.GetFromJsonAsync($"items/{item.Id}/log", WireJson.Default.ItemLog, ct))!;
}
