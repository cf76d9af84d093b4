using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Scheduler.Restores;

/// <summary>Starts the restore of a database server to a moment.</summary>
public sealed class RestoreMoment(Postgres db, ShowItem showItem, ShowItemLog showLog, ListRecoveryPoints listPoints,
    FourEyes eyes, TimeProvider clock)
{
    const int LongestName = 63, LongestPosition = 300, LongestTable = 64;

    /// <summary>Starts it; the same client-made id again gives the run that was made.</summary>
    /// <exception cref="BadInputException">The moment cannot be restored to, with the nearest that can; or the target is none.</exception>
    /// <exception cref="ConflictException">There is no base backup yet.</exception>
    public async Task<RunStarted> Handle(Caller caller, RestoreMomentRequest request, CancellationToken ct)
    {
        await caller.Must(request.InPlace ? Right.RestoreOver : Right.RestoreStart, request.Item, ct);
        if (request.Host is { } other) await caller.Must(Right.RestoreStart, other, ct);
        var item = await showItem.Handle(caller, new ShowItemRequest(request.Item), ct);
        if (item.Source is { PostgreSql: null, MariaDb: null }) throw new BadInputException("item", $"{item.Name} is no database server.",
            "Restore one of its recovery points.");
        var points = await listPoints.Handle(caller, new ListRecoveryPointsRequest(item.Id, 1000), ct);
        var newest = points.FirstOrDefault(point => point is { GoneAt: null, IsComplete: true, Backup.ServerFolder: not null })
            ?? throw new ConflictException("restore.no_point", $"{item.Name} has no complete base backup yet.", "Run its policy first.");
        Check(request.Moment, isMariaDb: newest.Backup.MariaDb is not null);
        // Its log knows whole seconds.
        if (newest.Backup.MariaDb is not null && request.Moment.Time is { } exact)
            request = request with
            {
                Moment = request.Moment with { Time = DateTimeOffset.FromUnixTimeSeconds(exact.ToUnixTimeSeconds()) },
            };
        if (request.Moment is { Kind: MomentKind.Time, Time: { } time })
            MustBeInside(time, item, await showLog.Handle(caller, new ShowItemLogRequest(item.Id), ct));
        Check(request, newest);
        ClusterParts.Check(request, newest);
        var target = Target(request, item, newest);
        var (id, host) = (request.Id ?? RunId.New(clock), request.Host ?? item.Host);
        if (request.InPlace)
            await eyes.Pass(caller, new Command("restore.over", request.Item.ToString(),
                $"{Title(request, item, target)}, in the place of the "
                + "original.", item.Source.Title), request, WireJson.Default.RestoreMomentRequest, ct);
        return await db.InTransaction(async tx =>
        {
            await RequestRestore.MustReach(tx, item.Repository, host, item.Host, ct);
            var made = await RunTable.Add(tx, new NewRun
            {
                Id = id,
                Kind = JobKind.Restore,
                Title = Title(request, item, target),
                Item = item.Id,
                Policy = item.Policy,
                Host = host,
                Repository = item.Repository,
                Point = request.Moment.Kind == MomentKind.EndOfBackup ? newest.Id : null,
                RequestedBy = caller.Name,
                Job = Job(request, item, newest, target),
            }, ct);
            if (made) await Audit.Add(tx, caller, "restore.request", id.ToString(), $"{Title(request, item, target)} on {host}"
                + (request.InPlace ? ", in the place of the original" : ""), ct);
            return new RunStarted(id);
        }, ct);
    }

    static StoredJob Job(RestoreMomentRequest request, Item item, RecoveryPoint newest, FilePath target)
        => new(Restore: new RestoreJob
        {
            SnapshotId = newest.SnapshotId,
            Target = target,
            Cluster = newest.Backup.Cluster is { } cluster ? new ClusterRestoreJob
            {
                SystemIdentifier = cluster.SystemIdentifier,
                Moment = request.Moment,
                Starts = request.Starts,
                InPlace = request.InPlace,
                OnlyLooks = request.OnlyLooks,
                Part = request.Part,
                Source = request.OnlyLooks || request.Part is not null ? item.Source.PostgreSql : null,
            } : null,
            MariaDb = newest.Backup.MariaDb is { } server ? new MariaDbRestoreJob
            {
                Server = server.Server,
                Moment = request.Moment,
                Starts = request.Starts,
                InPlace = request.InPlace,
                Table = request.Table,
                Scratch = request.Table is null ? null : item.Source.MariaDb?.Scratch,
            } : null,
        });

    static string Title(RestoreMomentRequest request, Item item, FilePath target)
        => request.OnlyLooks || request.Part is not null ? ClusterParts.Title(request, item, Words(request.Moment), target)
            : $"Restore {What(request, item)} as of {Words(request.Moment)} to {target}";

    static string What(RestoreMomentRequest request, Item item) => request.Table is { } table ? $"{table} of {item.Name}" : item.Name;

    /// <exception cref="BadInputException">The table cannot be.</exception>
    static void Check(RestoreMomentRequest request, RecoveryPoint newest)
    {
        if (request.Table is not { } table) return;
        if (newest.Backup.MariaDb is null)
            throw new BadInputException("table", "This is the table of a MariaDB server.",
                "Name tables of a PostgreSQL cluster as its part.");
        if (request.InPlace)
            throw new BadInputException("inPlace", "One table cannot take the place of a server.", "Leave one of them out.");
        foreach (var name in (string[])[table.Database, table.Name])
            if (name.Length is 0 or > LongestTable || name.Any(char.IsControl))
                throw new BadInputException("table", $"'{table}' names no table.", "Write DATABASE.TABLE: shop.orders");
    }

    /// <summary>A moment in words: "2026-11-21 14:03:00 UTC", "0/4140DE0".</summary>
    static string Words(Moment moment) => moment.Kind switch
    {
        MomentKind.Latest => "the end of its log",
        MomentKind.Time => $"{moment.Time!.Value.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC",
        MomentKind.Position => moment.Position!,
        MomentKind.Name => $"restore point '{moment.Name}'",
        MomentKind.Transaction => $"transaction {moment.Transaction}",
        MomentKind.Gtid => $"{(moment.IsInclusive ? "" : "just before ")}transaction {moment.Gtid}",
        _ => "its newest base backup",
    };

    static void Check(Moment moment, bool isMariaDb)
    {
        var isWhole = moment.Kind switch
        {
            MomentKind.Time => moment.Time is not null,
            MomentKind.Position when isMariaDb => moment.Position is { Length: <= LongestPosition } text && IsBinlogPosition(text),
            MomentKind.Position => LogPosition.IsLsn(moment.Position ?? ""),
            MomentKind.Gtid => isMariaDb && moment.Gtid?.Split('-') is { Length: 3 } parts && parts.All(part => IsNumber(part, 20)),
            MomentKind.Name => !isMariaDb && moment.Name is { Length: > 0 and <= LongestName },
            MomentKind.Transaction => !isMariaDb && moment.Transaction is > 0,
            _ => true,
        };
        if (!isWhole) throw new BadInputException("moment", $"The {moment.Kind} of the moment is missing, or cannot be read.",
            $"For example 2026-11-21T14:03:00Z, or {(isMariaDb ? "bin.000017:4711, or 0-1-4711" : "0/4140DE0")}.");
    }

    // "bin.000017:4711"
    static bool IsBinlogPosition(string text) => text.Split(':') is [var file, var position] && file.Contains('.', StringComparison.Ordinal)
        && file.All(one => char.IsAsciiLetterOrDigit(one) || one is '-' or '_' or '.') && IsNumber(position, 15);

    static bool IsNumber(string text, int longest) => text.Length is > 0 && text.Length <= longest && text.All(char.IsAsciiDigit);

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
        var data = newest.Backup.ServerFolder!.Value;
        if (request.InPlace)
        {
            if (request.Target is not null || request.Host is not null)
                throw new BadInputException("target", "A restore in place has the original's folder and host.", "Leave both out.");
            if (request.Confirm != item.Name)
                throw new BadInputException("confirm", "The name of the item was not typed as it is.", $"Type: {item.Name}");
            if (newest.Backup.Cluster is { Tablespaces.Count: > 0 })
                throw new BadInputException("inPlace", "A cluster with tablespaces cannot be restored in its place at once.",
                    "Restore it beside, then exchange the folders while the server is stopped.");
            return data;
        }
        if (request.OnlyLooks || request.Part?.Into is not null) return ClusterParts.Target(request, item, data, clock.GetUtcNow());
        var target = request.Target ?? (request.Part is not null ? ClusterParts.Target(request, item, data, clock.GetUtcNow())
            : request.Table is { } table ? PlanRestore.TableBeside(data, table, clock.GetUtcNow())
            : PlanRestore.Beside(data, clock.GetUtcNow()));
        return target.IsAbsolute && !target.Parts().Any(part => part.Bytes.SequenceEqual(".."u8)) ? target
            : throw new BadInputException("target", $"'{target}' is no absolute path.", "For example /srv/restored");
    }
}
