using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>Secrets that a bundle brought along.</summary>
sealed class BundleStepSecrets(BundleSecrets secrets) : IStepSecrets
{
    public Task<Secret?> Find(string name, CancellationToken ct)
        => Task.FromResult(secrets.Secrets.TryGetValue(name, out var value) ? Secret.FromText(value) : null);
}

/// <summary>Notes of steps in the journal.</summary>
sealed class BundleStepNotes : IStepNotes
{
    readonly Lock _one = new();
    readonly JournalWriter? _journal;
    readonly List<BundleNote> _notes;

    /// <param name="journal">Where they are kept; null where only a look is taken.</param>
    /// <param name="before">Those that are there already.</param>
    public BundleStepNotes(JournalWriter? journal, IEnumerable<BundleNote> before) => (_journal, _notes) = (journal, [.. before]);

    public Task<KeptNotes> Keep(StepWork work, IReadOnlyDictionary<string, string> notes, CancellationToken ct)
    {
        lock (_one)
        {
            if (_notes.Find(note => note.Step == work.Step.Name && note.Attempt == work.Attempt) is { } kept)
                return Task.FromResult(new KeptNotes(false, kept.Notes));
            var note = new BundleNote(work.Step.Name, work.Attempt, notes);
            _journal?.Add(BundleJournal.Note, note, BundleJson.Default.BundleNote);
            _notes.Add(note);
            return Task.FromResult(new KeptNotes(true, notes));
        }
    }

    public Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> All(StepWork work, CancellationToken ct)
    {
        lock (_one)
            return Task.FromResult<IReadOnlyList<IReadOnlyDictionary<string, string>>>([.. _notes
                .Where(note => note.Step == work.Step.Name).OrderBy(note => note.Attempt).Select(note => note.Notes)]);
    }
}

/// <summary>Tells whoever executes the bundle: channels are the nodes' business, and there is none.</summary>
sealed class BundleNotify(Action<string> tell) : IStepExecutor
{
    public StepKind Kind => StepKind.Notify;

    public Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
        => Task.FromResult<IReadOnlyList<RunbookProblem>>([]);

    public Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (work.Activity is StepActivity.Execute)
            tell($"Tell people yourself: {work.Step.Notify?.Subject} {work.Step.Notify?.Text}".TrimEnd());
        return Task.FromResult(StepResult.Done("Nobody was told by a channel: there was no node. Whoever executed it was "
            + "shown the words."));
    }
}

/// <summary>Restores that the agent's program of this machine carries out, beside the original.</summary>
sealed class BundleRestoreStep(StepKind kind, BundleSecrets secrets, LocalHosts hosts, TimeProvider clock) : IStepExecutor
{
    static readonly TimeSpan Lease = TimeSpan.FromDays(7);

    public StepKind Kind => kind;

    public Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct) => Task.FromResult(Problems(work));

    IReadOnlyList<RunbookProblem> Problems(StepWork work) =>
        Of(work) is not { } restore ? [new($"steps.{work.Step.Name}.restore", "The bundle brings nothing for it.", "Make a newer bundle.")]
        : hosts.IsHere(restore.Host) ? []
        : [new($"steps.{work.Step.Name}.restore", Elsewhere(restore), "It waits for a person then.")];

    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (work.Activity is StepActivity.Compensate or StepActivity.CleanUp)
            return StepResult.Done(work.Outputs.TryGetValue("target", out var made)
                ? $"Nothing was replaced, so nothing is undone: the copy stays at {made}." : "Nothing was restored.");
        if (Of(work) is not { } restore) return StepResult.Failed("The bundle brings nothing for this restore. Do it by hand.");
        if (work.Activity == StepActivity.Simulate || work.Mode == ExecutionMode.Rehearsal)
            return StepResult.Done($"Not restored: a bundle rehearses no restore. It would restore {restore.Item} on {restore.Host.Name}.");
        if (!hosts.IsHere(restore.Host)) return StepResult.Failed(Elsewhere(restore));
        var job = restore.Job.Restore!;
        var target = work.Step.Restore!.Target ?? Beside(job.Target, clock.GetUtcNow());
        try
        {
            var answer = await hosts.Here(new LocalWork
            {
                Host = restore.Host.Id,
                Restore = new LeasedRun(RunId.New(clock), 1, (int)Lease.TotalMilliseconds,
                    restore.Job with { Restore = job with { Target = target } }),
                NewestTag = NewestTag(work.Step.Restore),
            }, ct);
            return Result(restore, answer, target);
        }
        catch (BackupDrException e) when (e is not UnavailableException) { return StepResult.Failed($"{e.Message} {e.Hint}".TrimEnd()); }
        catch (UnavailableException e) { return StepResult.Failed(e.Message); }
    }

    /// <summary>The tag of the snapshots of which the newest is restored, whatever is restored; null for the point in the bundle.</summary>
    internal static string? NewestTag(RestoreStep step) => step.Point == RestoreWhich.NewestProven ? null
        : $"{RecoveryPoints.RecoveryPointTable.ItemTag}{step.Item}";

    BundleRestore? Of(StepWork work) => secrets.Restores.FirstOrDefault(restore => restore.Step == work.Step.Name);

    static string Elsewhere(BundleRestore restore) => $"It restores {restore.Item} on {restore.Host.Name}, and this is another machine. "
        + "Restore it there, with the recovery kit or with this bundle, and say that it was done by hand.";

    /// <summary>A new folder for each try: what a try that died left is not gone on with.</summary>
    static FilePath Beside(FilePath path, DateTimeOffset now) => FilePath.FromText(string.Create(CultureInfo.InvariantCulture,
        $"{path.ToString().TrimEnd('/')}.restored-{now.UtcDateTime:yyyyMMdd-HHmmss}"));

    static StepResult Result(BundleRestore restore, LocalAnswer answer, FilePath target)
    {
        var outputs = new Dictionary<string, string>
        {
            ["host"] = restore.Host.Name,
            ["target"] = target.ToString(),
        };
        if (answer.Snapshot is { } snapshot) outputs["snapshot"] = snapshot;
        if (answer.TakenAt is { } at) outputs["takenAt"] = at.UtcDateTime.ToString("O", CultureInfo.InvariantCulture);
        if (answer.Snapshot == restore.Job.Restore!.SnapshotId) outputs["point"] = restore.Point.ToString();
        return answer.Result?.Outcome == JobOutcome.Complete
            ? StepResult.Done($"Restored {restore.Item} to {target} on {restore.Host.Name}.", outputs)
            : StepResult.Failed($"The restore of {restore.Item} ended {answer.Result?.Outcome.ToString() ?? "without a word"}: "
                + $"{answer.Result?.Error?.Message ?? "some files were not restored"}", outputs);
    }
}
