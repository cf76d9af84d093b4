using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Gateway;
using BackupDr.Storage;
using BackupDr.Storage.Probing;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Finds on this node what a location really does, and keeps what was found with the location.</summary>
/// <remarks>Without credentials of its own an object store is opened with this node's: its variables, profile or role.</remarks>
public sealed class TestLocation(Postgres db, LocationSecrets secrets, GatewayStores gateway, NodeOptions node, TimeProvider clock)
{
    sealed record Place(bool IsClosed, LocationKind Kind, FilePath? Path, string? Address, StoreOptions Options);

    /// <exception cref="ConflictException">The location is a folder of a host, or an adopted repository's.</exception>
    public async Task<Location> Handle(Caller caller, TestLocationRequest request, CancellationToken ct)
    {
        caller.Must(Right.StorageManage);
        var place = await db.First("""
            select id as location_id, kind, path, address, options, credentials_sealed, is_closed from location where id = $1
            """, [request.Id], Read, ct) ?? throw new NotFoundException("A location with this id");
        if (place.Kind == LocationKind.Folder)
            throw new ConflictException("location.on_host", "The folder is on a host, and only that machine's agent opens it: a node "
                + "cannot test it.", "Back up into it; the run tells what does not work.");
        if (place.IsClosed)
            throw new ConflictException("location.closed", "A test writes and deletes, and this is the place of an adopted repository.",
                "Look again at the repository: that tells whether it can be read.");
        var lines = await Probe(place, request, ct);
        return await Keep(caller, request.Id, lines, ct);
    }

    Place Read(Row row)
    {
        var variables = secrets.Variables(row);
        var options = new StoreOptions(row.Texts("options")) { Retry = ProbeOptions.Impatient, Clock = clock };
        return new Place(row.Bool("is_closed"), row.Word<LocationKind>("kind"), row.PathOrNull("path"), row.TextOrNull("address"),
            variables is null ? options : options with { Environment = name => variables.GetValueOrDefault(name) });
    }

    async Task<IReadOnlyList<ProbeLine>> Probe(Place place, TestLocationRequest request, CancellationToken ct)
    {
        IObjectStore store;
        try
        {
            store = place.Path is { } folder ? await gateway.Root(folder, request.Id, ct)
                : StoreFactory.Open(place.Address!, place.Options);
        }
        catch (BackupDrException e) { return StoreProbe.Unopened(e); }
        await using (store)
            return await StoreProbe.Run(store, new ProbeOptions
            {
                TryLock = request.TryLock,
                StorageClass = place.Kind switch
                {
                    LocationKind.S3 => place.Options.Text("s3.storage-class") ?? "STANDARD_IA",
                    LocationKind.Azure => place.Options.Text("azure.access-tier") ?? "Cool",
                    _ => null,
                },
                Clock = clock,
            }, ct);
    }

    Task<Location> Keep(Caller caller, LocationId id, IReadOnlyList<ProbeLine> lines, CancellationToken ct) => db.InTransaction(async tx =>
    {
        await tx.Execute("update location set tested_at = clock(), tested_on = $2, test_lines = $3 where id = $1",
            [id, node.NameOrMachine, JsonText.Of(lines, WireJson.Default.IReadOnlyListProbeLine)], ct);
        var location = await tx.First($"{ListLocations.Select} where l.id = $1", [id], ListLocations.Read, ct)
            ?? throw new NotFoundException("A location with this id");
        await Notifications.Changed(tx, "storage", id.ToString(), ct);
        var found = lines.CountBy(line => line.Result).ToDictionary();
        await Audit.Add(tx, caller, "location.test", id.ToString(), $"{location.Name}: {found.GetValueOrDefault(ProbeResult.Works)} work, "
            + $"{found.GetValueOrDefault(ProbeResult.DoesNot)} do not, {found.GetValueOrDefault(ProbeResult.Untested)} untested", ct);
        return location;
    }, ct);
}
