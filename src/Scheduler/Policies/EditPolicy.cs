using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies.Documents;
using BackupDr.Scheduler.Retention;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Timing;
using Npgsql;

namespace BackupDr.Scheduler.Policies;

/// <summary>A change of a policy, from wherever it comes.</summary>
sealed record PolicyEdit
{
    public required PolicyId Id { get; init; }
    public required string Name { get; init; }
    public required PolicySpec Spec { get; init; }
    /// <summary>Null for no rules.</summary>
    public AssignSpec? Assign { get; init; }
    /// <summary>The name that it has now, where recovery points may go.</summary>
    public string? Confirm { get; init; }
    /// <summary>The version that it was made from; null for whatever is there.</summary>
    public int? Based { get; init; }
    public required PolicyOrigin Origin { get; init; }
    /// <summary>What happened beside; something alone makes a version too.</summary>
    public string? Remark { get; init; }
}

/// <summary>Changes a policy's name, objectives, schedule and rules. Each change is a version.</summary>
public sealed class EditPolicy(Postgres db, FourEyes eyes, IFiringEngine firing)
{
    /// <summary>Changes it; what is as it was makes no version.</summary>
    /// <exception cref="BadInputException">It cannot be so, or recovery points would go and the name is not there.</exception>
    /// <exception cref="ConflictException">Somebody changed it meanwhile, or the name is taken.</exception>
    public async Task<Policy> Handle(Caller caller, EditPolicyRequest request, CancellationToken ct)
    {
        await caller.Must(Right.PolicyWrite, request.Id, ct);
        // A rule takes whatever matches it, anywhere.
        if (request.Assign is { Rules.Count: > 0 }) caller.Must(Right.PolicyWrite);
        await MustBeSeenByTwo(db, eyes, caller, request, ct);
        var policy = await db.InTransaction(async tx =>
        {
            var assign = request.Assign ?? await tx.First("select assign from policy where id = $1 for update", [request.Id],
                row => row.Json("assign", WireJson.Default.AssignSpec), ct);
            await Change(tx, caller, new PolicyEdit
            {
                Id = request.Id,
                Name = request.Name,
                Spec = request.Spec,
                Assign = assign,
                Confirm = request.Confirm,
                Based = request.Version,
                Origin = PolicyVersionTable.OriginOf(caller),
            }, ct);
            return await PolicyTable.Get(tx, request.Id, ct);
        }, ct);
        await Schedule(firing, policy, ct);
        return policy;
    }

    /// <summary>Tells the firing engine of a policy that was made or changed.</summary>
    internal static async Task Schedule(IFiringEngine firing, Policy policy, CancellationToken ct)
    {
        if (policy.PausedAt is null) await firing.ScheduleOrReplace(PolicyFirings.Key(policy.Id), policy.Spec.Schedule, ct);
    }

    /// <summary>A change that protects less than before needs a second person, where the installation wants that.</summary>
    internal static async Task MustBeSeenByTwo(Postgres db, FourEyes eyes, Caller caller, EditPolicyRequest request, CancellationToken ct)
    {
        var now = await db.First("select name, spec, version from policy where id = $1 and removed_at is null", [request.Id],
            row => new { Name = row.Text(0), Spec = row.Json("spec", WireJson.Default.PolicySpec)!, Version = row.Int(2) }, ct)
            ?? throw new NotFoundException("A policy with this id");
        PolicyTable.Check(request.Spec, hasLog: true);   // what cannot be is not asked for
        var ways = Weakening.Of(now.Spec, request.Spec);
        if (ways.Count == 0) return;
        await eyes.Pass(caller, new Command("policy.edit", request.Id.ToString(), $"The policy {now.Name} {string.Join(", ", ways)}.",
            $"{now.Version}"), request, WireJson.Default.EditPolicyRequest, ct);
    }

    /// <summary>Files are applied together or not at all, and a part of them cannot wait for a second person.</summary>
    /// <exception cref="ConflictException">Four eyes are on, and this protects less than before.</exception>
    static async Task MustNotWeaken(Transaction tx, PolicyEdit edit, string name, PolicySpec now, CancellationToken ct)
    {
        if (edit.Origin != PolicyOrigin.Document || !await FourEyes.IsOn(tx, ct)) return;
        if (Weakening.Of(now, edit.Spec) is { Count: > 0 } ways)
            throw new ConflictException("approval.not_by_file", $"The policy {name} {string.Join(", ", ways)}: that needs a second person, "
                + "for whom files do not wait.", "Change this policy on its page or over the API, then apply the files.");
    }

