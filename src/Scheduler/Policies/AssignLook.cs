using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Assignment;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Policies;

/// <summary>What agents found, with the policies whose rules match it and the items that have it already.</summary>
sealed record FoundThing
{
    public required Unprotected Found { get; init; }
    public required SourceKind Kind { get; init; }
    /// <summary>The items that have it wholly.</summary>
    public required IReadOnlyList<Item> By { get; init; }
    /// <summary>The one that takes it first.</summary>
    public required IReadOnlyList<AssignMatch> Matches { get; init; }

    /// <summary>What becomes of it by the rules of one of the policies that match.</summary>
    public (AssignFate Fate, string? Reason) Under(AssignMatch match)
    {
        if (By.FirstOrDefault(item => item.Policy == match.Policy.Id) is not null) return (AssignFate.Here, null);
        if (By is [var other, ..]) return (AssignFate.Elsewhere, $"{other.PolicyName} has it already.");
        if (Found.HiddenAt is not null) return (AssignFate.Hidden, $"{Found.HiddenBy} hid it: {Found.HideReason}");
        if (Matches[0].Policy.Id != match.Policy.Id)
            return (AssignFate.Lost, $"{Matches[0].Policy.Name} takes it: {AssignPlan.Why(Matches[0], match)}.");
        return (match.Policy.Assign.Mode == AssignMode.Protect ? AssignFate.New : AssignFate.Proposed, null);
    }

    /// <summary>How it is protected where nobody said how.</summary>
    public NewItem Item(bool receiveLog)
    {
        var (path, log) = (Found.Found.Path, receiveLog ? new LogSpec() : null);
        return new NewItem(Found.Host, Kind switch
        {
            SourceKind.Sqlite => new SourceSpec { Kind = Kind, Sqlite = new SqliteSpec { Path = path } },
            SourceKind.Volume => new SourceSpec { Kind = Kind, Volume = new VolumeSpec { Path = path } },
            SourceKind.PostgreSql => new SourceSpec { Kind = Kind, PostgreSql = new PostgreSqlSpec { DataFolder = path, Log = log } },
            SourceKind.MariaDb => new SourceSpec { Kind = Kind, MariaDb = new MariaDbSpec { DataFolder = path, Log = log } },
            // What is mounted below is a file system of its own, for which a rule speaks itself.
            _ => new SourceSpec { Kind = SourceKind.Files, Files = new FilesSpec { Paths = [path], OneFileSystem = true } },
        });
    }
}

/// <summary>Gives what rules match to their policies. Any node may do it at any time; one does.</summary>
public sealed partial class AssignLook(Postgres db, CreatePolicy create, PolicyRuns runs, ILogger<AssignLook> log)
{
    /// <summary>Most items that one look makes; the next one goes on.</summary>
    const int MostAtOnce = 200;
    static readonly Caller Looker = Caller.System("assign");

    /// <summary>Makes the items that are due; gives their number.</summary>
    public Task<int> Run(CancellationToken ct) => db.InTransaction(async tx =>
    {
        if (await tx.First("select clock() from assign_look for update skip locked", [], row => (DateTimeOffset?)row.Time(0), ct)
            is not { } now) return 0;   // another node looks
        var policies = await Policies(tx, ct);
        if (policies.Count == 0) return 0;
        var due = (await Things(tx, policies, ct)).Where(thing => thing.Matches.Count > 0
            && thing.Under(thing.Matches[0]).Fate == AssignFate.New).Take(MostAtOnce);
        var made = await Make(tx, Looker, [.. due.Select(thing => (thing, thing.Matches[0]))], ct);
        await tx.Execute("update assign_look set looked_at = $1", [now], ct);
        return made.Count;
    }, ct);

    /// <summary>Makes items of things and starts their first backups.</summary>
    internal async Task<List<ItemId>> Make(Transaction tx, Caller caller, IReadOnlyList<(FoundThing Thing, AssignMatch Match)> things,
        CancellationToken ct)
    {
        var made = new List<ItemId>();
        foreach (var (thing, match) in things)
        {
            var policy = match.Policy;
            try
            {
                made.Add(await create.AddItem(tx, policy.Id, thing.Item(!policy.Assign.Rules[match.Rule].BaseOnly),
                    policy.Assign.Location, null, isByRule: true, ct));
            }
            // What cannot be protected so is told and stays listed as unprotected; the others are not to wait for it.
            catch (BackupDrException e)
            {
                LogRefused(log, policy.Name, thing.Found.Found.Path.ToString(), thing.Found.HostName, e.Message);
                continue;
            }
            await Audit.Add(tx, caller, "item.assign", made[^1].ToString(), $"{thing.Kind} {thing.Found.Found.Path} on "
                + $"{thing.Found.HostName} by rule {match.Rule + 1} of {policy.Name}", ct);
            await Notifications.Changed(tx, "policies", policy.Id.ToString(), ct);
            await Notifications.Changed(tx, "found", thing.Found.Host.ToString(), ct);
        }
        await runs.StartAgain(tx, made, caller.Name, ct);
        return made;
    }

    /// <summary>The policies that have rules.</summary>
    internal static Task<List<AssigningPolicy>> Policies(SqlSource db, CancellationToken ct)
        => db.Query("select id, name, assign, created_at from policy where removed_at is null and assign is not null order by created_at",
            [], row => new AssigningPolicy(row.Id<PolicyId>("id"), row.Text("name"), row.Json("assign", WireJson.Default.AssignSpec)!,
                row.Time("created_at")), ct);

