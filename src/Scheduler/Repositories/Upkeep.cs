using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Retention;

namespace BackupDr.Scheduler.Repositories;

/// <summary>What is done to repositories now and then, each by a run of its own: how those of which it is due are found, and how the run is
/// made. Each kind keeps its own due times.</summary>
public sealed class Upkeep(ChecksOptions checks)
{
    /// <summary>The repositories of which one is due, locked for the transaction; those of another node are left to it.</summary>
    internal static Task<List<RepositoryId>> Due(Transaction tx, JobKind kind, int most, CancellationToken ct) => kind switch
    {
        JobKind.Check => RollingCheckTable.Due(tx, most, ct),
        JobKind.Tier => TierTable.Due(tx, most, ct),
        JobKind.Prune => GarbageTable.Due(tx, most, ct),
        _ => throw Unknown(kind),
    };

    /// <summary>Makes its run, or gives the one that waits or is under way.</summary>
    /// <returns>The run; null with the reason where there can be none.</returns>
    internal async Task<(RunId? Run, ConflictException? Problem)> Start(Transaction tx, JobKind kind, RepositoryId repository, RunId run,
        string requestedBy, CancellationToken ct)
    {
        switch (kind)
        {
            case JobKind.Check:
                return (await RollingCheckTable.Start(tx, repository, run, requestedBy, checks, ct), new ConflictException(
                    "repository.not_ready", "This repository was not made yet.", "Wait for its first backup."));
            case JobKind.Tier:
                return (await TierTable.Start(tx, repository, run, requestedBy, ct), new ConflictException("repository.no_tier",
                    "No location of this repository says into which class its packs move.", "Set that at the location."));
            case JobKind.Prune:
                var (started, problem) = await GarbageTable.Start(tx, repository, JobKind.Prune, run, requestedBy, ct);
                return (started, problem is null ? null
                    : new ConflictException("repository.no_prune", problem, "See docs/operate/retention.md."));
            default: throw Unknown(kind);
        }
    }

    static BadInputException Unknown(JobKind kind)
        => new("kind", $"{kind} is nothing that is done to repositories now and then.", "Check, Tier or Prune.");
}

/// <summary>Starts the upkeep that is due. Any node may do it at any time.</summary>
public sealed class UpkeepDue(Postgres db, Upkeep upkeep, TimeProvider clock)
{
    const int AtOnce = 100;

    /// <summary>Starts that of a kind; gives the number of runs.</summary>
    public Task<int> Run(JobKind kind, CancellationToken ct) => db.InTransaction(async tx =>
    {
        var due = await Upkeep.Due(tx, kind, AtOnce, ct);
        foreach (var repository in due) await upkeep.Start(tx, kind, repository, RunId.New(clock), "schedule", ct);
        return due.Count;
    }, ct);
}

/// <summary>Starts upkeep of one repository now: a check of its structure, of what was damaged and of the next part of its packs; the move
/// of what its locations want in a cooler class; or the return of the space of what nothing needs.</summary>
public sealed class StartUpkeep(Postgres db, Upkeep upkeep, TimeProvider clock)
{
    /// <summary>Starts it, or gives the run that waits or is under way.</summary>
    /// <exception cref="ConflictException">It cannot be done: the message says why.</exception>
    public async Task<RunStarted> Handle(Caller caller, StartUpkeepRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RunStart, request.Id, ct);
        return await db.InTransaction(async tx =>
        {
            if (!await tx.Scalar<bool>("select exists (select from repository where id = $1)", [request.Id], ct))
                throw new NotFoundException("A repository with this id");
            // Of a prune its own rules say more than that.
            if (request.Kind != JobKind.Prune) await RepositoryTable.MustAllowUpkeep(tx, request.Id, ct);
            var (run, problem) = await upkeep.Start(tx, request.Kind, request.Id, RunId.New(clock), caller.Name, ct);
            if (run is not { } started) throw problem!;
            await Audit.Add(tx, caller, $"repository.{request.Kind.ToString().ToLowerInvariant()}", request.Id.ToString(),
                started.ToString(), ct);
            return new RunStarted(started);
        }, ct);
    }
}