    /// <summary>Changes it in the caller's transaction; false where it is so already.</summary>
    internal static async Task<bool> Change(Transaction tx, Caller caller, PolicyEdit edit, CancellationToken ct)
    {
        var now = await tx.First("select name, spec, assign, version from policy where id = $1 and removed_at is null for update",
            [edit.Id], row => new
            {
                Name = row.Text("name"),
                Spec = row.Json("spec", WireJson.Default.PolicySpec)!,
                Assign = row.Json("assign", WireJson.Default.AssignSpec),
                Version = row.Int("version"),
            }, ct) ?? throw new NotFoundException("A policy with this id");
        if (edit.Based is { } based && based != now.Version) throw await PolicyVersionTable.Changed(tx, edit.Id, now.Name, based, ct);
        var assign = edit.Assign is { Rules.Count: 0 } ? null : edit.Assign;
        var sources = await tx.Query("select source from item where policy_id = $1 and retired_at is null", [edit.Id],
            row => row.Json("source", WireJson.Default.SourceSpec)!, ct);
        PolicyTable.Check(edit.Spec, PolicyTable.HasLog(sources, assign));
        await PolicyTable.CheckHosts(tx, edit.Spec, ct);
        await PolicyTable.CheckRules(tx, assign, ct);
        var name = PolicyTable.Name(edit.Name);
        var changes = PolicyDiff.Between((now.Name, now.Spec, now.Assign), (name, edit.Spec, assign), WireNames.None);
        if (changes.Count == 0 && edit.Remark is null) return false;
        await MustNotWeaken(tx, edit, now.Name, now.Spec, ct);
        await MustBeConfirmed(tx, edit, now.Name, ct);
        await Write(tx, edit, name, assign, now.Spec, ct);
        await PolicyVersionTable.Add(tx, edit.Id, caller, edit.Origin, edit.Remark, ct);
        await RetentionTable.LookSoon(tx, edit.Id, ct);
        await ScheduledStarts.PlanAgain(tx, edit.Id, StartTimes.Of(edit.Spec.Schedule), ct);
        await Audit.Add(tx, caller, "policy.edit", edit.Id.ToString(), PolicyTable.Write(edit.Spec), ct);
        await Notifications.Changed(tx, "policies", edit.Id.ToString(), ct);
        return true;
    }

    static async Task Write(Transaction tx, PolicyEdit edit, string name, AssignSpec? assign, PolicySpec was, CancellationToken ct)
    {
        var former = was.Retention.Trash;
        try
        {
            // Whoever shortens the trash waits for the former time once.
            await tx.Execute("""
                update policy set name = $2, spec = $3, assign = $6, version = version + 1,
                    trash_before = case when $4 then greatest($5, case when trash_before_until > clock() then trash_before end)
                        else trash_before end,
                    trash_before_until = case when $4 then greatest(clock() + $5, trash_before_until) else trash_before_until end,
                    schedule_since = case when $7 then clock() else schedule_since end
                where id = $1
                """, [edit.Id, name, new JsonText(PolicyTable.Write(edit.Spec)), edit.Spec.Retention.Trash < former, former,
                    Rules(assign), HasOtherTimes(was.Schedule, edit.Spec.Schedule)], ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation) { throw NameTaken(name); }
    }

    /// <summary>Whether nominal times are others from now on: those of the new schedule that lie behind were not missed.</summary>
    static bool HasOtherTimes(ScheduleSpec was, ScheduleSpec now)
        => was.Every != now.Every || was.Cron != now.Cron || was.Cron is not null && was.TimeZone != now.TimeZone;

    /// <summary>Rules for a jsonb column; none are null.</summary>
    internal static object? Rules(AssignSpec? assign) => JsonText.Of(assign is { Rules.Count: 0 } ? null : assign,
        WireJson.Default.AssignSpec);

    /// <summary>A change that makes recovery points go needs the policy's name, typed by a person.</summary>
    /// <exception cref="BadInputException">It would, and the name is not there.</exception>
    static async Task MustBeConfirmed(Transaction tx, PolicyEdit edit, string name, CancellationToken ct)
    {
        if (edit.Confirm?.Trim() == name) return;
        if (await RetentionOutlook.Loss(tx, edit.Id, edit.Spec.Retention, ct) is not { } loss) return;
        throw new BadInputException("confirm", $"{(loss.Points == 1 ? "A recovery point" : $"{loss.Points} recovery points")} of "
            + $"{string.Join(", ", loss.Items)} would go for good from {loss.FirstGoesAt?.UtcDateTime:yyyy-MM-dd} on; the oldest was "
            + $"received on {loss.Oldest?.UtcDateTime:yyyy-MM-dd}.", edit.Origin == PolicyOrigin.Document
            ? $"If that is meant, apply with --lose-points '{name}'." : $"If that is meant, type the policy's name: {name}");
    }

    internal static ConflictException NameTaken(string name) => new("policy.name", $"There is another policy named '{name.Trim()}'.",
        "Choose another name.");
}
