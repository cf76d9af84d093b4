using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Web.Parts;

namespace BackupDr.Web.Runs;

/// <summary>How far a step of a run is.</summary>
public enum StepState { Done, Now, Later, Bad }

/// <summary>A step of a run in words.</summary>
public sealed record Step(string Word, string? Remark, StepState State);

/// <summary>Tells a run in words: its result in one line, its steps, and how long it will still take.</summary>
public static class RunStory
{
    /// <summary>One line for lists.</summary>
    public static string Result(Run run) => run.Result switch
    {
        { Error: { } error } => error.Message,
        { Backup: { MissingCount: > 0 } b }
            => $"{Words.Count(b.MissingCount, "entry", "entries")} missing, {Words.Size(b.BytesAdded)} added",
        { Backup: { } b } => $"{Words.Count(b.Files, "file")}, {Words.Size(b.Bytes)}, {Words.Size(b.BytesAdded)} added",
        { Restore.Look: { } look } => $"{Words.Count(look.TableCount, "table")} seen",
        { Restore.Part: { } part } => $"{Words.Count(part.Tables.Count, "table")}, "
            + $"{Words.Count(part.Tables.Sum(table => table.Rows), "row")}",
        { Restore: { ProblemCount: > 0 } r } => $"{Words.Count(r.Files, "file")}, {Words.Count(r.ProblemCount, "problem")}",
        { Restore: { } r } => $"{Words.Count(r.Files, "file")}, {Words.Size(r.Bytes)} restored",
        { Drill: { Result: ProofResult.Proven, Checks: { Count: > 0 } checks } } => $"{Words.Count(checks.Count, "check")} passed",
        { Drill: { Result: ProofResult.Proven } d } => $"{Words.Count(d.FilesCompared, "file")} compared, all equal",
        { Drill: { } d } => d.Reason ?? d.Result.ToString(),
        { Check: { Errors.Count: > 0 } c } => Words.Count(c.Errors.Count, "error"),
        { Check: { } c } => $"{Words.Count(c.Packs, "pack")}, no error",
        { Tier: { } t } => Moved(t),
        { Forget: { } f } => $"{Words.Count(f.Gone.Count, "snapshot")} removed",
        { Prune: { } p } => Freed(p),
        { Adopt: { ProblemCount: > 0 } a } => $"{Words.Count(a.SnapshotCount, "snapshot")}, {a.ProblemCount} cannot be read",
        { Adopt: { } a } => Words.Count(a.SnapshotCount, "snapshot"),
        { ConfigId: not null } => "repository made",
        _ => run.CancelAsked && run.FinishedAt is null ? "asked to stop" : "",
    };

    /// <summary>What a prune gave back, in one line.</summary>
    public static string Freed(PruneResult prune) => $"{Words.Size(prune.RemovedBytes)} given back"
        + (prune.WaitingPacks > 0 ? $", {Words.Count(prune.WaitingPacks, "pack")} marked" : "")
        + (prune.LockedFirst is { } first ? $", locked space returns from {first.UtcDateTime:yyyy-MM-dd} on" : "");

    /// <summary>What was moved between classes, in one line.</summary>
    public static string Moved(TierResult tier) => tier.Places.Sum(place => place.Moved) is > 0 and var packs
        ? $"{Words.Count(packs, "pack")}, {Words.Size(tier.Places.Sum(place => place.MovedBytes))} moved to "
            + string.Join(" and ", tier.Places.Select(place => place.Class).Distinct())
        : "nothing was due";

