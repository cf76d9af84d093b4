using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Runbooks.Bundles;
using BackupDr.Scheduler.Runbooks.Steps;

namespace BackupDr.Scheduler.Runbooks;

/// <summary>A restore of a bundle: the step, and the point that it is made from.</summary>
sealed record BundleContentRestore(StepSpec Step, Item Item, RecoveryPoint Point, BundleHost Host);

/// <summary>What a bundle that is made now holds, by name: nothing of it is secret.</summary>
sealed record BundleContent
{
    /// <summary>Names of the stored secrets that its steps name.</summary>
    public required IReadOnlyList<string> Secrets { get; init; }
    public required IReadOnlyList<BundleContentRestore> Restores { get; init; }
    /// <summary>Hosts of its steps and restores, by name.</summary>
    public required IReadOnlyList<BundleHost> Hosts { get; init; }
    /// <summary>Places of exports: where it is noted that somebody executes the runbook.</summary>
    public required IReadOnlyList<LocationId> Places { get; init; }
    /// <summary>What it cannot do, in words.</summary>
    public required IReadOnlyList<string> Remarks { get; init; }
}

/// <summary>Chooses what goes into the bundle of a runbook.</summary>
public sealed class BundleContents(Postgres db, ShowItem showItem, ListRecoveryPoints points)
{
    /// <summary>Why no bundle can be made of a runbook at all, and what to do instead; null where one can.</summary>
    internal static (string Problem, string Advice)? Refused(RunbookSpec spec)
        => spec.Steps.FirstOrDefault(step => step.Kind == StepKind.Runbook) is { } child
            ? ($"The step '{child.Name}' executes another runbook, and a bundle holds one.",
                "Make a bundle of each, and let a step Approval ask for the other one.") : null;

    internal async Task<BundleContent> Choose(RunbookSpec spec, CancellationToken ct)
    {
        var remarks = new List<string>();
        var secrets = await Secrets(spec, remarks, ct);
        var restores = new List<BundleContentRestore>();
        foreach (var step in spec.Steps.Where(step => step.Restore is not null))
            if (await Restore(step, remarks, ct) is { } restore) restores.Add(restore);
        if (spec.Steps.Any(step => step.Kind == StepKind.Notify))
            remarks.Add("Steps that tell people show their words to whoever executes the bundle: channels are the nodes' business.");
        var places = await db.Query("select id from location where kind = any($1) and not is_closed order by id", [ExportPlaces.Kinds],
            row => row.Id<LocationId>("id"), ct);
        if (places.Count == 0)
            remarks.Add("There is no object store where two machines could see each other: whoever executes the bundle answers for it that "
                + "nobody else does.");
        return new BundleContent
        {
            Secrets = secrets,
            Restores = restores,
            Hosts = await Hosts(spec, restores, remarks, ct),
            Places = places,
            Remarks = remarks,
        };
    }

    async Task<IReadOnlyList<string>> Secrets(RunbookSpec spec, List<string> remarks, CancellationToken ct)
    {
        string[] named = [.. spec.Steps.SelectMany(Named).Distinct()];
        if (named.Length == 0) return [];
        var stored = await db.Query("select name from step_secret where name = any($1) order by name", [named], row => row.Text(0), ct);
        remarks.AddRange(named.Except(stored).Select(name => $"There is no stored secret '{name}': the steps that name it fail."));
        return stored;
    }

    static IEnumerable<string> Named(StepSpec step) => new[]
    {
        step.Http?.BearerSecret, step.Http?.Undo?.BearerSecret, step.Http?.Rehearsal?.BearerSecret, step.Dns?.KeySecret,
        step.Dns?.Rehearsal?.KeySecret, step.Health?.Http?.BearerSecret, step.Health?.Sql?.ConnectionSecret,
        step.Health?.Rehearsal?.Http?.BearerSecret, step.Health?.Rehearsal?.Sql?.ConnectionSecret,
    }.OfType<string>();

    /// <summary>What a restore is made from, with the point that is the one now.</summary>
    async Task<BundleContentRestore?> Restore(StepSpec step, List<string> remarks, CancellationToken ct)
    {
        var spec = step.Restore!;
        var itself = Caller.System("runbook");
        Item item;
        try { item = await showItem.Handle(itself, new ShowItemRequest(spec.Item), ct); }
        // The bundle is of use without it, and says so.
        catch (NotFoundException)
        {
            remarks.Add($"The step '{step.Name}' restores an item that is not protected: do it by hand.");
            return null;
        }
        var all = await points.Handle(itself, new ListRecoveryPointsRequest(spec.Item), ct);
        if (RestoreItem.Choose(all, spec.Point) is not { } point)
        {
            remarks.Add($"'{item.Name}' has no recovery point that would do: make the bundle again when it has one.");
            return null;
        }
        var host = spec.Host ?? point.Host;
        return new BundleContentRestore(step, item, point,
            new BundleHost(host, await db.Scalar<string>("select name from host where id = $1", [host], ct) ?? host.ToString()));
    }

    async Task<IReadOnlyList<BundleHost>> Hosts(RunbookSpec spec, IReadOnlyList<BundleContentRestore> restores, List<string> remarks,
        CancellationToken ct)
    {
        var hosts = new Dictionary<HostId, BundleHost>();
        foreach (var name in spec.Steps.SelectMany(BundleHosts.All).Where(name => name.Length > 0).Distinct())
            if (await HostTable.FindByName(db, name, ct) is { } id) hosts[id] = new BundleHost(id, name);
            else remarks.Add($"There is no host named {name}: its steps are done by hand.");
        foreach (var restore in restores) hosts[restore.Host.Id] = restore.Host;
        return [.. hosts.Values.OrderBy(host => host.Name, StringComparer.Ordinal)];
    }
}
