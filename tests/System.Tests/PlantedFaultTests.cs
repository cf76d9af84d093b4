using System.Net.Http.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>Something is broken on purpose; within one cycle the item says what, and somebody is told.</summary>
public sealed partial class PlantedFaultTests
{
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_pack_that_is_gone_and_a_password_that_no_longer_opens_make_the_item_failed()
    {
        await using var service = new Service();
        var noise = new byte[300_000];
        new Random(1).NextBytes(noise);
        File.WriteAllBytes(Path.Combine(service.Folder("source"), "noise"), noise);
        service.Start("--protect", service.At("source"));
        var outcome = await service.Outcome();
        using var api = service.Api();
        using var http = service.Http();
        var proven = Assert.Single(await api.Items(_ct));
        Assert.Equal(ItemState.Proven, proven.State);
        var pack = Directory.GetFiles(Path.Combine(outcome.GetProperty("repository").GetString()!, "data"), "*",
            SearchOption.AllDirectories).MaxBy(file => new FileInfo(file).Length)!;

        File.Delete(pack);
        await Post(http, $"repositories/{proven.Repository}/check");
        await service.Until(async () => await Reason(http, proven) is (ItemState.Failed, var reason) && reason.Contains(
            $"pack {Path.GetFileName(pack)}: it is in the index, but not in the store", StringComparison.Ordinal), "the damage is told");
        await service.Until(async () => await IsTold(http, AlertKind.DrillFailed, Path.GetFileName(pack)), "an alert tells the damage");
        var checks = Assert.Single((await http.GetFromJsonAsync("repositories", WireJson.Default.IReadOnlyListRepositorySummary, _ct))!)
            .Check!;
        Assert.Contains(checks.Damage!.Errors, error => error.StartsWith("restic 0.", StringComparison.Ordinal));

        var other = service.At("other");
        File.WriteAllText(other, "another password\n");
        service.Restic(outcome).Succeed("key", "passwd", "--new-password-file", other);
        await Post(http, $"repositories/{proven.Repository}/check");
        await service.Until(async () => await Reason(http, proven) is (ItemState.Failed, var reason)
            && reason.Contains("Wrong password", StringComparison.Ordinal), "the wrong password is told");
        Assert.Equal(0, await service.Stop());
    }

    static string[] Copies(string scratch) => Directory.GetDirectories(scratch, "backupdr-drill-*");

    static List<string> ServersBelow(string folder) => [.. Directory.EnumerateDirectories("/proc")
        .Where(process => int.TryParse(Path.GetFileName(process), out _)).Select(CommandLine)
        .Where(words => words.Contains(folder + "/backupdr-drill-", StringComparison.Ordinal))];

    static string CommandLine(string process)
    {
        try { return File.ReadAllText(Path.Combine(process, "cmdline")); }
        catch (IOException) { return ""; }   // it ended meanwhile
    }

    async Task<bool> IsTold(HttpClient http, AlertKind kind, string words)
        => (await http.GetFromJsonAsync("alerts", WireJson.Default.IReadOnlyListAlert, _ct))!.Any(alert => alert.Kind == kind
            && $"{alert.Title} {alert.Effect}".Contains(words, StringComparison.Ordinal));

    async Task Post(HttpClient http, string path)
    {
        using var answer = await http.PostAsync(path, null, _ct);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(_ct));
    }

    async Task<(ItemState State, string Reason)> Reason(HttpClient http, Item item)
    {
        var now = (await http.GetFromJsonAsync($"items/{item.Id}", WireJson.Default.Item, _ct))!;
        return (now.State, now.StateReason);
    }

    async Task<IReadOnlyList<RecoveryPoint>> Points(HttpClient http, Item item)
        => (await http.GetFromJsonAsync($"points?item={item.Id}", WireJson.Default.IReadOnlyListRecoveryPoint, _ct))!;
}
