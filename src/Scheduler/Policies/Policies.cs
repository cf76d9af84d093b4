using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Assignment;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Rules.Proof;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Timing;

namespace BackupDr.Scheduler.Policies;

/// <summary>Reads policies and checks what people write into them.</summary>
static class PolicyTable
{
    const string Select = "select p.id, p.name, p.spec, p.version, p.paused_at, p.pause_reason, p.created_at, clock(), p.assign "
        + "from policy p";

    public static async Task<List<Policy>> List(SqlSource tx, string where, object? value, CancellationToken ct)
    {
        var policies = await tx.Query($"{Select} where p.removed_at is null and {where} order by p.name", [value], row =>
        {
            var spec = StoredJson.Read<PolicySpec>(row.Text(2));
            return new Policy
            {
                Id = row.Id<PolicyId>(0),
                Name = row.Text(1),
                Spec = spec,
                Version = row.Int(3),
                PausedAt = row.TimeOrNull(4),
                PauseReason = row.TextOrNull(5),
                CreatedAt = row.Time(6),
                NextRunAt = row.IsNull(4) ? StartTimes.Of(spec.Schedule).Next(row.Time(7)) : null,
                Assign = row.Json("assign", WireJson.Default.AssignSpec),
            };
        }, ct);
        var items = (await ItemTable.List(tx, "i.retired_at is null and i.policy_id = any($2)",
            policies.Select(policy => policy.Id.Value).ToArray(), ct)).ToLookup(item => item.Policy);
        for (var i = 0; i < policies.Count; i++) policies[i] = policies[i] with { Items = [.. items[policies[i].Id]] };
        return policies;
    }

    /// <summary>When the next policy fires; null where none will.</summary>
    public static async Task<DateTimeOffset?> NextRunAt(SqlSource tx, CancellationToken ct)
        => (await tx.Query("select p.spec, clock() as now from policy p where p.removed_at is null and p.paused_at is null", [],
            row => StartTimes.Of(row.Json("spec", WireJson.Default.PolicySpec)!.Schedule).Next(row.Time("now")), ct)).Min();

    public static async Task<Policy> Get(SqlSource tx, PolicyId id, CancellationToken ct)
        => (await List(tx, "p.id = $1", id.Value, ct)).FirstOrDefault() ?? throw new NotFoundException("A policy with this id");

    /// <summary>Refuses what a policy cannot be.</summary>
    /// <param name="spec">The policy.</param>
    /// <param name="hasLog">Whether the logs of all that it protects are received.</param>
    public static void Check(PolicySpec spec, bool hasLog = false)
    {
        foreach (var (field, problem, hint) in DueTimes.Problems(spec, hasLog)) throw new BadInputException(field, problem, hint);
        FiringTimes.Check(spec.Schedule);
    }

    /// <exception cref="BadInputException">A host that is to make test restores is not in service.</exception>
    public static async Task CheckHosts(SqlSource tx, PolicySpec spec, CancellationToken ct)
    {
        var there = await tx.Query("select id from host where id = any($1) and retired_at is null",
            [spec.Proof.DrillHosts.Select(host => host.Value).ToArray()], row => row.Id<HostId>(0), ct);
        foreach (var host in spec.Proof.DrillHosts.Except(there))
            throw new BadInputException("drillHost", $"{host} is no host in service.", "Choose a host that has joined, or none.");
    }

    public static string Name(string text)
    {
        var name = text.Trim();
        return name.Length is > 0 and <= 100 ? name : throw new BadInputException("name", "A policy needs a name of 1 to 100 characters.",
            "For example: Web servers, daily.");
    }

