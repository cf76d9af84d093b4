using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks.Bundles;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>Orders for other hosts, which a person carries there, and the reports that come back, signed with the bundle's key.</summary>
/// <param name="key">The bundle's key.</param>
/// <param name="folder">Where orders are put.</param>
/// <param name="tell">Shows words to the person.</param>
sealed class ReportDesk(ECDsa key, string folder, Action<string> tell)
{
    readonly ConcurrentDictionary<string, (BundleOrder Order, TaskCompletionSource<HostStepReport> Report)> _waiting
        = new(StringComparer.Ordinal);

    /// <summary>Gives out an order, and waits for its report.</summary>
    public async Task<HostStepReport> Wait(BundleOrder order, CancellationToken ct)
    {
        var entry = _waiting.GetOrAdd(order.Step.Key, _ => (order, new(TaskCreationOptions.RunContinuationsAsynchronously)));
        var file = Path.Combine(folder, $"order-{StepOf(order.Step.Key)}");
        await File.WriteAllTextAsync(file, Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(order,
            BundleJson.Default.BundleOrder)), ct);
        tell($"""
            The step '{StepOf(order.Step.Key)}' is for the host {order.Name}. Bring the bundle and the file
              {file}
            there, run as root
              backupdr runbook step --bundle BUNDLE --order FILE
            and type what it prints here, behind the word 'report'. Or: fail {StepOf(order.Step.Key)} WHY
            """);
        try { return await entry.Report.Task.WaitAsync(ct); }
        finally { _waiting.TryRemove(order.Step.Key, out _); }
    }

    /// <summary>Nobody waits for it any more.</summary>
    public void Forget(string step) => _waiting.TryRemove(step, out _);

    /// <summary>A person says that no report will come.</summary>
    /// <returns>Why not; null where it was taken.</returns>
    public string? Fail(string step, string words)
    {
        var found = _waiting.Values.FirstOrDefault(one => StepOf(one.Order.Step.Key) == step);
        if (found.Report is null) return $"Nothing is waited for from another host for '{step}'.";
        found.Report.TrySetResult(new HostStepReport { State = HostStepState.Failed, Text = $"No report came: {words}" });
        return null;
    }

    /// <summary>Takes a report.</summary>
    /// <returns>Why not; null where it was taken.</returns>
    public string? Take(string text)
    {
        try
        {
            var report = JsonSerializer.Deserialize(Convert.FromBase64String(text.Trim()), BundleJson.Default.BundleReport);
            if (report is null || !EvidenceSignature.Fits(key, report.Hash, Convert.FromBase64String(report.Signature)))
                return "The report is not signed with this bundle's key, or a character of it was altered: copy it again.";
            if (!_waiting.TryGetValue(report.Key, out var waiting) || waiting.Order.Name != report.Host)
                return $"Nobody waits for this report, of {report.Key} on {report.Host}.";
            var told = JsonSerializer.Deserialize(report.Report, BundleJson.Default.HostStepReport);
            waiting.Report.TrySetResult(told! with { Text = $"{told.Text} (Reported by {report.Host}, and carried over by hand.)" });
            return null;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return "This is no report, or it was not copied whole.";
        }
    }

    /// <summary>The step of an activity's key: execution/step/attempt.</summary>
    static string StepOf(string activity) => activity.Split('/') is [_, var step, ..] ? step : activity;
}