    /// <summary>A price that somebody typed; null where it is none.</summary>
    public static double? Price(string? text)
        => double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var price) && double.IsFinite(price)
            ? price : null;

    /// <summary>Which packs stay in their class, and why.</summary>
    public static string Left(TieredPlaceResult place)
    {
        (int Packs, string Why)[] reasons =
        [
            (place.There, "there already"), (place.Young, "too young"), (place.Early, "before the least days of their class"),
            (place.Archived, "in an archive"), (place.WithFolders, "with folders"),
        ];
        return string.Join(", ", reasons.Where(one => one.Packs > 0).Select(one => $"{Words.Number(one.Packs)} {one.Why}"))
            is { Length: > 0 } words ? words : "none";
    }

    /// <summary>Time left by this run's own rate so far; null while it cannot be told.</summary>
    public static TimeSpan? Left(Run run, DateTimeOffset now)
    {
        if (run is not
            {
                State: RunState.Running, StartedAt: { } start, Progress:
                {
                    BytesTotal: { } total, BytesDone: > 0 and var done
                }
            } || done >= total) return null;
        var spent = now - start;
        return spent < TimeSpan.FromSeconds(3) ? null : spent * ((double)(total - done) / done);
    }

    /// <summary>Bytes a second so far; null while it cannot be told.</summary>
    public static double? Rate(Run run, DateTimeOffset now)
        => run is { StartedAt: { } start, Progress.BytesDone: > 0 and var done } && (run.FinishedAt ?? now) - start is
        {
            TotalSeconds: > 1
        } spent
            ? done / spent.TotalSeconds : null;

    /// <summary>While it runs, its phases tell what is restored: a server is started in a cluster, files are compared.</summary>
    static (string Phase, string Word)[] DrillSteps(Run run) => run switch
    {
        { Progress.Phase: "recovering" or "checking" } =>
            [("restoring", "Restore into a folder of its own"), ("recovering", "Start a server in it"), ("checking", "Look through it")],
        { Result.Drill.Checks: not null } =>
            [("restoring", "Restore into a folder of its own"), ("comparing", "Open it and look through it")],
        { Progress.Phase: "comparing" } or { Result.Drill: not null } =>
            [("restoring", "Restore into a folder of its own"), ("comparing", "Compare each file with the snapshot")],
        _ => [("restoring", "Restore into a folder of its own"), ("proving", "Look through what came back")],
    };

    /// <summary>The steps of the run's kind, each with how far it is.</summary>
    public static IReadOnlyList<Step> Steps(Run run)
    {
        (string Phase, string Word)[] work = run.Kind switch
        {
            JobKind.Backup => [("scanning", "Look through the folders"), ("uploading", "Read, compress, encrypt, store")],
            JobKind.Restore when run.Looks > 0 => [("thawing", "Wait for the thaw"), ("restoring", "Write the files")],
            JobKind.Restore when run.Result?.Restore is { Look: not null } => [("restoring", "Put a copy up and look into it")],
            JobKind.Restore when run.Result?.Restore is { Part: not null } => [("restoring", "Put a copy up and take the tables out")],
            JobKind.Restore => [("restoring", "Write the files")],
            JobKind.Drill => DrillSteps(run),
            JobKind.Check => [("checking", "Check the repository")],
            JobKind.Replicate => [("replicating", "Copy what places lack")],
            JobKind.Tier => [("moving", "Move packs into their class")],
            JobKind.Forget => [("forgetting", "Remove the snapshots")],
            JobKind.Prune =>
            [
                ("looking at snapshots", "See what snapshots need"), ("repacking", "Copy the needed parts of mostly unused packs"),
                ("removing packs", "Remove packs that nobody counts on any more"),
            ],
            JobKind.Adopt => [("looking", "Read index, snapshots and their first folders")],
            _ => [("init", "Make the repository")],
        };
        var end = run.Kind switch
        {
            JobKind.Backup => "Record the recovery point",
            JobKind.Drill => "Record the proof",
            JobKind.Adopt => "Record the recovery points",
            JobKind.Forget => "Record what is gone",
            _ => "Record the result",
        };
        if (run is { FinishedAt: not null, Result.Drill.Steps: { Count: > 0 } told })
            return [new Step("Wait for the agent", null, StepState.Done), .. told.Select(step => new Step(step.Name,
                step.Detail ?? Words.Duration(step.EndedAt - step.StartedAt), step.Passed ? StepState.Done : StepState.Bad)),
                new Step(end, null, StepState.Done)];
        var over = run.FinishedAt is not null;
        var bad = run.State is RunState.Failed or RunState.Cancelled;
        var waits = run.State == RunState.Queued && run.Looks == 0;   // for its agent
        var at = waits ? -1 : Math.Max(0, Array.FindIndex(work, w => w.Phase == run.Progress?.Phase));
        var steps = new List<Step> { new("Wait for the agent", waits ? run.WaitsFor : null, Of(waits ? 0 : 1, 0)) };
        for (var i = 0; i < work.Length; i++)
        {
            var state = over && !bad ? StepState.Done
                : over ? i < at ? StepState.Done : i == at ? StepState.Bad : StepState.Later
                : i < at ? StepState.Done : i == at ? StepState.Now : StepState.Later;
            steps.Add(new Step(work[i].Word, null, state));
        }
        steps.Add(new Step(end, null, !over ? StepState.Later : bad ? StepState.Later : StepState.Done));
        return steps;

        StepState Of(int now, int mine) => over && bad && run.StartedAt is null ? StepState.Bad : now > mine ? StepState.Done
            : StepState.Now;
    }
}
