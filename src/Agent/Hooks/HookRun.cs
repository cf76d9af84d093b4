using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Sources.Tools;

namespace BackupDr.Agent.Hooks;

/// <summary>A backup between its hooks.</summary>
/// <remarks>The one after runs once the one before was begun, whatever happened: what was stopped has to be started again. Its failure does
/// not make a good backup a bad one; the result says so.</remarks>
static class HookRun
{
    const int LinesTold = 100, LongestLine = 500;

    /// <summary>Runs the hooks around the work.</summary>
    /// <exception cref="HookException">The hook before failed, and the policy wants the run to fail then.</exception>
    public static async Task<JobResult> Around(HookFolder folder, HooksSpec hooks, RunId run, BackupJob job, RunReporter reporter,
        Func<CancellationToken, Task<JobResult>> work, CancellationToken ct)
    {
        var facts = new Dictionary<string, string>
        {
            ["BACKUPDR_RUN"] = run.ToString(),
            ["BACKUPDR_HOST"] = job.HostName,
            ["BACKUPDR_SOURCE_KIND"] = job.Source.Kind.ToString(),
            ["BACKUPDR_SOURCE"] = job.Source.Title,
        };
        var warnings = new List<string>();
        JobResult result;
        try
        {
            if (hooks.Before is { } before && await Run(folder, before, "before", hooks.Limit, facts, reporter, ct) is { } failure)
            {
                if (hooks.BeforeFailure == HookFailure.FailRun) throw failure;
                warnings.Add(failure.Message);
            }
            result = await work(ct);
        }
        catch (Exception e)
        {
            facts["BACKUPDR_OUTCOME"] = (e is OperationCanceledException ? JobOutcome.Cancelled : JobOutcome.Failed).ToString();
            await After();
            throw;
        }
        facts["BACKUPDR_OUTCOME"] = result.Outcome.ToString();
        if (result.Backup is { } taken) facts["BACKUPDR_SNAPSHOT"] = taken.SnapshotId;
        await After();
        return warnings.Count == 0 || result.Backup is not { } backup ? result
            : result with { Backup = backup with { Warnings = [.. backup.Warnings ?? [], .. warnings] } };

        // Not cancelled with the run: what was stopped has to be started again.
        async Task After()
        {
            if (hooks.After is { } after
                && await Run(folder, after, "after", hooks.Limit, facts, reporter, CancellationToken.None) is { } failure)
            {
                reporter.Event(EventLevel.Warning, failure.Code, failure.Message);
                warnings.Add(failure.Message);
            }
        }
    }

    /// <summary>Runs one to its end; null where it succeeded.</summary>
    static async Task<HookException?> Run(HookFolder folder, string name, string when, TimeSpan limit, Dictionary<string, string> facts,
        RunReporter reporter, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(limit);
        try
        {
            // Nothing of the agent's own variables: keys of stores may be among them.
            await using var tool = ToolProcess.Start(folder.Find(name), [], environment: new Dictionary<string, string>(facts)
            {
                ["BACKUPDR_HOOK"] = when,
                ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            }, isBare: true);
            reporter.Event(EventLevel.Info, "hook.begin", $"Hook {when} the backup: {name}.");
            int? exit = null;
            try { exit = await tool.End(late.Token); }
            catch (OperationCanceledException) when (!ct.IsCancellationRequested) { exit = null; }   // its time is over
            Tell(name, tool.Lines, reporter);
            return exit switch
            {
                0 => null,
                null => new HookException("hook.late", $"The hook {name} {when} the backup did not end within {limit} and was stopped."),
                _ => new HookException("hook.failed", $"The hook {name} {when} the backup ended with exit code {exit}.",
                    "The run's log has what it wrote."),
            };
        }
        catch (HookException e) { return e; }
        catch (Sources.SourceException e) { return new HookException("hook.failed", $"The hook {name} {when} the backup: {e.Message}"); }
    }

    static void Tell(string name, IReadOnlyList<string> lines, RunReporter reporter)
    {
        foreach (var line in lines.TakeLast(LinesTold))
            reporter.Event(EventLevel.Info, "hook.output", $"{name}: {(line.Length > LongestLine ? line[..LongestLine] + "…" : line)}");
    }
}
