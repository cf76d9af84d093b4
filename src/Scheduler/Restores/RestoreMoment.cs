using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Restores;

/// <summary>Starts the restore of a PostgreSQL cluster to a moment.</summary>
public sealed class RestoreMoment(Postgres db, ShowItem showItem, ShowItemLog showLog, ListRecoveryPoints listPoints, TimeProvider clock)
{
    const int LongestName = 63;

    /// <summary>Starts it; the same client-made id again gives the run that was made.</summary>
    /// <exception cref="BadInputException">The moment cannot be restored to, with the nearest that can; or the target is none.</exception>
    /// <exception cref="ConflictException">There is no base backup yet.</exception>
    public async Task<RunStarted> Handle(Caller caller, RestoreMomentRequest request, CancellationToken ct)
    {
        caller.Must(Right.RestoreStart);
        var item = await showItem.Handle(caller, new ShowItemRequest(request.Item), ct);
        if (item.Source.PostgreSql is null) throw new BadInputException("item", $"{item.Name} is no PostgreSQL cluster.",
            "Restore one of its recovery points.");
        var points = await listPoints.Handle(caller, new ListRecoveryPointsRequest(item.Id, 1000), ct);
        var newest = points.FirstOrDefault(point => point is { GoneAt: null, IsComplete: true, Backup.Cluster: not null })
            ?? throw new ConflictException("restore.no_point", $"{item.Name} has no complete base backup yet.", "Run its policy first.");
        Check(request.Moment);
        if (request.Moment is { Kind: MomentKind.Time, Time: { } time })
            MustBeInside(time, item, await showLog.Handle(caller, new ShowItemLogRequest(item.Id), ct));
        var target = Target(request, item, newest);
        var (id, host) = (request.Id ?? RunId.New(clock), request.Host ?? item.Host);
        return await db.InTransaction(async tx =>
        {
            await RequestRestore.MustReach(tx, item.Repository, host, item.Host, ct);
            var made = await RunTable.Add(tx, new NewRun
            {
                Id = id,
                Kind = JobKind.Restore,
                Title = $"Restore {item.Name} as of {Words(request.Moment)} to {target}",
                Item = item.Id,
                Policy = item.Policy,
                Host = host,
                Repository = item.Repository,
                Point = request.Moment.Kind == MomentKind.EndOfBackup ? newest.Id : null,
                RequestedBy = caller.Name,
                Job = new StoredJob(Restore: new RestoreJob
                {
                    SnapshotId = newest.SnapshotId,
                    Target = target,
                    Cluster = new ClusterRestoreJob
                    {
                        SystemIdentifier = newest.Backup.Cluster!.SystemIdentifier,
                        Moment = request.Moment,
                        Starts = request.Starts,
                        InPlace = request.InPlace,
                    },
                }),
            }, ct);
            if (made) await Audit.Add(tx, caller, "restore.request", id.ToString(), $"{item.Name} as of {Words(request.Moment)} to "
                + $"{target} on {host}{(request.InPlace ? ", in the place of the original" : "")}", ct);
            return new RunStarted(id);
        }, ct);
    }

    /// <summary>A moment in words: "2026-11-21 14:03:00 UTC", "0/4140DE0".</summary>
    static string Words(Moment moment) => moment.Kind switch
    {
        MomentKind.Latest => "the end of its log",
        MomentKind.Time => $"{moment.Time!.Value.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC",
        MomentKind.Position => moment.Position!,
        MomentKind.Name => $"restore point '{moment.Name}'",
        MomentKind.Transaction => $"transaction {moment.Transaction}",
        _ => "its newest base backup",
    };

    static void Check(Moment moment)
    {
        var isWhole = moment.Kind switch
        {
            MomentKind.Time => moment.Time is not null,
            MomentKind.Position => moment.Position is { Length: >= 3 and <= 17 } text && text.Count(one => one == '/') == 1
                && text.All(one => one == '/' || char.IsAsciiHexDigit(one)),
            MomentKind.Name => moment.Name is { Length: > 0 and <= LongestName },
            MomentKind.Transaction => moment.Transaction is > 0,
            _ => true,
        };
        if (!isWhole) throw new BadInputException("moment", $"The {moment.Kind} of the moment is missing, or cannot be read.",
            "For example 2026-11-21T14:03:00Z, or 0/4140DE0.");
    }

    /// <exception cref="BadInputException">Nothing that is stored leads there.</exception>
    static void MustBeInside(DateTimeOffset time, Item item, ItemLog log)
    {
        var stretches = log.Stretches;
        if (stretches.Any(stretch => stretch.From <= time && time <= stretch.To)) return;
        if (stretches.Count == 0) throw new BadInputException("moment", $"No log of {item.Name} is stored, so only its base backups can be "
            + "restored.", "Restore one of its recovery points.");
        var before = stretches.LastOrDefault(stretch => stretch.To < time);
        var after = stretches.FirstOrDefault(stretch => stretch.From > time);
        throw new BadInputException("moment", (before, after) switch
        {
            ({ } from, { } to) => $"{Text(time)} lies in a gap of the log, from {Text(from.To)} to {Text(to.From)}.",
            (null, { } to) => $"{Text(time)} lies before the end of the oldest base backup, {Text(to.From)}.",
            ({ } from, _) => $"{Text(time)} is later than what is stored, which reaches to {Text(from.To)}.",
            _ => $"{Text(time)} cannot be restored to.",
        }, $"The nearest moment that can be restored to is {Text(Nearest(time, before?.To, after?.From))}.");
    }

    static DateTimeOffset Nearest(DateTimeOffset time, DateTimeOffset? before, DateTimeOffset? after)
        => before is { } earlier && (after is not { } later || time - earlier <= later - time) ? earlier : after!.Value;

    static string Text(DateTimeOffset at) => $"{at.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC";

    FilePath Target(RestoreMomentRequest request, Item item, RecoveryPoint newest)
    {
        var data = newest.Backup.Cluster!.DataFolder;
        if (request.InPlace)
        {
            if (request.Target is not null || request.Host is not null)
                throw new BadInputException("target", "A restore in place has the original's folder and host.", "Leave both out.");
            if (request.Confirm != item.Name)
                throw new BadInputException("confirm", "The name of the item was not typed as it is.", $"Type: {item.Name}");
            if (newest.Backup.Cluster.Tablespaces.Count > 0)
                throw new BadInputException("inPlace", "A cluster with tablespaces cannot be restored in its place at once.",
                    "Restore it beside, then exchange the folders while the server is stopped.");
            return data;
        }
        var target = request.Target ?? PlanRestore.Beside(data, clock.GetUtcNow());
        return target.IsAbsolute && !target.Parts().Any(part => part.Bytes.SequenceEqual(".."u8)) ? target
            : throw new BadInputException("target", $"'{target}' is no absolute folder.", "For example /srv/restored");
    }
}
