using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Replaces or removes the credentials of an object store. New ones are tested first. Runs that have begun keep the former until
/// they end; one that the store refuses meanwhile is run again.</summary>
public sealed class ReplaceLocationCredentials(Postgres db, LocationSecrets secrets, LocationTrial trial)
{
    /// <exception cref="BadInputException">They cannot be used, or the location is a folder.</exception>
    /// <exception cref="ConflictException">The store refuses them; the former stay.</exception>
    public async Task<Location> Handle(Caller caller, ReplaceLocationCredentialsRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var (location, _) = await secrets.Find(db, request.Id, ct);
        if (location.Path is not null)
            throw new BadInputException("credentials", $"A location of the kind {location.Kind} has no credentials.",
                "Only S3, Azure and REST servers have.");
        await LocationSecrets.Check(location.Kind, location.Address, location.Options, request.Credentials);
        var lines = request.SkipTest ? null
            : await trial.Must("new credentials", LocationWay.Of(location, request.Credentials), ct);
        return await db.InTransaction(async tx =>
        {
            var touched = await tx.Execute("""
                update location set credentials_sealed = $2, credentials_set_at = case when $2::bytea is null then null else clock() end
                where id = $1
                """, [request.Id, await secrets.Seal(tx, request.Id, request.Credentials, ct)], ct);
            if (touched == 0) throw new NotFoundException("A location with this id");
            await trial.Keep(tx, request.Id, lines, ct);
            await Notifications.Changed(tx, "storage", request.Id.ToString(), ct);
            await Audit.Add(tx, caller, "location.credentials", request.Id.ToString(), $"{location.Name}: {Words(request, lines)}", ct);
            return (await secrets.Find(tx, request.Id, ct)).Location;
        }, ct);
    }

    static string Words(ReplaceLocationCredentialsRequest request, IReadOnlyList<ProbeLine>? lines)
        => request.Credentials is null ? "removed" : lines is null ? "replaced, without a test" : "replaced";
}
