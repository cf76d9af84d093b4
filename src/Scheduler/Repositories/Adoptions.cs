using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Looks through an adopted repository again: for what stock restic added or removed, or after a look that failed.</summary>
public sealed class LookAgain(Postgres db, SealedSecrets secrets, TimeProvider clock)
{
    /// <summary>Starts it, or gives the look that is not over yet.</summary>
    /// <exception cref="BadInputException">The new password cannot be one.</exception>
    public async Task<RunStarted> Handle(Caller caller, LookAgainRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        return await db.InTransaction(async tx =>
        {
            if (request.Password is { } password)
                await tx.Execute("update repository set password_sealed = $2 where id = $1 and adopted_at is not null", [request.Id,
                    (await secrets.InUse(tx, ct)).Seal("repository", request.Id.ToString(), "password",
                        AdoptRepository.CheckPassword(password))], ct);
            var run = await AdoptionTable.Look(tx, request.Id, RunId.New(clock), caller.Name, ct);
            await Audit.Add(tx, caller, "repository.look", request.Id.ToString(), request.Password is null ? run.ToString()
                : $"{run}, with another password", ct);
            return new RunStarted(run);
        }, ct);
    }
}

/// <summary>Says whether what is in an adopted repository may be removed, rewritten or repaired. Backups need no such word: they only
/// add.</summary>
public sealed class AllowUpkeep(Postgres db)
{
    /// <exception cref="NotFoundException">There is no adopted repository with this id: the others are ours.</exception>
    public async Task Handle(Caller caller, AllowUpkeepRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        await db.InTransaction(async tx =>
        {
            var name = await tx.First("""
                update repository set upkeep_allowed = $2, upkeep_set_by = $3, upkeep_set_at = clock()
                where id = $1 and adopted_at is not null returning name
                """, [request.Id, request.Allowed, caller.Name], row => row.Text("name"), ct)
                ?? throw new NotFoundException("An adopted repository with this id");
            await Notifications.Changed(tx, "storage", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "repository.upkeep", request.Id.ToString(),
                $"{name}: {(request.Allowed ? "allowed" : "withdrawn")}", ct);
        }, ct);
    }
}

/// <summary>Detaches an adopted repository: its recovery points and runs are forgotten here, and what is in it stays as it is.</summary>
public sealed class RemoveRepository(Postgres db, FourEyes eyes)
{
    /// <exception cref="NotFoundException">There is no adopted repository with this id.</exception>
    /// <exception cref="ConflictException">A policy continues it or once did, or a run of it is not over.</exception>
    public async Task Handle(Caller caller, RemoveRepositoryRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var known = await db.First("select name, url from repository where id = $1 and adopted_at is not null", [request.Id],
            row => new { Name = row.Text(0), Url = row.Text(1) }, ct) ?? throw new NotFoundException("An adopted repository with this id");
        await eyes.Pass(caller, new Command("repository.remove", request.Id.ToString(),
            $"Detaches the repository {known.Name}, and forgets "
            + "its recovery points here.", known.Url), request, WireJson.Default.RemoveRepositoryRequest, ct);
        await db.InTransaction(async tx =>
        {
            var about = await tx.First("select name, location_id from repository where id = $1 and adopted_at is not null for update",
                [request.Id], row => new { Name = row.Text("name"), Location = row.Id<LocationId>("location_id") }, ct)
                ?? throw new NotFoundException("An adopted repository with this id");
            var item = await tx.First("select name from item where repository_id = $1 limit 1", [request.Id], row => row.Text("name"), ct);
            if (item is not null)
                throw new ConflictException("repository.in_use", $"Backups of ours went into this repository: {item}.",
                    "Their recovery points belong to it, so it stays.");
            await ReplicaTable.Forget(tx, request.Id, ct);
            await RunTable.Forget(tx, request.Id, ct);
            await RecoveryPointTable.Forget(tx, request.Id, ct);
            await AgentQuestions.Forget(tx, request.Id, ct);
            await GatewayUsers.Forget(tx, request.Id, ct);
            await tx.Execute("delete from repository where id = $1", [request.Id], ct);
            await tx.Execute("delete from location where id = $1 and is_closed", [about.Location], ct);
            await Notifications.Changed(tx, "storage", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "repository.remove", request.Id.ToString(), about.Name, ct);
        }, ct);
    }
}
