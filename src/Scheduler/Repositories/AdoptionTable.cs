using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Writes what is known of adopted repositories, and makes the runs that look through them.</summary>
static class AdoptionTable
{
    /// <summary>Makes a run that looks through an adopted repository, or gives the one that is not over yet.</summary>
    /// <exception cref="NotFoundException">There is no adopted repository with this id.</exception>
    public static async Task<RunId> Look(Transaction tx, RepositoryId repository, RunId run, string requestedBy, CancellationToken ct)
    {
        var about = await tx.First("""
            select r.name, r.host_id, (select k.id from run k where k.repository_id = r.id and k.kind = 'Adopt'
                and k.state in ('Queued', 'Leased', 'Running') order by k.id limit 1) as look_id
            from repository r where r.id = $1 and r.adopted_at is not null for update of r
            """, [repository], row => new
        {
            Name = row.Text("name"),
            Host = row.Id<HostId>("host_id"),
            Look = row.IdOrNull<RunId>("look_id"),
        }, ct) ?? throw new NotFoundException("An adopted repository with this id");
        if (about.Look is { } there) return there;
        await RepositoryTable.AwaitInit(tx, repository, ct);
        await RunTable.Add(tx, new NewRun
        {
            Id = run,
            Kind = JobKind.Adopt,
            Title = $"Look through {about.Name}",
            Host = about.Host,
            Repository = repository,
            RequestedBy = requestedBy,
            Job = new StoredJob(),
        }, ct);
        await Notifications.Changed(tx, "storage", repository.ToString(), ct);
        return run;
    }

    /// <summary>Makes a run for each repository that looks for snapshots of which nothing is known here. What is in use stays usable
    /// meanwhile.</summary>
    /// <returns>How many.</returns>
    public static async Task<int> LookThroughAll(Transaction tx, TimeProvider clock, string requestedBy, CancellationToken ct)
    {
        var all = await tx.Query("""
            select r.id, r.host_id, coalesce(r.name, 'the repository of ' || h.name) as name
            from repository r join host h on h.id = r.host_id
            where r.state = 'Ready' and h.retired_at is null and not exists (select from run k where k.repository_id = r.id
                and k.kind = 'Adopt' and k.state in ('Queued', 'Leased', 'Running')) order by r.id
            """, [], row => (Id: row.Id<RepositoryId>("id"), Host: row.Id<HostId>("host_id"), Name: row.Text("name")), ct);
        foreach (var one in all)
            await RunTable.Add(tx, new NewRun
            {
                Id = RunId.New(clock),
                Kind = JobKind.Adopt,
                Title = $"Look through {one.Name}",
                Host = one.Host,
                Repository = one.Id,
                RequestedBy = requestedBy,
                Job = new StoredJob(),
            }, ct);
        return all.Count;
    }

    /// <summary>A look came to its end.</summary>
    public static async Task Looked(Transaction tx, RepositoryId repository, string configId, AdoptResult look, CancellationToken ct)
    {
        await tx.Execute("""
            update repository set state = $2, config_id = coalesce(config_id, $3::text), looked_at = clock(), look_problem = $4
            where id = $1
            """, [repository, RepositoryState.Ready, configId, Problem(look)], ct);
        await Notifications.Changed(tx, "storage", repository.ToString(), ct);
    }

    static string? Problem(AdoptResult look) => (look.ProblemCount, look.NotListed) switch
    {
        (0, 0) => null,
        (0, var older) => $"Only the newest {look.SnapshotCount - older} of {look.SnapshotCount} snapshots became recovery points.",
        (1, _) => $"One snapshot cannot be read: {look.Problems[0].Message}",
        (var count, _) => $"{count} snapshots cannot be read. The first: {look.Problems[0].Message}",
    };

    /// <summary>A look failed. What was adopted before stays usable: the place may only be away for a while.</summary>
    public static async Task Failed(Transaction tx, RepositoryId repository, string problem, CancellationToken ct)
    {
        await tx.Execute("update repository set state = case when state = $2 then state else $3 end, look_problem = $4 where id = $1",
            [repository, RepositoryState.Ready, RepositoryState.Failed, problem], ct);
        await Notifications.Changed(tx, "storage", repository.ToString(), ct);
    }
}
