using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Reads how far the rolling checks of repositories are, makes their runs, and keeps what they found.</summary>
/// <remarks>Packs are read in the order of their names, a part each day: a round is over when the last was read, and the next begins. The
/// structure is checked each time, and so is each pack that was damaged before: what the newest check found is all that is known.</remarks>
static class RollingCheckTable
{
    /// <summary>Least bytes of packs that a check reads, where there are as many.</summary>
    public const long LeastBytes = 64 << 20;
    /// <summary>From one check to the next, and from a repository's making to its first.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromDays(1);
    /// <summary>From one look of the unmodified restic program to the next. One that could not look is asked again with the next check, and
    /// so is one that found something: what the newest check found is all that is known.</summary>
    static readonly TimeSpan ResticEvery = TimeSpan.FromDays(7);

    // A day may fall out.
    const double Share = 1.1 / RollingCheck.DaysOfRound;
    const int MostNames = 1000;

    public static async Task<IReadOnlyDictionary<RepositoryId, RollingCheck>> All(SqlSource db, ChecksOptions options,
        CancellationToken ct)
        => (await db.Query("""
            select r.id, r.check_after, r.round_began_at, r.last_round_began_at, r.last_round_ended_at, r.checked_at, r.damage,
                r.restic, r.restic_at, coalesce(r.restic_due_at, r.created_at) as restic_due_at,
                case when k.state in ('Queued', 'Leased', 'Running') then null
                    else coalesce(r.check_due_at, r.created_at + $1) end as due_at, k.id as run_id, k.state
            from repository r left join lateral (
                select id, state from run where repository_id = r.id and kind = 'Check' order by id desc limit 1) k on true
            where r.upkeep_allowed and r.state = 'Ready'
            """, [Every], row => (Id: row.Id<RepositoryId>("id"), Check: new RollingCheck
        {
            Position = Position(row.TextOrNull("check_after")),
            RoundBeganAt = row.TimeOrNull("round_began_at"),
            LastRoundBeganAt = row.TimeOrNull("last_round_began_at"),
            LastRoundEndedAt = row.TimeOrNull("last_round_ended_at"),
            CheckedAt = row.TimeOrNull("checked_at"),
            Damage = row.Json("damage", WireJson.Default.CheckResult),
            Restic = row.Json("restic", WireJson.Default.ResticCheck),
            ResticAt = row.TimeOrNull("restic_at"),
            ResticDueAt = options.WithRestic ? row.Time("restic_due_at") : null,
            DueAt = row.TimeOrNull("due_at"),
            LastRun = row.IdOrNull<RunId>("run_id"),
            LastState = row.WordOrNull<RunState>("state"),
        }), ct)).ToDictionary(one => one.Id, one => one.Check);

    /// <summary>Names are hashes, and so their beginning says which part of them lies before.</summary>
    static double Position(string? after)
        => after is null ? 0 : uint.Parse(after.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture) / (double)uint.MaxValue;

    /// <summary>Makes a run that checks, unless one waits or is under way.</summary>
    /// <returns>The run, also where it was there already; null where upkeep is not allowed.</returns>
    public static async Task<RunId?> Start(Transaction tx, RepositoryId repository, RunId run, string requestedBy, ChecksOptions options,
        CancellationToken ct)
    {
        var found = await tx.First("""
            select r.host_id, h.name, r.check_after, r.damage,
                coalesce(r.restic_due_at, r.created_at) <= clock() as restic
            from repository r join host h on h.id = r.host_id
            where r.id = $1 and r.upkeep_allowed and r.state = 'Ready' for update of r
            """, [repository], row => new
        {
            Host = row.Id<HostId>(0),
            Name = row.Text(1),
            After = row.TextOrNull(2),
            Damage = row.Json("damage", WireJson.Default.CheckResult),
            WithRestic = row.Bool("restic"),
        }, ct);
        if (found is null) return null;
        if (await RunTable.Open(tx, repository, JobKind.Check, ct) is { } there) return there;
        await tx.Execute("update repository set check_due_at = clock() + $2 where id = $1", [repository, Every], ct);
        await RunTable.Add(tx, new NewRun
        {
            Id = run,
            Kind = JobKind.Check,
            Title = $"Check the repository of {found.Name}",
            Host = found.Host,
            Repository = repository,
            RequestedBy = requestedBy,
            Job = new StoredJob(Check: new CheckJob
            {
                Round = new CheckRound(found.After, Share, LeastBytes, [.. (found.Damage?.DamagedPacks ?? []).Take(MostNames)]),
                WithRestic = found.WithRestic && options.WithRestic,
            }),
        }, ct);
        await Notifications.Changed(tx, "storage", repository.ToString(), ct);
        return run;
    }

    /// <summary>Keeps what a check found; a round that came to its end begins anew with the next.</summary>
    public static async Task Checked(Transaction tx, RepositoryId repository, CheckResult result, CancellationToken ct)
    {
        await tx.Execute("""
            update repository set checked_at = clock(), check_after = $2,
                last_round_began_at = case when $2::text is null then coalesce(round_began_at, clock()) else last_round_began_at end,
                last_round_ended_at = case when $2::text is null then clock() else last_round_ended_at end,
                round_began_at = case when $2::text is null then null else coalesce(round_began_at, clock()) end,
                damage = $3
            where id = $1
            """, [repository, result.Reached, result.Errors.Count == 0 ? null : JsonText.Of(result, WireJson.Default.CheckResult)], ct);
        await Notifications.Changed(tx, "storage", repository.ToString(), ct);
        if (result.Restic is { } restic)
            await tx.Execute("update repository set restic = $2, restic_at = clock(), restic_due_at = clock() + $3 where id = $1",
                [repository, JsonText.Of(restic, WireJson.Default.ResticCheck),
                restic is { Problem: null, Errors.Count: 0 } ? ResticEvery : TimeSpan.Zero], ct);
        await Notifications.Changed(tx, "points", null, ct);
    }

    /// <summary>The repositories of which a check is due; another node's are left to it.</summary>
    public static Task<List<RepositoryId>> Due(Transaction tx, int most, CancellationToken ct) => tx.Query("""
        select r.id from repository r join host h on h.id = r.host_id
        where r.state = 'Ready' and r.upkeep_allowed and h.retired_at is null and coalesce(r.check_due_at, r.created_at + $1) <= clock()
        order by r.id limit $2 for update of r skip locked
        """, [Every, most], row => row.Id<RepositoryId>(0), ct);
}
