using System.Text.Json;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>What people answer while a bundle is executed: typed at its terminal, or put into a folder by
/// <c>backupdr runbook answer</c>. Whoever may write there may execute the bundle too.</summary>
/// <param name="folder">Folder of what is written down.</param>
/// <param name="execution">What is executed.</param>
/// <param name="desk">Takes reports of other hosts.</param>
/// <param name="screen">Shows what becomes of an answer.</param>
/// <param name="clock">The time.</param>
sealed class BundleInbox(string folder, BundleExecution execution, ReportDesk desk, BundleScreen screen, TimeProvider clock)
{
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    /// <summary>Takes what comes, until it is cancelled.</summary>
    public async Task Watch(CancellationToken ct)
    {
        using var timer = new PeriodicTimer(LookEvery, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(ct))
                foreach (var file in Directory.EnumerateFiles(folder, "answer-*.json").Order(StringComparer.Ordinal))
                    await Take(file, ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    async Task Take(string file, CancellationToken ct)
    {
        string problem;
        try
        {
            var answer = JsonSerializer.Deserialize(await File.ReadAllTextAsync(file, ct), BundleJson.Default.BundleAnswer);
            problem = answer is null ? "It is empty." : await Give(answer, ct) ?? "";
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException) { problem = e.Message; }
        await File.WriteAllTextAsync(file + ".taken", problem, ct);
        File.Delete(file);
    }

    /// <summary>Reads what is typed, until the input ends.</summary>
    public async Task Listen(TextReader input, string by, CancellationToken ct)
    {
        try
        {
            while (await input.ReadLineAsync(ct) is { } line)
            {
                if (line.Trim().Length == 0) continue;
                var answer = BundleScreen.Read(line, by, out var problem);
                if (answer is not null) problem = await Give(answer, ct);
                if (problem is not null) screen.Say(problem);
            }
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested) { return; }
    }

    /// <summary>Why it does not fit; null where it was taken.</summary>
    async Task<string?> Give(BundleAnswer answer, CancellationToken ct)
    {
        if (answer.Report is { } report) return desk.Take(report);
        if (answer.Kind == ExecutionEventKind.Reported) return desk.Fail(answer.Step ?? "", $"{answer.Text} ({answer.By})");
        if (answer.Kind == ExecutionEventKind.TimePassed) return "Time passes by itself.";
        var refusal = await execution.Ask(new ExecutionEvent
        {
            Kind = answer.Kind,
            At = default,
            Step = answer.Step,
            Text = answer.Text,
            By = answer.By,
            Second = answer.Second,
        }, ct);
        screen.Say(refusal is null ? $"{answer.By}: {answer.Kind} {answer.Step} {answer.Text}".TrimEnd() : $"{answer.By}: {refusal}");
        return refusal;
    }
}
