using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests;

/// <summary>Messages with fixed values, so that their text can be frozen.</summary>
static class Samples
{
    public static readonly DateTimeOffset Noon = new(2026, 1, 2, 12, 0, 0, TimeSpan.Zero);
    public static readonly HostId Host = new(Number(1));
    public static readonly RunId Run = new(Number(2));
    public static readonly RepositoryId Repository = new(Number(3));
    public static readonly RequestId Request = new(Number(4));
    public static readonly LocationId Location = new(Number(5));

    public static readonly ItemId Item = new(Number(6));
    public static readonly PolicyId Policy = new(Number(7));

    public static readonly SourceSpec Cluster = new()
    {
        Kind = SourceKind.PostgreSql,
        PostgreSql = new PostgreSqlSpec { DataFolder = FilePath.FromText("/var/lib/postgresql/15/main"), Log = new LogSpec() },
    };

    public const string SnapshotId = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

    /// <summary>A name that no text encoding can carry, as it looks on the wire: "/srv/caf\xe9".</summary>
    public static readonly FilePath OddPath = new([.. "/srv/caf"u8, 0xe9]);

    public static readonly SourceSpec Source = new()
    {
        Kind = SourceKind.Files,
        Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data"), OddPath], Excludes = ["*.tmp"] },
    };

    public static readonly RepositoryAccess Access = new()
    {
        Id = Repository,
        Url = "/srv/backups/web-1",
        ConfigId = SnapshotId,
        Password = "opens-it"
    };

    public static Job RestoreMoment => new()
    {
        Kind = JobKind.Restore,
        Repository = Access,
        Restore = new RestoreJob
        {
            SnapshotId = SnapshotId,
            Target = FilePath.FromText("/var/lib/postgresql/15/back"),
            Cluster = new ClusterRestoreJob
            {
                SystemIdentifier = "7571234567890123456",
                Moment = new Moment { Kind = MomentKind.Time, Time = Noon },
                Starts = true,
            },
        },
    };

    public static readonly SourceSpec MariaDb = new()
    {
        Kind = SourceKind.MariaDb,
        MariaDb = new MariaDbSpec { DataFolder = FilePath.FromText("/var/lib/mysql"), Log = new LogSpec() },
    };

    public static Job RestoreTable => new()
    {
        Kind = JobKind.Restore,
        Repository = Access,
        Restore = new RestoreJob
        {
            SnapshotId = SnapshotId,
            Target = FilePath.FromText("/var/lib/shop.orders.sql"),
            MariaDb = new MariaDbRestoreJob
            {
                Server = "db1:3306",
                Moment = new Moment { Kind = MomentKind.Gtid, Gtid = "0-1-4711", IsInclusive = false },
                Table = new DatabaseTable("shop", "orders"),
            },
        },
    };

    public static Job Backup => new()
    {
        Kind = JobKind.Backup,
        Repository = Access,
        Backup = new BackupJob { Source = Source, HostName = "web-1", Tags = ["backupdr.run=run_1"] },
    };

    public static Job Restore => new()
    {
        Kind = JobKind.Restore,
        Repository = Access,
        Restore = new RestoreJob
        {
            SnapshotId = SnapshotId,
            Paths = [OddPath],
            Target = FilePath.FromText("/srv/data.restored"),
            Overwrite = OverwritePolicy.IfChanged
        },
    };

    public static Job Thaw => Restore with { Restore = Restore.Restore! with { Thaw = new ThawConsent(3, 0.02) } };

    public static Job Forget => new()
    {
        Kind = JobKind.Forget,
        Repository = Access,
        Forget = new ForgetJob { Snapshots = [SnapshotId], Clusters = ["7571234567890123456"] },
    };

    public static Job PruneOfTerm => Prune with
    {
        Terms = new TermPlaces
        {
            Term = 2,
            Folder = "controlplane/01940000000070008000000000000009/term",
            Places = [new RepositoryPlace { Location = Location, Url = "s3:https://far.example.org/bucket" }],
        },
    };

    public static Job Prune => new()
    {
        Kind = JobKind.Prune,
        Repository = Access,
        Prune = new PruneJob { RepackBytes = 1 << 30, RepackPacks = 100, Seconds = 3600 },
    };

    public static Job Tier => new()
    {
        Kind = JobKind.Tier,
        Repository = Access with { Location = Location, Tier = new TierRule("Archive", 180) },
    };

    public static Job Drill
        => new() { Kind = JobKind.Drill, Repository = Access, Drill = new DrillJob { SnapshotId = SnapshotId, LiveSource = Source } };

    public static JobResult Backed => new()
    {
        Outcome = JobOutcome.Incomplete,
        Backup = new BackupResult
        {
            SnapshotId = SnapshotId,
            TakenAt = Noon,
            Files = 3,
            Folders = 1,
            FilesNew = 3,
            Bytes = 300,
            BytesNew = 200,
            BytesAdded = 100,
            Missing = [new PathProblem(OddPath, "openat: Permission denied")],
            MissingCount = 1,
            Seconds = 1.5,
        },
    };

    public static JobResult Failed
        => new()
        {
            Outcome = JobOutcome.Failed,
            Error = new JobError("store.full", "put data: No space left on device", "Free some space.", false)
        };

    static Guid Number(byte last) => new(0x01940000, 0, 0x7000, 0x80, 0, 0, 0, 0, 0, 0, last);
}
