using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Timing;

namespace BackupDr.Scheduler.Policies;

/// <summary>What a policy was at each time.</summary>
static class PolicyVersionTable
{
    /// <summary>Most versions that are listed, and most changes that a refusal names.</summary>
    const int Most = 200, MostNamed = 5;

    /// <summary>From where a change comes that a caller makes directly.</summary>
    public static PolicyOrigin OriginOf(Caller caller) => caller.Kind == CallerKind.Person ? PolicyOrigin.Console : PolicyOrigin.Api;

    /// <summary>Keeps the policy as it stands in the transaction.</summary>
    public static Task Add(Transaction tx, PolicyId policy, Caller caller, PolicyOrigin origin, string? remark, CancellationToken ct)
        => tx.Execute("""
            insert into policy_version (policy_id, version, by_whom, origin, remark, name, spec, assign)
            select id, version, $2, $3, $4, name, spec, assign from policy where id = $1
            """, [policy, caller.Name, origin, remark ?? ""], ct);

    /// <summary>Keeps something that happened beside a policy's own members, as a version of its own.</summary>
    public static async Task Note(Transaction tx, PolicyId policy, Caller caller, PolicyOrigin origin, string remark, CancellationToken ct)
    {
        await tx.Execute("update policy set version = version + 1 where id = $1", [policy], ct);
        await Add(tx, policy, caller, origin, remark, ct);
    }

    /// <summary>The newest first, each with what differs from the one before.</summary>
    public static async Task<IReadOnlyList<PolicyVersion>> List(SqlSource db, PolicyId policy, CancellationToken ct)
    {
        var names = await WireNames.Read(db, ct);
        var all = await db.Query($"select version, at, by_whom, origin, remark, name, spec, assign from policy_version "
            + $"where policy_id = $1 order by version desc limit {Most + 1}", [policy], Read, ct);
        return [.. all.Take(Most).Select((version, at) => at + 1 == all.Count ? version
            : version with { Changes = Between(all[at + 1], version, names) })];
    }

    public static Task<PolicyVersion?> Find(SqlSource db, PolicyId policy, int version, CancellationToken ct)
        => db.First("select version, at, by_whom, origin, remark, name, spec, assign from policy_version where policy_id = $1 and "
            + "version = $2", [policy, version], Read, ct);

    /// <summary>What differs between two.</summary>
    public static IReadOnlyList<MemberChange> Between(PolicyVersion from, PolicyVersion to, WireNames names)
        => PolicyDiff.Between((from.Name, from.Spec, from.Assign), (to.Name, to.Spec, to.Assign), names);

    static PolicyVersion Read(Row row) => new()
    {
        Version = row.Int("version"),
        At = row.Time("at"),
        By = row.Text("by_whom"),
        Origin = row.Word<PolicyOrigin>("origin"),
        Remark = row.TextOrNull("remark") is { Length: > 0 } remark ? remark : null,
        Name = row.Text("name"),
        Spec = row.Json("spec", WireJson.Default.PolicySpec)!,
        Assign = row.Json("assign", WireJson.Default.AssignSpec),
    };

    /// <summary>The refusal of a change that was made from an older version: who did what meanwhile.</summary>
    public static async Task<ConflictException> Changed(SqlSource db, PolicyId policy, string name, int based, CancellationToken ct)
    {
        var versions = (await List(db, policy, ct)).Where(one => one.Version >= based).ToList();
        var newest = versions.FirstOrDefault();
        if (newest is null || newest.Version == based) return new ConflictException("policy.changed",
            $"'{name}' has no version {based}.", "Load it again, and make the change from there.");
        var changes = versions[^1].Version != based ? [] : Between(versions[^1], newest, await WireNames.Read(db, ct));
        var told = changes.Take(MostNamed).Select(change => $"{change.Member} {change.From ?? "(nothing)"} → {change.To ?? "(nothing)"}")
            .Concat(changes.Count > MostNamed ? [$"and {changes.Count - MostNamed} more"] : [])
            .Concat(versions.SkipLast(1).Select(one => one.Remark).OfType<string>().Take(MostNamed));
        var others = string.Join(", ", versions.SkipLast(1).Select(one => one.By).Distinct());
        return new ConflictException("policy.changed", $"'{name}' is at version {newest.Version}, and this change was made from version "
            + $"{based}. Meanwhile {others} changed: {string.Join("; ", told)}.",
                "Look at the newest version, then make the change again.");
    }
}

/// <summary>The versions of a policy.</summary>
public sealed class ListPolicyVersions(Postgres db)
{
    /// <summary>Lists them, the newest first.</summary>
    public async Task<IReadOnlyList<PolicyVersion>> Handle(Caller caller, ListPolicyVersionsRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyRead, request.Id, ct);
        return await PolicyVersionTable.List(db, request.Id, ct) is { Count: > 0 } versions ? versions
            : throw new NotFoundException("A policy with this id");
    }
}

/// <summary>What differs between two versions of a policy, whichever is older.</summary>
public sealed class ComparePolicyVersions(Postgres db)
{
    /// <summary>Compares them.</summary>
    public async Task<PolicyComparison> Handle(Caller caller, ComparePolicyVersionsRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyRead, request.Id, ct);
        var (from, to) = (await Find(request.Id, request.From, ct), await Find(request.Id, request.To, ct));
        return new PolicyComparison(from, to, PolicyVersionTable.Between(from, to, await WireNames.Read(db, ct)));
    }

    async Task<PolicyVersion> Find(PolicyId policy, int version, CancellationToken ct)
        => await PolicyVersionTable.Find(db, policy, version, ct) ?? throw new NotFoundException("A version of this policy with this "
            + "number");
}

/// <summary>Makes a policy be what it was. Its items stay as they are, and so do its recovery points unless somebody typed its name.
/// </summary>
public sealed class RestorePolicyVersion(Postgres db, FourEyes eyes, IFiringEngine firing)
{
    /// <summary>Brings it back, as a new version.</summary>
    /// <exception cref="BadInputException">Recovery points would go and the name is not there; or a host or location of then is gone.
    /// </exception>
    /// <exception cref="ConflictException">Somebody changed the policy meanwhile, or the name of then is taken.</exception>
    public async Task<Policy> Handle(Caller caller, RestorePolicyVersionRequest request, CancellationToken ct)
    {
        caller.Must(Right.PolicyWrite);
        var then = await PolicyVersionTable.Find(db, request.Id, request.Version, ct)
            ?? throw new NotFoundException("A version of this policy with this number");
        await EditPolicy.MustBeSeenByTwo(db, eyes, caller, new EditPolicyRequest(request.Id, then.Name, then.Spec, request.Confirm,
            request.Based, then.Assign), ct);
        var policy = await db.InTransaction(async tx =>
        {
            await EditPolicy.Change(tx, caller, new PolicyEdit
            {
                Id = request.Id,
                Name = then.Name,
                Spec = then.Spec,
                Assign = then.Assign,
                Confirm = request.Confirm,
                Based = request.Based,
                Origin = PolicyOrigin.Earlier,
                Remark = $"version {then.Version} brought back",
            }, ct);
            return await PolicyTable.Get(tx, request.Id, ct);
        }, ct);
        await EditPolicy.Schedule(firing, policy, ct);
        return policy;
    }
}

/// <summary>What forms begin with.</summary>
public sealed class ListPolicyTemplates
{
    /// <summary>Lists them, the strictest first.</summary>
    public Task<IReadOnlyList<PolicyTemplate>> Handle(Caller caller, ListPolicyTemplatesRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyRead);
        return Task.FromResult(PolicyTemplate.All);
    }
}
