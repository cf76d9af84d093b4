using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using BackupDr.Agent.Clusters;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.Sources;
using BackupDr.Sources.Tools;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Steps;

/// <summary>Carries out what runbooks want of this host: each activity once, however often it is asked for.</summary>
/// <param name="journal">What was begun.</param>
/// <param name="allowed">What this host allows.</param>
/// <param name="clock">The time.</param>
/// <param name="systemctl">The program that talks to the service manager.</param>
public sealed class StepRunner(StepJournal journal, AllowedSteps allowed, TimeProvider clock, string systemctl = "systemctl")
    : IAsyncDisposable
{
    /// <summary>How long an answer waits for the end, so that a short activity needs one question only.</summary>
    static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(8);
    /// <summary>How long a question to the service manager may take.</summary>
    static readonly TimeSpan LookWithin = TimeSpan.FromSeconds(10);
    const int LinesTold = 100, LongestLine = 500;

    readonly ConcurrentDictionary<string, Work> _running = new(StringComparer.Ordinal);
    readonly Lock _beginning = new();
    readonly StepSandboxes _sandboxes = new(clock);

    sealed record Work(Task<HostStepReport> Task, CancellationTokenSource Stop);

    /// <summary>Begins the activity where it was not begun, and tells how far it is.</summary>
    /// <exception cref="StepRefusedException">This host does not let runbooks do that; nothing was done.</exception>
    /// <exception cref="BadInputException">The step cannot be understood.</exception>
    public async Task<HostStepReport> Answer(HostStep step, CancellationToken ct)
    {
        Check(step);
        switch (step.Wish)
        {
            case HostStepWish.Look:
                return await Look(step, ct);
            case HostStepWish.Cancel:
                if (_running.TryGetValue(step.Key, out var begun)) await begun.Stop.CancelAsync();
                break;
        }
        if (Begun(step) is not { } work) return Known(step);
        try { return await work.WaitAsync(AnswerWithin, clock, ct); }
        catch (TimeoutException) { return new HostStepReport { State = HostStepState.Running, Text = "It is at work." }; }
    }

    /// <summary>The work, begun now or before; null where it is over, or was never begun and is not wanted.</summary>
    Task<HostStepReport>? Begun(HostStep step)
    {
        lock (_beginning)
        {
            if (_running.TryGetValue(step.Key, out var before)) return before.Task;
            if (step.Wish == HostStepWish.Cancel || journal.Find(step.Key) is not null) return null;
            Prepare(step);
            journal.Begin(step.Key);
            var stop = new CancellationTokenSource(step.Timeout, clock);
            var work = new Work(Task.Run(() => Run(step, stop), CancellationToken.None), stop);
            _running[step.Key] = work;
            return work.Task;
        }
    }

    HostStepReport Known(HostStep step) => journal.Find(step.Key) switch
    {
        null => new HostStepReport { State = HostStepState.Failed, Text = "It was never begun on this host." },
        { Report: { } report } => report,
        _ => new HostStepReport { State = HostStepState.Unknown, Text = "The agent ended while it was at work." },
    };

    async Task<HostStepReport> Run(HostStep step, CancellationTokenSource stop)
    {
        HostStepReport report;
        try
        {
            report = step switch
            {
                { Service: { } service } => await Serve(service, stop.Token),
                { Database: { } database } => await DatabaseStep.Run(database, step.Timeout, clock, stop.Token),
                { Standby: { } standby } => await StandbyOf(standby).Run(stop.Token),
                { Sandbox: { } sandbox } => await _sandboxes.Run(sandbox,
                    (script, within) => Execute(script, stop.Token, within), stop.Token),
                _ => await Execute(step.Script!, stop.Token),
            };
        }
        catch (OperationCanceledException)
        {
            report = new HostStepReport
            {
                State = HostStepState.Unknown,
                Text = "It did not end in its time, or was cancelled, and was stopped.",
            };
        }
        catch (BackupDrException e)
        {
            report = new HostStepReport { State = HostStepState.Failed, Text = $"{e.Message} {e.Hint}".TrimEnd() };
        }
        // Whatever broke: an execution waits for this report, and would wait until the step's time is over.
        catch (Exception e) { report = Broken(step, e); }
        try
        {
            journal.End(step.Key, report);
            _running.TryRemove(step.Key, out _);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PosixException)
        {
            // It stays in memory, so that it is told as long as this agent lives; the next one will say that nobody knows.
            report = report with { Text = $"{report.Text} It could not be noted on the host: {e.Message}" };
        }
        return report;
    }

    /// <summary>A service is as it was wanted or not, and a database that was asked is as before; of a program, a promotion and a standby
    /// nobody knows how far it came.</summary>
    static HostStepReport Broken(HostStep step, Exception e) => new()
    {
        State = step is { Service: not null } or { Database.Verb: DatabaseVerb.Ask } ? HostStepState.Failed : HostStepState.Unknown,
        Text = $"It broke on the host: {e.GetType().Name}: {e.Message}",
    };

    async Task<HostStepReport> Execute(HostScript script, CancellationToken ct, IReadOnlyList<string>? within = null)
    {
        await using var tool = ToolProcess.Start(allowed.Script(script.Name), script.Arguments, Account(script.User),
            new Dictionary<string, string> { ["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }, isBare: true,
            isGuarded: true, within: within);
        var exit = await tool.End(ct);
        var lines = Told(tool.Lines);
        return new HostStepReport
        {
            State = exit == 0 ? HostStepState.Done : HostStepState.Failed,
            Text = exit == 0 ? $"{script.Name} ended well."
                : $"{script.Name} ended with exit code {exit}: {ToolProcess.LastOf(lines)}",
            ExitCode = exit,
            Lines = lines,
        };
    }

    async Task<HostStepReport> Serve(HostUnit service, CancellationToken ct)
    {
        var before = await IsActive(service.Unit, ct);
        var (exit, lines) = await Systemctl([service.Verb.ToString().ToLowerInvariant(), "--", service.Unit], ct);
        var after = await IsActive(service.Unit, ct);
        var isAsWanted = after == (service.Verb != ServiceVerb.Stop);
        var asBefore = before == after && service.Verb != ServiceVerb.Restart ? ", as before" : "";
        var text = exit != 0 ? $"systemctl ended with {exit}: {ToolProcess.LastOf(lines)}"
            : $"{service.Unit} is {(after ? "active" : "not active")}{asBefore}.";
        return new HostStepReport
        {
            State = exit == 0 && isAsWanted ? HostStepState.Done : HostStepState.Failed,
            Text = text,
            ExitCode = exit,
            Lines = Told(lines),
            WasActive = before,
        };
    }

    async Task<bool> IsActive(string unit, CancellationToken ct)
        => (await Systemctl(["is-active", "--quiet", "--", unit], ct)).Exit == 0;

    async Task<(int Exit, IReadOnlyList<string> Lines)> Systemctl(IReadOnlyList<string> arguments, CancellationToken ct)
    {
        try { return await ToolProcess.Run(systemctl, arguments, null, ct); }
        catch (SourceException e)
        {
            throw new StepRefusedException("step.no_systemd", e.Message, "Services are steps for hosts with systemd.");
        }
    }

    async Task<HostStepReport> Look(HostStep step, CancellationToken ct)
    {
        Prepare(step);
        if (step.Script is { } script) return new HostStepReport { State = HostStepState.Done, Text = $"{script.Name} may be run here." };
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(LookWithin);
        if (step.Database is { } database) return await DatabaseStep.Look(database, clock, late.Token);
        if (step.Standby is { } standby) return await StandbyOf(standby).Look(late.Token);
        var service = step.Service!;
        var isActive = await IsActive(service.Unit, late.Token);
        return new HostStepReport
        {
            State = HostStepState.Done,
            Text = $"{service.Unit} is {(isActive ? "active" : "not active")} now.",
            WasActive = isActive,
        };
    }

    StandbyStep StandbyOf(HostStandby standby) => new(standby, StandbyStep.PlaceOf(allowed, standby), Systemctl, clock);

    /// <summary>Everything that can be wrong before anything is done.</summary>
    void Prepare(HostStep step)
    {
        if (step.Service is { } service)
        {
            allowed.MustAllow(AllowedSteps.Services, service.Unit, "service");
            return;
        }
        if (step.Database is { Cluster: var cluster })
        {
            var address = ClusterAddress.Of(cluster);
            allowed.MustAllow(AllowedSteps.Databases, string.Create(CultureInfo.InvariantCulture, $"{address.Host}:{address.Port}"),
                "database server");
            return;
        }
        if (step.Standby is { } standby)
        {
            StandbyStep.PlaceOf(allowed, standby);
            return;
        }
        if ((step.Script ?? step.Sandbox?.Script) is not { } script) return;   // a sandbox that only ends
        var found = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(allowed.Script(script.Name))));
        if (!found.Equals(script.Sha256, StringComparison.OrdinalIgnoreCase))
            throw new StepRefusedException("step.changed", $"The program {script.Name} of this host is another than the one that the "
                + $"runbook was written for: its content is sha256 {found}.",
                "Look at it, and put this number into the runbook if it is right.");
        _ = Account(script.User);
    }

    static (uint Uid, uint Gid)? Account(string? name) => name is null ? null
        : AccountNames.AccountOf(name) ?? throw new StepRefusedException("step.no_account", $"There is no account '{name}' on this host.",
            "Make it, or name another in the step.");

    static IReadOnlyList<string> Told(IReadOnlyList<string> lines)
        => [.. lines.TakeLast(LinesTold).Select(line => line.Length > LongestLine ? line[..LongestLine] + "…" : line)];

    static void Check(HostStep step)
    {
        var wrong = step.Key.Length is 0 or > HostStep.LongestKey || step.Key.Any(one => one is < ' ' or > '~') ? "The key is no key."
            : new object?[] { step.Script, step.Service, step.Database, step.Standby, step.Sandbox }.Count(one => one is not null) != 1
                ? "Not exactly one of a program, a service and a database server is wanted."
            : step.Database?.Query is { Length: > HostDatabase.LongestQuery } ? "Its query is too long."
            : step.Wish == HostStepWish.Run && (step.Timeout <= TimeSpan.Zero || step.Timeout > StepSpec.LongestTimeout)
                ? "It has no time, or too much."
            : step.Sandbox is { } sandbox && !IsSandbox(sandbox) ? "Its sandbox is none."
            : (step.Script ?? step.Sandbox?.Script) is { } script && !script.AreArguments() ? "Its arguments cannot be handed over."
            : step.Service is { } service && !service.IsUnit() ? $"'{service.Unit}' is no name of a service." : null;
        if (wrong is not null) throw new BadInputException("step", wrong, "See docs/reference/steps.md.");
    }

    static bool IsSandbox(HostSandbox wanted) => wanted.Name.Length is > 0 and <= HostStep.LongestKey && wanted.Step.Length > 0
        && (wanted.Reaches ?? []) is { Count: <= ScriptStepSpec.MostReaches } reaches
        && reaches.All(one => IPEndPoint.TryParse(one, out var end) && end.Port > 0);

    /// <summary>Ends what is at work; it is told as unknown afterwards.</summary>
    public async ValueTask DisposeAsync()
    {
        foreach (var work in _running.Values) await work.Stop.CancelAsync();
        await Task.WhenAll(_running.Values.Select(work => work.Task));
        await _sandboxes.DisposeAsync();
    }
}
