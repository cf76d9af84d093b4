using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;

namespace BackupDr.Scheduler.Restores;

/// <summary>What would bring back all items of a host to where they were, each as one restore.</summary>
public sealed class PlanHostRestore(ShowHost showHost, ListItems listItems, ListRecoveryPoints listPoints,
    ListRepositories listRepositories, ListLocations listLocations)
{
    /// <summary>One part for each item in service, in the order of their names.</summary>
    public async Task<IReadOnlyList<HostRestorePart>> Handle(Caller caller, PlanHostRestoreRequest request, CancellationToken ct)
    {
        await caller.Must(Right.RestoreRead, request.Id, ct);
        var host = await showHost.Handle(caller, new ShowHostRequest(request.Id), ct);
        var lost = host.ReplacedAt is null ? [] : await Lost(caller, host.Id, ct);
        var parts = new List<HostRestorePart>();
        foreach (var item in (await listItems.Handle(caller, new ListItemsRequest(), ct)).Where(item => item.Host == host.Id))
        {
            var points = await listPoints.Handle(caller, new ListRecoveryPointsRequest(item.Id), ct);
            // The new machine's own backups are of what it has not got back yet.
            var point = PlanRestore.Choose([.. points.Where(point => host.ReplacedAt is not { } at || point.TakenAt < at)]);
            var (target, paths) = WhereItWas(item.Source, point);
            parts.Add(new HostRestorePart(item, point, target, paths, point is not null && lost.Contains(point.Repository)));
        }
        return parts;
    }

    /// <summary>The repositories that lay in folders of the former machine and nowhere else.</summary>
    async Task<HashSet<RepositoryId>> Lost(Caller caller, HostId host, CancellationToken ct)
    {
        var locations = (await listLocations.Handle(caller, new ListLocationsRequest(), ct)).ToDictionary(location => location.Id);
        bool WasThere(LocationId place, RepositorySummary repository) => locations.GetValueOrDefault(place) is { Kind: LocationKind.Folder }
            location && (location.Host ?? repository.Host) == host;
        return [.. (await listRepositories.Handle(caller, new ListRepositoriesRequest(), ct)).Where(repository
            => WasThere(repository.Location, repository) && repository.Replicas.All(replica => WasThere(replica.Location, repository)))
            .Select(repository => repository.Id)];
    }

    static (FilePath Target, IReadOnlyList<FilePath> Paths) WhereItWas(SourceSpec source, RecoveryPoint? point) => source.Kind switch
    {
        _ when point?.Backup.ServerFolder is { } folder => (folder, []),
        SourceKind.Sqlite or SourceKind.Volume => (FilePath.FromText("/"), [source.FirstPath]),   // without what is said of it
        _ => (FilePath.FromText("/"), []),
    };
}
