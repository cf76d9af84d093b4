using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Finds on this node what a location really does, and keeps what was found with the location.</summary>
/// <remarks>Without credentials of its own an object store is opened with this node's: its variables, profile or role.</remarks>
public sealed class TestLocation(Postgres db, LocationSecrets secrets, LocationTrial trial)
{
    /// <exception cref="ConflictException">The location is a folder of a host, or an adopted repository's.</exception>
    public async Task<Location> Handle(Caller caller, TestLocationRequest request, CancellationToken ct)
    {
        await caller.Must(Right.StorageManage, request.Id, ct);
        var (location, credentials) = await secrets.Find(db, request.Id, ct);
        if (location.Kind == LocationKind.Folder)
            throw new ConflictException("location.on_host", "The folder is on a host, and only that machine's agent opens it: a node "
                + "cannot test it.", "Back up into it; the run tells what does not work.");
        if (location.IsClosed)
            throw new ConflictException("location.closed", "A test writes and deletes, and this is the place of an adopted repository.",
                "Look again at the repository: that tells whether it can be read.");
        var lines = await trial.Probe(LocationWay.Of(location, credentials), request.TryLock, ct);
        return await Keep(caller, request.Id, lines, ct);
    }

    Task<Location> Keep(Caller caller, LocationId id, IReadOnlyList<ProbeLine> lines, CancellationToken ct) => db.InTransaction(async tx =>
    {
        await trial.Keep(tx, id, lines, ct);
        var location = await tx.First($"{ListLocations.Select} where l.id = $1", [id], ListLocations.Read, ct)
            ?? throw new NotFoundException("A location with this id");
        await Notifications.Changed(tx, "storage", id.ToString(), ct);
        var found = lines.CountBy(line => line.Result).ToDictionary();
        await Audit.Add(tx, caller, "location.test", id.ToString(), $"{location.Name}: {found.GetValueOrDefault(ProbeResult.Works)} work, "
            + $"{found.GetValueOrDefault(ProbeResult.DoesNot)} do not, {found.GetValueOrDefault(ProbeResult.Untested)} untested", ct);
        return location;
    }, ct);
}
