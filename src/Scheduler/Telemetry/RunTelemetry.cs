using System.Diagnostics;
using System.Diagnostics.Metrics;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Telemetry;

/// <summary>What is told of a run when it has ended: a span from its first lease to its end, and its duration. Costs nothing where nobody
/// listens.</summary>
/// <remarks>The number of the trace is that of the run, so that whoever has the one finds the other.</remarks>
static class RunTelemetry
{
    /// <summary>Name of the source of spans and of the meter.</summary>
    public const string Name = "BackupDr";

    static readonly ActivitySource Source = new(Name);
    static readonly Meter Meter = new(Name);
    static readonly Histogram<double> Duration = Meter.CreateHistogram<double>("backupdr.run.duration", "s",
        "From the first lease of a run to its end.");

    /// <summary>Tells it. Called once the end is stored.</summary>
    /// <param name="run">What it was.</param>
    /// <param name="state">How it ended.</param>
    /// <param name="error">Code of what failed; null for nothing.</param>
    public static void Ended(EndedRun run, RunState state, string? error)
    {
        if (run.StartedAt is not { } started || run.EndedAt is not { } ended) return;
        Duration.Record((ended - started).TotalSeconds, new("kind", run.Kind.ToString()), new("state", state.ToString()));
        using var span = Source.StartActivity(ActivityKind.Internal, Parent(run.Id), Tags(run, state, error), startTime: started,
            name: $"run {run.Kind}");
        if (span is null) return;
        if (state == RunState.Failed) span.SetStatus(ActivityStatusCode.Error, error);
        span.SetEndTime(ended.UtcDateTime);
    }

    static ActivityContext Parent(RunId run)
    {
        Span<byte> id = stackalloc byte[16];
        run.Value.TryWriteBytes(id, bigEndian: true, out _);
        return new ActivityContext(ActivityTraceId.CreateFromBytes(id), ActivitySpanId.CreateFromBytes(id[8..]),
            ActivityTraceFlags.Recorded, isRemote: true);
    }

    static IEnumerable<KeyValuePair<string, object?>> Tags(EndedRun run, RunState state, string? error)
    {
        yield return new("backupdr.run.id", run.Id.ToString());
        yield return new("backupdr.run.kind", run.Kind.ToString());
        yield return new("backupdr.run.state", state.ToString());
        yield return new("backupdr.run.epoch", run.Epoch);
        yield return new("backupdr.host.id", run.Host.ToString());
        yield return new("backupdr.repository.id", run.Repository.ToString());
        if (run.Item is { } item) yield return new("backupdr.item.id", item.ToString());
        if (run.Policy is { } policy) yield return new("backupdr.policy.id", policy.ToString());
        if (error is not null) yield return new("backupdr.run.error", error);
    }
}
