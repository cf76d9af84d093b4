using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>Sends traffic elsewhere at an HAProxy, through its runtime API, and back. What it sets lasts until HAProxy is started anew
/// unless its configuration says the same.</summary>
public sealed class LbSwitch(IStepNotes notes) : IStepExecutor
{
    const string Old = "old ";

    /// <inheritdoc/>
    public StepKind Kind => StepKind.LbSwitch;

    /// <inheritdoc/>
    public async Task<IReadOnlyList<RunbookProblem>> Evaluate(StepWork work, CancellationToken ct)
    {
        var problems = new List<RunbookProblem>();
        if (StepChecks.Problem(work.Step) is not null) return problems;   // told on saving, or variables are missing still
        var lb = work.Step.Lb!;
        var target = work.Mode == ExecutionMode.Rehearsal ? lb.Rehearsal ?? lb : lb;
        try { await Look(target, ct); }
        catch (BalancerException e)
        {
            problems.Add(new($"steps.{work.Step.Name}.lb", e.Message, "Nothing can be switched there as it is."));
        }
        return problems;
    }

    /// <inheritdoc/>
    public async Task<StepResult> CarryOut(StepWork work, CancellationToken ct)
    {
        if (StepChecks.Problem(work.Step) is { } problem) return problem;
        var lb = work.Step.Lb!;
        if (StepChecks.WasNotDone(work, lb.Rehearsal is not null)) return StepResult.Done("Nothing was switched, so nothing is put back.");
        var isLookOnly = StepChecks.IsLookOnly(work, lb.Rehearsal is not null);
        var target = work.Mode == ExecutionMode.Rehearsal && !isLookOnly ? lb.Rehearsal! : lb;
        try
        {
            var now = await Look(target, ct);
            if (isLookOnly) return StepResult.Done($"Not switched: {Words(target, now)}; it would be {Wanted(target, now)}.", Outputs(now));
            return work.Activity is StepActivity.Compensate or StepActivity.CleanUp ? await PutBack(target, now, work, ct)
                : await Switch(target, now, work, ct);
        }
        // Each command sets a state; what was set before the failure is set again by the next try, and put back by the notes.
        catch (BalancerException e) { return StepResult.Failed(e.Message); }
    }

    /// <summary>The servers of the step as they are.</summary>
    static async Task<Dictionary<string, BalancedServer>> Look(LbTarget target, CancellationToken ct)
    {
        var (api, found) = (new HaproxyApi(target.Address), new Dictionary<string, BalancedServer>(StringComparer.Ordinal));
        foreach (var backend in target.Servers.GroupBy(server => server.Name.Split('/')[0]))
        {
            var all = await api.Servers(backend.Key, ct);
            foreach (var server in backend)
            {
                found[server.Name] = all.TryGetValue(server.Name, out var one) ? one
                    : throw new BalancerException($"{target.Address} has no server '{server.Name}'; in {backend.Key} there are "
                        + $"{string.Join(", ", all.Keys.Order(StringComparer.Ordinal).Take(20))}.");
            }
        }
        return found;
    }

    async Task<StepResult> Switch(LbTarget target, Dictionary<string, BalancedServer> now, StepWork work, CancellationToken ct)
    {
        // Before anything is changed, so that whoever takes over knows it too.
        await notes.Keep(work, Outputs(now), ct);
        var before = await Before(target, work, ct);
        var api = new HaproxyApi(target.Address);
        var changed = target.Servers.Where(server => !IsSo(now[server.Name], server)).ToList();
        foreach (var server in changed) await api.Set(server.Name, server.State, server.Weight, ct);
        var seen = await Look(target, ct);
        var outputs = target.Servers.ToDictionary(server => Old + server.Name, server => before[server.Name].Text);
        foreach (var (name, server) in seen) outputs[name] = server.Text + (server.IsUp ? "" : ", not up");
        if (target.Servers.FirstOrDefault(server => !IsSo(seen[server.Name], server)) is { } other)
        {
            return StepResult.Failed($"{target.Address} took it, and {other.Name} is {seen[other.Name].Text}: something else sets it too.",
                outputs);
        }
        return StepResult.Done($"{(changed.Count == 0 ? "It was so already" : "Switched")}: {Words(target, seen)}.", outputs);
    }

    /// <summary>How each server was before this execution changed it: the newest note that is not what the step sets.</summary>
    async Task<Dictionary<string, BalancedServer>> Before(LbTarget target, StepWork work, CancellationToken ct)
    {
        var all = (await notes.All(work, ct)).Reverse().ToList();
        var before = new Dictionary<string, BalancedServer>(StringComparer.Ordinal);
        foreach (var server in target.Servers)
        {
            var noted = all.Select(note => BalancedServer.Parse(note.GetValueOrDefault(Old + server.Name))).OfType<BalancedServer>()
                .ToList();
            if (noted.Count > 0) before[server.Name] = noted.Where(one => !IsSo(one, server)).Append(noted[0]).First();
        }
        return before;
    }

    async Task<StepResult> PutBack(LbTarget target, Dictionary<string, BalancedServer> now, StepWork work, CancellationToken ct)
    {
        var before = await Before(target, work, ct);
        foreach (var server in target.Servers)
            if (BalancedServer.Parse(work.Outputs.GetValueOrDefault(Old + server.Name)) is { } told) before[server.Name] = told;
        if (before.Count == 0) return StepResult.Done("Nothing was switched, so all is left as it is.");
        var api = new HaproxyApi(target.Address);
        var strange = new List<string>();
        // The last first: what was put in before something else was taken out.
        foreach (var server in target.Servers.Reverse().Where(server => before.ContainsKey(server.Name)))
        {
            var (isNow, was) = (now[server.Name], before[server.Name]);
            var back = new LbServer
            {
                Name = server.Name,
                State = server.State is null ? null : was.State,
                Weight = server.Weight is null ? null : was.Weight,
            };
            if (IsSo(isNow, back)) continue;
            if (IsSo(isNow, server)) await api.Set(server.Name, back.State, back.Weight, ct);
            else strange.Add($"{server.Name} is {isNow.Text} and was {was.Text}");
        }
        return strange.Count == 0 ? StepResult.Done($"Put back: {Words(target, await Look(target, ct))}.")
            : StepResult.Failed($"Somebody changed since what this execution set: {string.Join("; ", strange)}. Put it right by hand.");
    }

    static bool IsSo(BalancedServer server, LbServer wanted)
        => (wanted.State ?? server.State) == server.State && (wanted.Weight ?? server.Weight) == server.Weight;

    static string Words(LbTarget target, Dictionary<string, BalancedServer> servers)
        => string.Join(", ", target.Servers.Select(server => $"{server.Name} {servers[server.Name].Text}"));

    static string Wanted(LbTarget target, Dictionary<string, BalancedServer> now) => string.Join(", ", target.Servers.Select(server
        => $"{server.Name} {(now[server.Name] with
        {
            State = server.State ?? now[server.Name].State,
            Weight = server.Weight ?? now[server.Name].Weight
        }).Text}"));

    static Dictionary<string, string> Outputs(Dictionary<string, BalancedServer> servers)
        => servers.ToDictionary(server => Old + server.Key, server => server.Value.Text);
}
