using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Objectives;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Restores;

/// <summary>What a restore of an item would take and where it would write, before anything is done.</summary>
public sealed class PlanRestore(ShowItem showItem, ListRecoveryPoints listPoints, ShowRecoveryPoint showPoint, TimeProvider clock)
{
    /// <summary>Plans: the point asked for, else the newest proven point, else the newest complete one, else the newest; beside the
    /// source.</summary>
    public async Task<RestorePlan> Handle(Caller caller, PlanRestoreRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.RestoreRead);
        var point = request.Point is { } asked ? await showPoint.Handle(caller, new ShowRecoveryPointRequest(asked), ct) : null;
        if ((request.Item ?? point?.Item) is not { } id)
            return point is null ? throw new BadInputException("item", "Neither an item nor a recovery point was named.", "Name one.")
                : new RestorePlan(null, point, Beside(FirstPath(point, null), clock.GetUtcNow()), null);
        var item = await showItem.Handle(caller, new ShowItemRequest(id), ct);
        point ??= Choose(await listPoints.Handle(caller, new ListRecoveryPointsRequest(item.Id), ct));
        var (estimate, none) = Estimate(item, point);
        return new RestorePlan(item, point, Beside(FirstPath(point, item), clock.GetUtcNow()), estimate?.Time, estimate, none);
    }

    /// <summary>Of the chosen point, which may be larger than the newest one that the item's estimate is of.</summary>
    static (RestoreEstimate? Estimate, NoEstimate? Why) Estimate(Item item, RecoveryPoint? point)
        => point is null || item.RestoreEstimate is not { } of ? (item.RestoreEstimate, item.NoEstimate)
            : RestoreTimes.Of(new MeasuredRestores { Took = of.Took, Bytes = of.DrilledBytes, At = of.DrilledAt, Drill = of.Drill },
                point.Backup.Bytes);

    /// <summary>The newest proven one, else the newest complete one, else the newest.</summary>
    internal static RecoveryPoint? Choose(IReadOnlyList<RecoveryPoint> all)
    {
        var points = all.Where(point => point.GoneAt is null).ToList();
        return points.Find(point => point.Proof == ProofResult.Proven) ?? points.Find(point => point.IsComplete)
            ?? (points.Count > 0 ? points[0] : null);
    }

    /// <summary>What a restore is put beside: the item's first path, or the one that a found snapshot records.</summary>
    internal static FilePath FirstPath(RecoveryPoint? point, Item? item) => point?.Backup.ServerFolder is { } folder ? folder
        : item is not null ? item.Source.FirstPath
        : FilePath.FromText(point?.Found?.Paths.FirstOrDefault(path => path.StartsWith('/')) ?? "/");

    /// <summary>A file beside a server's data folder that does not exist yet: "/var/lib/shop.orders-20261121-140300.sql".</summary>
    internal static FilePath TableBeside(FilePath data, DatabaseTable table, DateTimeOffset now)
    {
        var name = string.Concat(table.ToString().Select(one => char.IsAsciiLetterOrDigit(one) || one is '.' or '-' or '_' ? one : '_'));
        var folder = System.IO.Path.GetDirectoryName(data.ToString().TrimEnd('/')) is { Length: > 1 } above ? above : "";
        return FilePath.FromText($"{folder}/{name}-{now.UtcDateTime.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture)}.sql");
    }

    /// <summary>A folder beside a path that does not exist yet: "/srv/data.restored-20261121-140300".</summary>
    internal static FilePath Beside(FilePath path, DateTimeOffset now)
    {
        var moment = now.UtcDateTime.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        var suffix = System.Text.Encoding.ASCII.GetBytes($".restored-{moment}");
        var parts = path.Parts();
        if (parts.Count == 0) return FilePath.FromText("/restored" + System.Text.Encoding.ASCII.GetString(suffix));
        return new FilePath([.. path.Bytes.TrimEnd((byte)'/'), .. suffix]);
    }
}

