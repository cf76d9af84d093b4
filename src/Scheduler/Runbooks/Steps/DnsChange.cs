using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps.Dns;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Makes a record of a name server say something else, if it still says what it said (RFC 2136, RFC 8945), and back.</summary>
/// <remarks>docs/decisions/0055-dns-updates.md.</remarks>
public sealed class DnsChange(IStepSecrets secrets, IStepNotes notes, TimeProvider clock) : IStepExecutor
{
    const string Old = "oldExact";
    static readonly TimeSpan LookLimit = TimeSpan.FromSeconds(15), Least = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    public StepKind Kind => StepKind.DnsChange;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
    {
        var problems = new List<RunbookProblem>();
        if (StepChecks.Problem(work.Step) is not null) return problems;   // told on saving, or variables are missing still
        var (dns, at) = (work.Step.Dns!, $"steps.{work.Step.Name}.dns");
        var target = work.Mode == ExecutionMode.Rehearsal ? dns.Rehearsal ?? dns : dns;
        await StepChecks.Secret(secrets, target.KeySecret, $"{at}.keySecret", problems, ct);
        if (problems.Count > 0) return problems;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(LookLimit);
        try
        {
            var server = await Open(target, late.Token);
            await server.Reach(late.Token);
            await server.Look(dns.Type, late.Token);
        }
        catch (NameServerException e) { problems.Add(new($"{at}.server", e.Message, "Nothing can be switched there as it is.")); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            problems.Add(new($"{at}.server", $"{target.Server} does not answer.", "Is its port 53 open over TCP?"));
        }
        return problems;
    }