    /// <summary>Refuses what rules cannot be.</summary>
    /// <exception cref="BadInputException">One cannot be, or the location is not there.</exception>
    public static async Task CheckRules(SqlSource tx, AssignSpec? assign, CancellationToken ct)
    {
        if (assign is null) return;
        foreach (var (field, problem, hint) in AssignPlan.Problems(assign)) throw new BadInputException(field, problem, hint);
        if (assign.Location is { } location
            && await tx.Scalar<bool?>("select is_closed from location where id = $1", [location], ct) is not false)
            throw new BadInputException("location", $"{location} is no location that takes new repositories.",
                "Choose one of the page Storage, or none.");
    }

    /// <summary>Whether the logs of all that a policy protects, or would protect, are received.</summary>
    public static bool HasLog(IReadOnlyCollection<SourceSpec> sources, AssignSpec? assign)
    {
        var rules = assign?.Rules ?? [];
        return sources.Count + rules.Count > 0 && sources.All(source => source.Log is not null) && rules.All(rule => !rule.BaseOnly
            && rule.Kinds.All(kind => kind is SourceKind.PostgreSql or SourceKind.MariaDb));
    }

    public static string Write(PolicySpec spec) => JsonSerializer.Serialize(spec, WireJson.Default.PolicySpec);
}

/// <summary>All policies with their items.</summary>
public sealed class ListPolicies(Postgres db)
{
    /// <summary>Lists.</summary>
    public async Task<IReadOnlyList<Policy>> Handle(Caller caller, ListPoliciesRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyRead);
        var all = await PolicyTable.List(db, "$1::uuid is null", null, ct);
        return [.. all.Where(policy => caller.Sees(Right.PolicyRead, null, policy.Id)
            || policy.Items.Any(item => caller.Sees(Right.PolicyRead, item.Host)))];
    }
}

/// <summary>One policy.</summary>
public sealed class ShowPolicy(Postgres db)
{
    /// <summary>Shows.</summary>
    public async Task<Policy> Handle(Caller caller, ShowPolicyRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyRead, request.Id, ct);
        return await PolicyTable.Get(db, request.Id, ct);
    }
}

/// <summary>What a policy would do, before it is saved.</summary>
public sealed class PreviewPolicy(Postgres db, TimeProvider clock)
{
    /// <summary>Previews.</summary>
    public async Task<PolicyPreview> Handle(Caller caller, PreviewPolicyRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyRead);
        if (request.Policy is { } whose) await caller.Must(Right.PolicyRead, whose, ct);
        PolicyTable.Check(request.Spec, request.LogEvery is not null);
        var now = clock.GetUtcNow();
        var outlook = await ScheduleOutlook.Of(db, request.Spec, request.Policy, now, ct);
        var (next, worst) = (outlook.Starts.Select(start => start.From).ToList(), outlook.LongestGap);
        var retention = await Retention(request, now, ct);
        return request.LogEvery is { } every
            ? new PolicyPreview(next, every, $"Every moment can be restored to, and at worst {ItemStates.Words(every)} of changes are "
                + $"lost. A base backup every {ItemStates.Words(worst)} keeps restores short.", retention, outlook)
            : new PolicyPreview(next, worst, $"A recovery point every {ItemStates.Words(worst)}; at worst "
                + $"{ItemStates.Words(outlook.AtWorst)} of changes are lost.", retention, outlook);
    }

    async Task<RetentionPreview> Retention(PreviewPolicyRequest request, DateTimeOffset now, CancellationToken ct)
    {
        var own = request.Policy is not { } id ? null : await db.First("select spec from policy where id = $1 and removed_at is null", [id],
            row => row.Json("spec", WireJson.Default.PolicySpec), ct) ?? throw new NotFoundException("A policy with this id");
        return new RetentionPreview
        {
            Sentence = RetentionWords.Sentence(request.Spec.Retention),
            Picture = RetentionOutlook.Picture(request.Spec, own?.Retention, now),
            Loss = request.Policy is { } policy ? await RetentionOutlook.Loss(db, policy, request.Spec.Retention, ct) : null,
        };
    }
}