/// <summary>Starts a restore.</summary>
public sealed class RequestRestore(Postgres db, ShowRecoveryPoint showPoint, ShowItem showItem, TimeProvider clock)
{
    /// <summary>Starts it; the same client-made id again gives the run that was made.</summary>
    /// <exception cref="BadInputException">The target is not absolute, or on another machine than the repository.</exception>
    public async Task<RunStarted> Handle(Caller caller, RequestRestoreRequest request, CancellationToken ct)
    {
        await caller.Must(request.Overwrite != OverwritePolicy.Never ? Right.RestoreOver : Right.RestoreStart, request.Point, ct);
        if (request.Host is { } other) await caller.Must(Right.RestoreStart, other, ct);
        var point = await showPoint.Handle(caller, new ShowRecoveryPointRequest(request.Point), ct);
        RecoveryPointTable.MustBeThere(point);
        var item = point.Item is { } of ? await showItem.Handle(caller, new ShowItemRequest(of), ct) : null;
        var target = request.Target ?? PlanRestore.Beside(PlanRestore.FirstPath(point, item), clock.GetUtcNow());
        if (!target.IsAbsolute || target.Parts().Any(part => part.Bytes.SequenceEqual(".."u8))) throw new BadInputException("target",
            $"'{target}' is no absolute folder.", "For example /srv/restored");
        if (request.Paths.FirstOrDefault(path => !path.IsAbsolute) is { IsEmpty: false } relative) throw new BadInputException("paths",
            $"'{relative}' is not absolute.", "Name paths as the recovery point lists them.");
        if (point.Backup.ServerFolder is not null && request.Paths.Count > 0) throw new BadInputException("paths",
            "A part of a database server cannot be started.", "Leave the paths out, and take what is wanted from the started copy.");
        Check(request.Thaw);
        var host = request.Host ?? point.Host;
        return await db.InTransaction(async tx =>
        {
            await MustReach(tx, point.Repository, host, point.Host, ct);
            var id = request.Id ?? RunId.New(clock);
            var made = await RunTable.Add(tx, new NewRun
            {
                Id = id,
                Kind = JobKind.Restore,
                Title = $"Restore {point.ItemName} to {target}",
                Item = item?.Id,
                Policy = item?.Policy,
                Host = host,
                Repository = point.Repository,
                Point = point.Id,
                RequestedBy = caller.Name,
                Job = new StoredJob(Restore: new RestoreJob
                {
                    SnapshotId = point.SnapshotId,
                    Paths =
                    request.Paths,
                    Target = target,
                    Overwrite = request.Overwrite,
                    Thaw = request.Thaw,
                    Cluster = point.Backup.Cluster is { } cluster ? new ClusterRestoreJob { SystemIdentifier = cluster.SystemIdentifier }
                        : null,
                    MariaDb = point.Backup.MariaDb is { } server ? new MariaDbRestoreJob { Server = server.Server } : null,
                }),
            }, ct);
            if (made) await Audit.Add(tx, caller, "restore.request", id.ToString(), $"{point.Id} to {target} on {host}"
                + (request.Thaw is null ? "" : ", thawing what is archived"), ct);
            return new RunStarted(id);
        }, ct);
    }

    /// <summary>A folder is on one machine; a gateway and an object store are reached from all.</summary>
    /// <exception cref="BadInputException">The repository is a folder of another machine.</exception>
    internal static async Task MustReach(Transaction tx, RepositoryId repository, HostId host, HostId origin, CancellationToken ct)
    {
        var machine = await tx.First("select l.host_id from repository r join location l on l.id = r.location_id where r.id = $1 "
            + "and l.kind = $2", [repository.Value, LocationKind.Folder], row => row.IdOrNull<HostId>(0) ?? origin, ct);
        if (machine != default && machine != host)
            throw new BadInputException("host", "The repository is a folder of another machine, and only that machine can restore "
                + "from it.", "Restore to the host it came from, or keep the next backups behind a gateway or in an object store.");
    }

    /// <exception cref="BadInputException">Days or price are none.</exception>
    internal static void Check(ThawConsent? thaw)
    {
        if (thaw is { Days: < 1 or > ThawConsent.MostDays })
            throw new BadInputException("days", $"{thaw.Days} days are no time.", $"Write 1 to {ThawConsent.MostDays}.");
        if (thaw is { PriceOfGiB: < 0 or > 1000 or double.NaN })
            throw new BadInputException("price", "This is no price of a GiB.", "Write for example 0.02, or nothing for a list price.");
    }
}
