using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Lets the agent of a host run a program of its folder for runbooks, start and stop a service, or promote and ask a database.
/// </summary>
/// <remarks>The agent begins each activity once, by its key, and notes it before: whoever asks again learns how far it is. What a rehearsal
/// has no host of its own for is only looked at. A fence is a program or the stop of a service, at the side that must take no writes any
/// more: where its host does not answer, nothing is proven, and the step fails when its time is over.</remarks>
public sealed class HostStepExecutor(StepKind kind, IHostReach hosts, TimeProvider clock) : IStepExecutor
{
    static readonly TimeSpan AskAgain = TimeSpan.FromSeconds(1);
    const string WasActive = "wasActive";
    const int LinesTold = 20;

    /// <inheritdoc/>
    public StepKind Kind => kind;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
    {
        var at = $"steps.{work.Step.Name}";
        try
        {
            var report = await Ask(work, HostStepWish.Look, StepActivity.Execute, ct);
            return report.State == HostStepState.Done ? [] : [new RunbookProblem(at, report.Text, "See what the host says about it.")];
        }
        catch (BackupDrException e) { return [new RunbookProblem(at, e.Message, e.Hint ?? "Try again.")]; }
    }

    /// <inheritdoc/>
    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        // A sandbox is to end whether the step has a program for that or not.
        if (work.Activity is StepActivity.Compensate or StepActivity.CleanUp && !IsSandboxed(work))
        {
            if (HostOf(work) is null) return StepResult.Done("It was only looked at, so there is nothing to undo.");
            if (work.Step.Service is not null && work.Step.Kind != StepKind.ServiceRestart && !work.Outputs.ContainsKey(WasActive))
                return StepResult.Failed("Nobody knows whether the service was active before. Look at it, and start or stop it by hand.");
            if (Wanted(work, work.Activity) is (null, null, null)) return StepResult.Done("There is nothing to undo.");
        }
        var isLook = work.Activity == StepActivity.Simulate || HostOf(work) is null;
        try
        {
            return isLook ? Looked(await Ask(work, HostStepWish.Look, StepActivity.Execute, ct)) : await Await(work, ct);
        }
        catch (OperationCanceledException) when (!isLook)
        {
            await Cancel(work);
            throw;
        }
        catch (ConflictException e) { return StepResult.Failed($"{e.Message} {e.Hint}".TrimEnd()); }
        catch (NotFoundException e) { return StepResult.Failed($"{e.Message} {e.Hint}".TrimEnd()); }
        catch (UnavailableException e) { return StepResult.Failed(e.Message); }   // of a look: nothing was begun
    }

    /// <summary>Asks until it is over. An agent that does not answer may be at work, and so may one whose answer could not be stored: only
    /// the end of the step's time ends the asking.</summary>
    async Task<StepResult> Await(StepWork work, CancellationToken ct)
    {
        while (true)
        {
            try
            {
                var report = await Ask(work, HostStepWish.Run, work.Activity, ct);
                if (report.State != HostStepState.Running) return Result(work, report);
            }
            catch (Exception e) when (e is UnavailableException || Outage.Is(e))
            {
                ct.ThrowIfCancellationRequested();   // else it may be at work all the same: it is asked again
            }
            await Task.Delay(AskAgain, clock, ct);
        }
    }

    /// <summary>Ends the activity on the host, if it still can be and nobody wants it any more. Where this node only gives it up, because
    /// it stops or another one has it, the host goes on, and the other node asks it.</summary>
    async Task Cancel(StepWork work)
    {
        using var late = new CancellationTokenSource(AgentProtocol.RequestTimeout, clock);
        try
        {
            if (!await hosts.IsWanted(work, late.Token)) await Ask(work, HostStepWish.Cancel, work.Activity, late.Token);
        }
        // The agent ends it by its own clock.
        catch (Exception e) when (e is BackupDrException or OperationCanceledException || Outage.Is(e)) { return; }
    }

    async Task<HostStepReport> Ask(StepWork work, HostStepWish wish, StepActivity activity, CancellationToken ct)
    {
        var (script, service, database) = Wanted(work, activity);
        var left = work.Until - work.Now(clock);
        var isSandboxed = wish != HostStepWish.Look && IsSandboxed(work);
        return await hosts.Ask(HostOf(work) ?? Named(work.Step), new HostStep
        {
            Key = work.IdempotencyKey,
            Wish = wish,
            Timeout = left > TimeSpan.FromSeconds(1) ? left : TimeSpan.FromSeconds(1),
            Script = isSandboxed ? null : script,
            Sandbox = isSandboxed ? new HostSandbox(work.Execution, work.Step.Name, script, work.Step.Script!.RehearsalReaches,
                work.Step.Script.WithoutSandbox == WithoutSandbox.Simulate, activity == StepActivity.CleanUp) : null,
            Service = service,
            Database = database,
            Standby = work.Step.Reprotect is { } reprotect && activity is StepActivity.Execute or StepActivity.Simulate
                ? new HostStandby(reprotect.Cluster, reprotect.From, reprotect.Way, reprotect.IsLossSeen) : null,
        }, ct);
    }

    /// <summary>The host that does it; null where a rehearsal has none of its own.</summary>
    static string? HostOf(StepWork work) => work.Mode == ExecutionMode.Rehearsal
        ? work.Step.Script?.RehearsalHost ?? work.Step.Service?.RehearsalHost ?? Database(work.Step)?.RehearsalHost : Named(work.Step);

    /// <summary>A program of a rehearsal works where nothing of production can be reached.</summary>
    static bool IsSandboxed(StepWork work) => work is { Mode: ExecutionMode.Rehearsal, Step.Script.RehearsalHost: not null };

    static string Named(StepSpec step) => step.Script?.Host ?? step.Service?.Host ?? Database(step)?.Host ?? step.Reprotect?.Host ?? "";

    static DatabaseStepSpec? Database(StepSpec step) => step.Promote ?? step.Assert;

    static (HostScript?, HostUnit?, HostDatabase?) Wanted(StepWork work, StepActivity activity)
    {
        if (work.Step.Reprotect is not null) return default;
        if (work.Step.Service is { } service)
            return (null, Verb(work, activity) is { } verb ? new HostUnit(service.Unit, verb) : null, null);
        if (Database(work.Step) is { } database)
        {
            if (activity is StepActivity.Compensate or StepActivity.CleanUp) return default;
            var cluster = work.Mode == ExecutionMode.Rehearsal ? database.RehearsalCluster ?? database.Cluster : database.Cluster;
            return (null, null, new HostDatabase(cluster, work.Step.Promote is null ? DatabaseVerb.Ask : DatabaseVerb.Promote,
                database.Query, database.MaxAge, database.IsLossless));
        }
        var script = work.Step.Script!;
        var program = activity switch
        {
            StepActivity.Compensate => script.Undo,
            StepActivity.CleanUp => script.CleanUp ?? script.Undo,
            _ => script.Run,
        };
        return (program is null ? null : new HostScript(program.Name, program.Arguments, program.Sha256, program.User), null, null);
    }

    /// <summary>What is done to the service; to undo it, what brings back how it was. Null for nothing.</summary>
    static ServiceVerb? Verb(StepWork work, StepActivity activity)
    {
        var isUndoing = activity is StepActivity.Compensate or StepActivity.CleanUp;
        var wasActive = work.Outputs.TryGetValue(WasActive, out var text) && text == "true";
        return (work.Step.Kind, isUndoing) switch
        {
            (StepKind.ServiceStart, false) => ServiceVerb.Start,
            (StepKind.ServiceStop or StepKind.Fence, false) => ServiceVerb.Stop,
            (StepKind.ServiceRestart, false) => ServiceVerb.Restart,
            (StepKind.ServiceStart, true) => wasActive ? null : ServiceVerb.Stop,
            (StepKind.ServiceStop or StepKind.Fence, true) => wasActive ? ServiceVerb.Start : null,
            _ => null,
        };
    }

    static StepResult Looked(HostStepReport report) => report.State == HostStepState.Done ? StepResult.Done($"Looked only: {report.Text}")
        : StepResult.Failed(report.Text);

    static StepResult Result(StepWork work, HostStepReport report)
    {
        var lines = string.Join('\n', report.Lines);
        var outputs = new Dictionary<string, string>(work.Outputs)
        {
        };
        if (report.Lines.Count > 0)
        {
            outputs["output.sha256"] = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(lines)));
            outputs["output"] = string.Join('\n', report.Lines.TakeLast(LinesTold));
        }
        foreach (var (name, fact) in report.Facts) outputs[name] = fact;
        if (report.ExitCode is { } exit) outputs["exitCode"] = exit.ToString(CultureInfo.InvariantCulture);
        if (report.WasActive is { } was && work.Activity == StepActivity.Execute) outputs[WasActive] = was ? "true" : "false";
        return new StepResult(report.State switch
        {
            HostStepState.Done => ActivityOutcome.Succeeded,
            HostStepState.Failed => ActivityOutcome.Failed,
            _ => ActivityOutcome.Unknown,
        }, report.Text, outputs);
    }
}