    /// <summary>All that agents found and a policy could protect.</summary>
    internal static async Task<List<FoundThing>> Things(SqlSource db, IReadOnlyList<AssigningPolicy> policies, CancellationToken ct)
    {
        var found = await FoundSourceTable.All(db, ct);
        var items = (await ItemTable.List(db, "i.retired_at is null and p.removed_at is null and $2::uuid is null", null, ct))
            .ToLookup(item => item.Host);
        var labels = await HostLabelTable.All(db, ct);
        var things = new List<FoundThing>();
        foreach (var host in found.GroupBy(one => one.Host))
        {
            FilePath[] mounts = [.. host.Where(one => one.Found.Kind is FoundKind.FileSystem or FoundKind.Subvolume)
                .Select(one => one.Found.Path)];
            var own = labels[host.Key].ToDictionary();
            foreach (var one in host)
                if (Protection.As(one.Found.Kind) is { } kind)
                    things.Add(new FoundThing
                    {
                        Found = one,
                        Kind = kind,
                        By = [.. items[host.Key].Where(item => Protection.Of(one.Found, mounts, [item.Source]).Coverage == Coverage.Whole)],
                        Matches = AssignPlan.Of(new Assignable(one.HostName, own, kind, one.Found.Path), policies),
                    });
        }
        return things;
    }

    /// <summary>The items that rules of a policy made and none matches now.</summary>
    internal static async Task<IReadOnlyList<Item>> Left(SqlSource db, AssigningPolicy policy, IEnumerable<Item> items,
        CancellationToken ct)
    {
        var labels = await HostLabelTable.All(db, ct);
        return [.. items.Where(item => item.IsByRule && AssignPlan.Best(Of(item, labels), policy) is null)];
    }

    static Assignable Of(Item item, ILookup<HostId, KeyValuePair<string, string>> labels)
        => new(item.HostName, labels[item.Host].ToDictionary(), item.Source.Kind, item.Source.FirstPath);

    /// <summary>Which rule of its policy would bring an item back that is retired, from 1; null for none.</summary>
    internal static async Task<int?> Keeps(SqlSource db, Item item, CancellationToken ct)
    {
        var policy = (await Policies(db, ct)).Find(one => one.Id == item.Policy);
        if (policy is not { Assign.Mode: AssignMode.Protect } || !(await FoundSourceTable.All(db, ct)).Exists(one => one.Host == item.Host
            && one.HiddenAt is null && Protection.As(one.Found.Kind) == item.Source.Kind
                && one.Found.Path == item.Source.FirstPath)) return null;
        return AssignPlan.Best(Of(item, await HostLabelTable.All(db, ct)), policy) is { } match ? match.Rule + 1 : null;
    }

    [LoggerMessage(2010, LogLevel.Warning, "A rule of {Policy} matches {Path} on {Host}, which cannot be protected so: {Reason}")]
    static partial void LogRefused(ILogger log, string policy, string path, string host, string reason);
}

/// <summary>What rules match now, before or after they are saved.</summary>
public sealed class PreviewAssignment(Postgres db, TimeProvider clock)
{
    /// <summary>Looks; changes nothing.</summary>
    /// <exception cref="BadInputException">A rule cannot be.</exception>
    public async Task<AssignmentPreview> Handle(Caller caller, PreviewAssignmentRequest request, CancellationToken ct)
    {
        caller.Must(Right.PolicyRead);
        await PolicyTable.CheckRules(db, request.Assign, ct);
        var own = request.Policy is { } id ? await PolicyTable.Get(db, id, ct) : null;
        var assign = request.Assign ?? own?.Assign ?? new AssignSpec();
        var policy = new AssigningPolicy(own?.Id ?? PolicyId.New(clock), own?.Name ?? "this policy", assign,
            own?.CreatedAt ?? clock.GetUtcNow());
        List<AssigningPolicy> policies = [.. (await AssignLook.Policies(db, ct)).Where(one => one.Id != policy.Id), policy];
        var things = new List<AssignedThing>();
        foreach (var thing in assign.Rules.Count == 0 ? [] : await AssignLook.Things(db, policies, ct))
            if (thing.Matches.FirstOrDefault(match => match.Policy == policy) is { } match)
            {
                var (fate, reason) = thing.Under(match);
                things.Add(new AssignedThing(thing.Found.Host, thing.Found.HostName, thing.Kind, thing.Found.Found.Path,
                    thing.Found.Found.Detail, match.Rule + 1, fate, reason));
            }
        return new AssignmentPreview
        {
            Things = [.. things.Take(AssignmentPreview.Most)],
            Count = things.Count,
            Left = await AssignLook.Left(db, policy, own?.Items ?? [], ct),
        };
    }
}

/// <summary>Makes items of what a policy's rules propose.</summary>
public sealed class AgreeAssignment(Postgres db, AssignLook look)
{
    /// <summary>Makes them and starts their first backups.</summary>
    public async Task<ItemsAssigned> Handle(Caller caller, AgreeAssignmentRequest request, CancellationToken ct)
    {
        caller.Must(Right.PolicyWrite);
        return await db.InTransaction(async tx =>
        {
            await tx.Execute("update assign_look set looked_at = looked_at", [], ct);   // no look and no other agreement beside this one
            await PolicyTable.Get(tx, request.Id, ct);
            var wanted = (request.Things ?? []).ToHashSet();
            List<(FoundThing, AssignMatch)> agreed = [];
            foreach (var thing in await AssignLook.Things(tx, await AssignLook.Policies(tx, ct), ct))
                if (thing.Matches.FirstOrDefault(match => match.Policy.Id == request.Id) is { } match
                    && thing.Under(match).Fate is AssignFate.Proposed or AssignFate.New
                    && (wanted.Count == 0 || wanted.Contains(new ProposedThing(thing.Found.Host, thing.Kind, thing.Found.Found.Path))))
                    agreed.Add((thing, match));
            return new ItemsAssigned(await look.Make(tx, caller, agreed, ct));
        }, ct);
    }
}