    /// <inheritdoc/>
    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (StepChecks.Problem(work.Step) is { } problem) return problem;
        var dns = work.Step.Dns!;
        if (StepChecks.WasNotDone(work, dns.Rehearsal is not null)) return StepResult.Done("Nothing was changed, so nothing is put back.");
        var isLookOnly = StepChecks.IsLookOnly(work, dns.Rehearsal is not null);
        var target = work.Mode == ExecutionMode.Rehearsal && !isLookOnly ? dns.Rehearsal! : dns;
        try
        {
            var left = work.Until - work.Now(clock);
            var server = await Open(target, ct, left > Least ? left : Least);
            if (isLookOnly) return await Look(server, dns, ct);
            return work.Activity is StepActivity.Compensate or StepActivity.CleanUp ? await PutBack(server, target, work, ct)
                : await Change(server, target, work, ct);
        }
        catch (NameServerException e) { return e.MayBeDone ? StepResult.Unknown(e.Message) : StepResult.Failed(e.Message); }
    }

    async Task<NameServer> Open(DnsTarget target, CancellationToken ct, TimeSpan? limit = null)
    {
        var text = await secrets.Find(target.KeySecret, ct)
            ?? throw new NameServerException($"There is no stored secret '{target.KeySecret}', so nothing was asked or changed.");
        try { return new NameServer(target, Convert.FromBase64String(text.Reveal().Trim()), clock, limit); }
        catch (FormatException)
        {
            // What the exception says may hold a part of the secret.
            throw new NameServerException($"The stored secret '{target.KeySecret}' is no key: it has to be base64, as in "
                + "the server's file.");
        }
    }

    static async Task<StepResult> Look(NameServer server, DnsSpec dns, CancellationToken ct)
    {
        var (now, wanted) = (await server.Look(dns.Type, ct), Wanted(dns));
        var fits = Fits(dns, now, wanted);
        var outputs = new Dictionary<string, string> { ["now"] = now.Text(dns.Type), ["to"] = wanted.Text(dns.Type) };
        return fits is not null ? StepResult.Failed(fits, outputs)
            : StepResult.Done($"Not changed: {dns.Record} says {outputs["now"]}, and would say {outputs["to"]}.", outputs);
    }

    static RecordValues Wanted(DnsSpec dns) => RecordValues.Of(dns.Type, dns.To, dns.Ttl);

    /// <summary>Why what it says now may not be replaced; null where it may.</summary>
    static string? Fits(DnsSpec dns, RecordValues now, RecordValues wanted)
    {
        if (dns.From.Count == 0 || now.Says(wanted, dns.Type)) return null;
        var from = RecordValues.Of(dns.Type, dns.From, dns.Ttl);
        return now.Says(from, dns.Type) ? null : $"{dns.Record} says {now.Text(dns.Type)}, and not {from.Text(dns.Type)} as the step "
            + "expects: somebody changed it. Nothing was changed.";
    }

    async Task<StepResult> Change(NameServer server, DnsTarget target, StepWork work, CancellationToken ct)
    {
        var dns = work.Step.Dns!;
        var (now, wanted) = (await server.Look(dns.Type, ct), Wanted(dns));
        if (work.Mode != ExecutionMode.Rehearsal && Fits(dns, now, wanted) is { } other) return StepResult.Failed(other);
        // Before anything is changed, so that whoever takes over knows it too.
        await notes.Keep(work, new Dictionary<string, string> { [Old] = now.Exact() }, ct);
        if (now.Says(wanted, dns.Type))
        {
            var before = await Before(work, wanted, ct) ?? now;
            return StepResult.Done($"{target.Record} says {wanted.Text(dns.Type)} already.", Outputs(target, dns, before, wanted));
        }
        if (await Exchange(server, target, dns.Type, now, wanted, ct) is { } failed) return failed;
        return StepResult.Done($"{target.Record} says {wanted.Text(dns.Type)} now; it said {now.Text(dns.Type)}.",
            Outputs(target, dns, now, wanted));
    }

    /// <summary>Changes and looks; null when it is done.</summary>
    static async Task<StepResult?> Exchange(NameServer server, DnsTarget target, DnsRecordKind kind, RecordValues from, RecordValues to,
        CancellationToken ct)
    {
        NameServerException? told = null;
        try { await server.Exchange(kind, from, to, ct); }
        catch (NameServerException e) { told = e; }   // whether it was done is seen by looking
        if (told is { MayBeDone: false }) return StepResult.Failed($"{told.Message} Nothing was changed.");
        RecordValues now;
        try { now = await server.Look(kind, ct); }
        catch (NameServerException e)
        {
            return StepResult.Unknown($"{(told is null ? "" : told.Message + " ")}Whether it was changed cannot be seen: {e.Message}");
        }
        if (now.Says(to, kind)) return null;
        var seen = $"{target.Record} says {now.Text(kind)} and not {to.Text(kind)}.";
        return told is null ? StepResult.Failed($"The server took the change, and {seen}") : StepResult.Unknown($"{told.Message} {seen}");
    }

    /// <summary>What it said before this execution changed it, by the notes; null where it said what is wanted all along.</summary>
    async Task<RecordValues?> Before(StepWork work, RecordValues wanted, CancellationToken ct)
        => (await notes.All(work, ct)).Reverse().Select(note => RecordValues.FromExact(note.GetValueOrDefault(Old, "")))
            .FirstOrDefault(values => values is not null && !values.Says(wanted, work.Step.Dns!.Type));

    async Task<StepResult> PutBack(NameServer server, DnsTarget target, StepWork work, CancellationToken ct)
    {
        var (kind, wanted) = (work.Step.Dns!.Type, Wanted(work.Step.Dns));
        var before = RecordValues.FromExact(work.Outputs.GetValueOrDefault(Old, "")) ?? await Before(work, wanted, ct);
        if (before is null) return StepResult.Done($"{target.Record} was not changed, so it is left as it is.");
        var now = await server.Look(kind, ct);
        if (now.Says(before, kind)) return StepResult.Done($"{target.Record} says {before.Text(kind)} as before.");
        if (!now.Says(wanted, kind))
        {
            return StepResult.Failed($"{target.Record} says {now.Text(kind)}, which this execution did not write: somebody changed it "
                + $"since. Before the execution it said {before.Text(kind)}; put that back by hand if it is right.");
        }
        return await Exchange(server, target, kind, now, before, ct)
            ?? StepResult.Done($"{target.Record} says {before.Text(kind)} again.");
    }

    static Dictionary<string, string> Outputs(DnsTarget target, DnsSpec dns, RecordValues before, RecordValues wanted) => new()
    {
        ["server"] = target.Server,
        ["record"] = target.Record,
        ["old"] = before.Text(dns.Type),
        ["new"] = wanted.Text(dns.Type),
        [Old] = before.Exact(),
    };
}