/// <summary>Stops a policy from making new runs. Runs under way go on.</summary>
public sealed class PausePolicy(Postgres db, IFiringEngine firing)
{
    /// <summary>Pauses.</summary>
    public async Task Handle(Caller caller, PausePolicyRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyWrite, request.Id, ct);
        if (string.IsNullOrWhiteSpace(request.Reason)) throw new BadInputException("reason", "Say why the policy is paused.",
            "For example: the host moves this week.");
        await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update policy set paused_at = clock(), pause_reason = $2 where id = $1 and paused_at is null and "
                + "removed_at is null", [request.Id.Value, request.Reason.Trim()], ct) == 0)
                throw new NotFoundException("An active policy with this id");
            await ScheduledStarts.Drop(tx, request.Id, "Left out: the policy was paused before its start.", ct);
            await Audit.Add(tx, caller, "policy.pause", request.Id.ToString(), request.Reason.Trim(), ct);
            await Notifications.Changed(tx, "policies", request.Id.ToString(), ct);
        }, ct);
        await firing.Remove(PolicyFirings.Key(request.Id), ct);
    }
}

/// <summary>Lets a paused policy make runs again.</summary>
public sealed class ResumePolicy(Postgres db, IFiringEngine firing)
{
    /// <summary>Resumes.</summary>
    public async Task Handle(Caller caller, ResumePolicyRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyWrite, request.Id, ct);
        var policy = await db.InTransaction(async tx =>
        {
            if (await tx.Execute("update policy set paused_at = null, pause_reason = null, schedule_since = clock() where id = $1 "
                + "and paused_at is not null and removed_at is null", [request.Id.Value], ct) == 0)
                throw new NotFoundException("A paused policy with this id");
            await Audit.Add(tx, caller, "policy.resume", request.Id.ToString(), "", ct);
            await Notifications.Changed(tx, "policies", request.Id.ToString(), ct);
            return await PolicyTable.Get(tx, request.Id, ct);
        }, ct);
        await firing.ScheduleOrReplace(PolicyFirings.Key(policy.Id), policy.Spec.Schedule, ct);
    }
}

/// <summary>Removes a policy: its items are retired, recovery points stay.</summary>
public sealed class RemovePolicy(Postgres db, FourEyes eyes, AlertBook alerts, IFiringEngine firing)
{
    /// <summary>Removes.</summary>
    public async Task Handle(Caller caller, RemovePolicyRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyWrite, request.Id, ct);
        var before = await PolicyTable.Get(db, request.Id, ct);
        await eyes.Pass(caller, new Command("policy.remove", request.Id.ToString(), $"Removes the policy {before.Name}: nothing backs up "
            + $"{(before.Items.Count == 1 ? "its item" : $"its {before.Items.Count} items")} any more.", $"{before.Version}"),
            request, WireJson.Default.RemovePolicyRequest, ct);
        await db.InTransaction(tx => Remove(tx, caller, request.Id, alerts, ct), ct);
        await firing.Remove(PolicyFirings.Key(request.Id), ct);
    }

    /// <summary>Removes it in the caller's transaction.</summary>
    internal static async Task Remove(Transaction tx, Caller caller, PolicyId policy, AlertBook alerts, CancellationToken ct)
    {
        if (await tx.Execute("update policy set removed_at = clock() where id = $1 and removed_at is null", [policy], ct) == 0)
            throw new NotFoundException("A policy with this id");
        await tx.Execute("update item set retired_at = clock() where policy_id = $1 and retired_at is null", [policy], ct);
        await ScheduledStarts.Drop(tx, policy, "Left out: the policy was removed before its start.", ct);
        await PointTrash.KeepRetired(tx, policy, ct);
        foreach (var item in await tx.Query("select id from item where policy_id = $1", [policy], row => row.Id<ItemId>("id"), ct))
            await alerts.Clear(tx, AnomalyHold.Cause(item), ct);
        await Audit.Add(tx, caller, "policy.remove", policy.ToString(), "", ct);
        await Notifications.Changed(tx, "policies", policy.ToString(), ct);
    }
}
