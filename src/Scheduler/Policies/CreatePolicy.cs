using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Timing;
using Npgsql;

namespace BackupDr.Scheduler.Policies;

/// <summary>Makes a policy with its items and their repositories, and by default starts the first backups.</summary>
public sealed class CreatePolicy(Postgres db, RepositoryTable repositories, PolicyRuns runs, IFiringEngine firing, TimeProvider clock)
{
    /// <summary>Makes it; the same client-made id again gives the policy that was made.</summary>
    /// <exception cref="BadInputException">An objective, the schedule, a path, the location or the repository cannot be.</exception>
    /// <exception cref="ConflictException">The repository that it continues was not looked through yet.</exception>
    public async Task<Policy> Handle(Caller caller, CreatePolicyRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.PolicyWrite);
        // A rule takes whatever matches it, anywhere.
        if (request.Assign is { Rules.Count: > 0 }) caller.Must(Right.PolicyWrite);
        foreach (var item in request.Items) await caller.Must(Right.PolicyWrite, item.Host, ct);
        if (request.Repository is { } continued) await caller.Must(Right.PolicyWrite, continued, ct);
        var policy = await db.InTransaction(tx => Make(tx, caller, request, PolicyVersionTable.OriginOf(caller), ct), ct);
        await firing.ScheduleOrReplace(PolicyFirings.Key(policy.Id), policy.Spec.Schedule, ct);
        return policy;
    }

    /// <summary>Makes it in the caller's transaction.</summary>
    internal async Task<Policy> Make(Transaction tx, Caller caller, CreatePolicyRequest request, PolicyOrigin origin, CancellationToken ct)
    {
        var assign = request.Assign is { Rules.Count: > 0 } rules ? rules : null;
        if (request.Items.Count == 0 && assign is null) throw new BadInputException("items", "A policy protects at least one source.",
            "Choose a host and a folder on it, or give it a rule.");
        if (request.Repository is not null && request.Location is not null)
            throw new BadInputException("location", "Both a location and a repository are named.",
                "Name the adopted repository alone: it says where it is.");
        if (request.Items.Count == 0 && string.IsNullOrWhiteSpace(request.Name))
            throw new BadInputException("name", "A policy that has only rules needs a name.", "For example: Databases of Berlin.");
        PolicyTable.Check(request.Spec, PolicyTable.HasLog([.. request.Items.Select(item => item.Source)], assign));
        await PolicyTable.CheckHosts(tx, request.Spec, ct);
        await PolicyTable.CheckRules(tx, assign, ct);
        var id = request.Id ?? PolicyId.New(clock);
        var name = string.IsNullOrWhiteSpace(request.Name) ? await FreeName(tx, request.Items[0], ct) : PolicyTable.Name(request.Name);
        try
        {
            var made = await tx.Execute("insert into policy (id, name, spec, assign) values ($1, $2, $3, $4) on conflict (id) do nothing",
                [id.Value, name, new JsonText(PolicyTable.Write(request.Spec)), EditPolicy.Rules(assign)], ct);
            if (made == 0) return await PolicyTable.Get(tx, id, ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation) { throw EditPolicy.NameTaken(name); }
        foreach (var item in request.Items) await AddItem(tx, id, item, request.Location, request.Repository, isByRule: false, ct);
        await PolicyVersionTable.Add(tx, id, caller, origin, null, ct);
        await Audit.Add(tx, caller, "policy.create", id.ToString(), name, ct);
        await Notifications.Changed(tx, "policies", id.ToString(), ct);
        if (request.RunNow) await runs.Start(tx, id, caller.Name, null, ct);
        return await PolicyTable.Get(tx, id, ct);
    }

    /// <summary>Makes an item and, where it is the first of its host there, a repository.</summary>
    /// <exception cref="BadInputException">The source cannot be.</exception>
    /// <exception cref="ConflictException">Its log is received already.</exception>
    internal async Task<ItemId> AddItem(Transaction tx, PolicyId policy, NewItem item, LocationId? location, RepositoryId? adopted,
        bool isByRule, CancellationToken ct)
    {
        SourceRules.Check(item.Source);
        var host = await tx.First("select name from host where id = $1 and retired_at is null", [item.Host], row => row.Text(0), ct)
            ?? throw new NotFoundException("A host in service with this id");
        if (item.Source.Log is not null) await MustBeFirstReceiver(tx, item.Host, item.Source, null, ct);
        var repository = adopted is { } continued ? await RepositoryTable.Continue(tx, continued, item.Host, ct)
            : await repositories.For(tx, await repositories.Choose(tx, location, item.Host, ct), item.Host, ct);
        var id = ItemId.New(clock);
        await tx.Execute("insert into item (id, policy_id, host_id, repository_id, name, source, by_rule) "
            + "values ($1, $2, $3, $4, $5, $6, $7)", [id, policy, item.Host, repository, $"{item.Source.Title} on {host}",
                JsonText.Of(item.Source, WireJson.Default.SourceSpec), isByRule], ct);
        return id;
    }

    /// <summary>Gives an item another description of the same source: what is left out, how a server is reached.</summary>
    internal static async Task ChangeSource(Transaction tx, Item item, SourceSpec source, CancellationToken ct)
    {
        SourceRules.Check(source);
        if (source.Log is not null) await MustBeFirstReceiver(tx, item.Host, source, item.Id, ct);
        await tx.Execute("update item set source = $2, name = $3 where id = $1", [item.Id,
            JsonText.Of(source, WireJson.Default.SourceSpec), $"{source.Title} on {item.HostName}"], ct);
    }

    static async Task<string> FreeName(Transaction tx, NewItem first, CancellationToken ct)
    {
        var host = await tx.First("select name from host where id = $1", [first.Host.Value], row => row.Text(0), ct)
            ?? throw new NotFoundException("A host with this id");
        var wanted = $"{first.Source.Title} on {host}";
        if (wanted.Length > 90) wanted = "…" + wanted[^89..];
        var taken = await tx.Query("select name from policy where removed_at is null and (name = $1 or name like $2)",
            [wanted, wanted.Replace("%", "\\%", StringComparison.Ordinal) + " (%"], row => row.Text(0), ct);
        if (!taken.Contains(wanted)) return wanted;
        for (var number = 2; ; number++)
            if (!taken.Contains($"{wanted} ({number})")) return $"{wanted} ({number})";
    }

    /// <summary>Two receivers of one log would store everything twice, and hold it back on the server by two slots.</summary>
    /// <exception cref="ConflictException">The log of this server is received already.</exception>
    static async Task MustBeFirstReceiver(Transaction tx, HostId host, SourceSpec source, ItemId? own, CancellationToken ct)
    {
        var others = await tx.Query("select name, source from item where host_id = $1 and retired_at is null and id <> $2",
            [host, own ?? default], row => (Name: row.Text("name"), Source: row.Json("source", WireJson.Default.SourceSpec)!), ct);
        if (others.Find(other => other.Source.Log is not null && IsSame(other.Source, source)).Name is { } name)
            throw new ConflictException("policy.log_received", $"The log of this server is received for '{name}' already.",
                "Leave its log to that policy, or remove that policy first.");
    }

    static bool IsSame(SourceSpec one, SourceSpec other) => (one, other) switch
    {
        ({ PostgreSql: { } cluster }, { PostgreSql: { } wanted }) => IsSame(cluster, wanted),
        ({ MariaDb: { } server }, { MariaDb: { } wanted }) => server.DataFolder is not null || wanted.DataFolder is not null
            ? server.DataFolder == wanted.DataFolder : server.Place == wanted.Place,
        _ => false,
    };

    // Of a folder and a socket only the agent knows whether they are one.
    static bool IsSame(PostgreSqlSpec one, PostgreSqlSpec other) => one.DataFolder is not null || other.DataFolder is not null
        ? one.DataFolder == other.DataFolder
        : (one.Host ?? PostgreSqlSpec.DefaultHost, one.Port ?? PostgreSqlSpec.DefaultPort)
            == (other.Host ?? PostgreSqlSpec.DefaultHost, other.Port ?? PostgreSqlSpec.DefaultPort);
}
