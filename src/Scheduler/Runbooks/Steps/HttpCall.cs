using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Calls an address and compares the answer.</summary>
/// <remarks>A POST or PATCH is sent once for an attempt, whoever carries it out: that it goes out is noted before. A node that takes over
/// and finds the note cannot know what came of it, and says so.</remarks>
public sealed class HttpCall(IStepSecrets secrets, IStepNotes notes, TimeProvider clock) : IStepExecutor
{
    static readonly TimeSpan Margin = TimeSpan.FromMilliseconds(200), Least = TimeSpan.FromMilliseconds(500);
    readonly HttpCaller _caller = new(secrets);

    /// <inheritdoc/>
    public StepKind Kind => StepKind.Http;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
    {
        var problems = new List<RunbookProblem>();
        if (StepChecks.Problem(work.Step) is not null) return problems;   // told on saving, or variables are missing still
        var (http, at) = (work.Step.Http!, $"steps.{work.Step.Name}.http");
        await StepChecks.Secret(secrets, http.BearerSecret, $"{at}.bearerSecret", problems, ct);
        await StepChecks.Secret(secrets, http.Undo?.BearerSecret, $"{at}.undo.bearerSecret", problems, ct);
        await StepChecks.Secret(secrets, http.Rehearsal?.BearerSecret, $"{at}.rehearsal.bearerSecret", problems, ct);
        return problems;
    }

    /// <inheritdoc/>
    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (StepChecks.Problem(work.Step) is { } problem) return problem;
        var http = work.Step.Http!;
        if (StepChecks.IsLookOnly(work, http.Rehearsal is not null))
            return StepResult.Done($"Not called: it would be {http.Method} {Shown(http)}.");
        if (work.Activity is StepActivity.CleanUp || StepChecks.WasNotDone(work, http.Rehearsal is not null))
            return StepResult.Done("There is nothing to clean up.");
        if (work.Activity == StepActivity.Compensate && http.Undo is null)
            return HttpCaller.IsSafe(http) ? StepResult.Done("The call changed nothing.")
                : StepResult.Failed("The step says no call that undoes it (http.undo). Undo it by hand if that is needed.");
        HttpCallSpec call = work.Activity == StepActivity.Compensate ? http.Undo!
            : work.Mode == ExecutionMode.Rehearsal ? http.Rehearsal! : http;
        return await Send(call, work, http.IsRepeatable, ct);
    }

    async Task<StepResult> Send(HttpCallSpec call, StepWork work, bool isRepeatable, CancellationToken ct)
    {
        // PUT and DELETE mean the same twice as once (RFC 9110 §9.2.2).
        if (call.Method is "POST" or "PATCH" && !isRepeatable)
        {
            var kept = await notes.Keep(work, new Dictionary<string, string> { ["called"] = Shown(call) }, ct);
            if (!kept.IsFirst)
            {
                return StepResult.Unknown($"{call.Method} {Shown(call)} was about to be sent by a node that went away; what came of it, "
                    + "nobody knows. Look there, then say that it was done, or try it again.");
            }
        }
        var left = work.Until - work.Now(clock) - Margin;
        var answer = await _caller.Call(call, work.IdempotencyKey, left > Least ? left : Least, ct);
        var outputs = new Dictionary<string, string>();
        if (answer.Status is { } status) outputs["status"] = status.ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (answer.Digest is { } digest) outputs["sha256"] = digest;
        if (answer.Found is { } found) outputs["found"] = found;
        return new StepResult(answer.Outcome, $"{call.Method}: {answer.Text}", outputs);
    }

    static string Shown(HttpCallSpec call) => new Uri(call.Url) is var url ? $"{url.Scheme}://{url.Authority}{url.AbsolutePath}" : "";
}
