using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Web.Tests.Fixtures;

/// <summary>An agent that speaks the whole protocol through the node's handlers and makes its results up.</summary>
public sealed class ScriptedAgent : IAsyncDisposable
{
    /// <summary>A name that would be markup where a page forgot to treat it as text.</summary>
    public const string Hostile = "<img src=x onerror=alert(1)>";

    static readonly DateTimeOffset Long = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    readonly ConsoleNode _node;
    readonly CancellationTokenSource _stop = new();
    readonly Task _work;
    readonly ConcurrentBag<string> _taken = [];   // snapshots

    ScriptedAgent(ConsoleNode node, HostId host)
    {
        (_node, Host) = (node, host);
        _work = Work();
    }

    /// <summary>The host that it runs on.</summary>
    public HostId Host { get; }

    /// <summary>While set, a backup stays at half its way until somebody cancels it or this is released.</summary>
    public TaskCompletionSource? Hold { get; set; }

    /// <summary>The password with which it opens no repository.</summary>
    public const string WrongPassword = "mistyped";

    /// <summary>What it finds in a repository that is adopted.</summary>
    public IReadOnlyList<FoundSnapshot> Found { get; set; } = [.. Enumerable.Range(0, 12).Select(number => new FoundSnapshot
    {
        SnapshotId = Hex($"found {number}"),
        TakenAt = Long.AddDays(-number),
        HostName = number % 3 == 0 ? "build-server-17.example.org" : Hostile,
        UserName = "backup",
        Paths = number % 3 == 0 ? ["/srv/data"] : ["/home", "/etc"],
        Tags = ["weekly"],
        ProgramVersion = number % 2 == 0 ? "restic 0.17.3" : null,
        Files = number % 2 == 0 ? 128_412 : null,
        Bytes = number % 2 == 0 ? 44_112_332_211 : null,
        BytesAdded = number % 2 == 0 ? 312_332_211 : null,
    })];

    /// <summary>While set, restores meet archived packs: without consent they end, with it they wait.</summary>
    public ArchivedPacks? Archived { get; set; }

    /// <summary>What drills look at; null where they compare files.</summary>
    public IReadOnlyList<DrillCheck>? Checks { get; set; }

    /// <summary>What the next backups warn of.</summary>
    public IReadOnlyList<string>? Warnings { get; set; }

    /// <summary>Restores that it was given.</summary>
    public ConcurrentBag<RestoreJob> Restores { get; } = [];

    /// <summary>Entries that the next backups leave out.</summary>
    public IReadOnlyList<PathProblem> Missing { get; set; } = [];

    /// <summary>What it finds about a source before it is protected.</summary>
    public IReadOnlyList<SourceFinding> Findings { get; set; } = [];

    /// <summary>The base backups of clusters that it takes, one after another; the last one again and again.</summary>
    public Queue<ClusterPoint> Clusters { get; } = [];

    /// <summary>Joins with a token, as the installed program does.</summary>
    public static async Task<ScriptedAgent> Join(ConsoleNode node, string token, string name = "web-1")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=agent", key, HashAlgorithmName.SHA256);
        var answer = await node.Get<JoinAgent>().Handle(Caller.Anonymous("10.2.0.14"), new JoinRequest
        {
            Token = token,
            CsrPem = request.CreateSigningRequestPem(),
            HostName = name,
            OperatingSystem = "Debian GNU/Linux 12 (bookworm)",
            AgentVersion = "0.1.0",
            ProtocolVersion = AgentProtocol.Version,
            Mover = true,
        }, CancellationToken.None);
        await node.Get<RecordInventory>().Handle(Caller.Agent(answer.HostId), new InventoryRequest
        {
            Processors = 8,
            MemoryBytes = 16L << 30,
            Mounts = [new MountFound(Path("/"), "ext4", 80L << 30, 31L << 30), new MountFound(Path("/srv"), "xfs", 900L << 30, 411L << 30)],
        }, CancellationToken.None);
        return new ScriptedAgent(node, answer.HostId);
    }

    async Task Work()
    {
        var me = Caller.Agent(Host);
        while (!_stop.IsCancellationRequested)
        {
            var answer = await _node.Get<LeaseRun>().Handle(me, new LeaseRequest
            {
                Slots = 2,
                WaitSeconds = 1,
                Load = 0.42,
                AgentVersion = "0.1.0"
            }, CancellationToken.None);
            foreach (var question in answer?.Requests ?? [])
                await _node.Get<AnswerRequest>().Handle(me, question.Id, question.Kind == AgentRequestKind.CheckSource
                    ? new AgentRequestAnswer { Findings = Findings } : new AgentRequestAnswer { Listing = Listing(question.Path) },
                    CancellationToken.None);
            if (answer?.Run is { } run) await Execute(me, run);
        }
    }

    async Task Execute(Caller me, LeasedRun run)
    {
        if (run.Job.Restore is { } restore) Restores.Add(restore);
        var cancelled = false;
        for (var seq = 1; ; seq++)
        {
            var answer = await _node.Get<ReportRun>().Handle(me, new ReportRequest
            {
                RunId = run.RunId,
                Epoch = run.Epoch,
                Seq = seq,
                Progress = HalfWay(run.Job.Kind),
                Events = [new RunEventLine(TimeProvider.System.GetUtcNow(), EventLevel.Info, "work.step",
                    $"Step {seq} of {run.Job.Kind}: {Hostile}")],
            }, CancellationToken.None);
            cancelled = answer.Cancel;
            if (cancelled || run.Job.Kind != JobKind.Backup || Hold is not { } hold || _stop.IsCancellationRequested) break;
            await Task.WhenAny(hold.Task, Task.Delay(TimeSpan.FromMilliseconds(300)));
            if (hold.Task.IsCompleted) break;
        }
        var result = cancelled ? new JobResult { Outcome = JobOutcome.Cancelled } : Result(run.Job);
        await _node.Get<CompleteRun>().Handle(me, new CompleteRequest(run.RunId, run.Epoch, result), CancellationToken.None);
    }

    static JobProgress HalfWay(JobKind kind) => new()
    {
        Phase = kind switch { JobKind.Backup => "uploading", JobKind.Drill => "comparing", _ => "restoring" },
        FilesDone = 64_206,
        FilesTotal = 128_412,
        BytesDone = 22_056_166_105,
        BytesTotal = 44_112_332_211,
        Current = Path("/srv/data/images/IMG_2214.raw"),
    };

    JobResult Result(Job job) => job.Kind switch
    {
        JobKind.Init => new JobResult { Outcome = JobOutcome.Complete, ConfigId = Hex(job.Repository.Id.ToString()) },
        JobKind.Backup => new JobResult
        {
            Outcome = Missing.Count > 0 ? JobOutcome.Incomplete : JobOutcome.Complete,
            Backup = Backup() with { Cluster = job.Backup!.Source.PostgreSql is null ? null : NextCluster() }
        },
        JobKind.Restore when Archived is { } packs => job.Restore!.Thaw is null
            ? new JobResult
            {
                Outcome = JobOutcome.Failed,
                Error = new JobError("repository.archived", $"What is to be read lies in an archive: {packs.Words}.",
                    "Choose 'Thaw and restore'.", false),
                Archived = packs,
            }
            : new JobResult
            {
                Outcome = JobOutcome.Waiting,
                Archived = packs with
                {
                    Thawing = packs.Packs,
                    Words = packs.Words.Replace(";", ", all asked for already;",
                    StringComparison.Ordinal)
                },
            },
        JobKind.Restore when job.Restore!.Cluster is { OnlyLooks: true } looked => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Restore = new RestoreResult { Target = job.Restore.Target, Look = Look(looked), Seconds = 412 },
        },
        JobKind.Restore when job.Restore!.Cluster?.Part is { } part => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Restore = new RestoreResult { Target = job.Restore.Target, Part = Taken(job.Restore, part), Seconds = 431 },
        },
        JobKind.Restore => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Restore = new RestoreResult
            {
                Target = job.Restore!.Target,
                Files = 128_412,
                Bytes = 44_112_332_211,
                Seconds = 1320,
                Cluster = job.Restore.Cluster is { } cluster ? Restored(job.Restore, cluster) : null
            },
        },
        JobKind.Drill when Checks is { } checks => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Drill = new DrillResult
            {
                Result = checks.All(check => check.Passed) ? ProofResult.Proven : ProofResult.Failed,
                Checks = checks,
                RestoreSeconds = 12,
                Seconds = 15,
            },
        },
        JobKind.Drill => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Drill = new DrillResult
            {
                Result = ProofResult.Proven,
                FilesCompared = 128_412,
                BytesCompared = 44_112_332_211,
                LiveEqual = 128_000,
                LiveChanged = 412,
                RestoreSeconds = 1320,
                Seconds = 1500,
            },
        },
        JobKind.Replicate => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Replicate = new ReplicateResult
            {
                Places = [Place(job.Repository.Location!.Value, 0),
                    .. job.Repository.Replicas!.Select(place => Place(place.Location, 2_810))],
            },
        },
        JobKind.Check => new JobResult
        {
            Outcome = JobOutcome.Incomplete,
            Check = new CheckResult
            {
                Errors = [$"pack {Hex("pack")}: it is in the index, but not in the store."],
                Packs = 2_310,
                BytesRead = 1_470_405_407,
                Reached = Hex("pack"),
                DamagedPacks = [Hex("pack")],
            },
        },
        JobKind.Tier => new JobResult
        {
            Outcome = JobOutcome.Complete,
            Tier = new TierResult
            {
                Places = [new TieredPlaceResult { Location = job.Repository.Location!.Value, Class = job.Repository.Tier!.Class,
                    Moved = 2_210, MovedBytes = 37_112_332_211, There = 118, Young = 402, Early = 12, WithFolders = 97 }],
                Seconds = 812,
            },
        },
        JobKind.Adopt when job.Repository.Password == WrongPassword => new JobResult
        {
            Outcome = JobOutcome.Failed,
            Error = new JobError("repository.wrong_password", $"Wrong password: none of the 1 key file(s) of {job.Repository.Url} opens "
                + "with it.", "Check the password file.", false),
        },
        JobKind.Adopt => new JobResult
        {
            Outcome = JobOutcome.Complete,
            ConfigId = Hex(job.Repository.Url),
            Adopt = new AdoptResult
            {
                Snapshots = Found,
                SnapshotCount = Found.Count,
                Trees = Found.Count,
                Blobs = 812_412,
                Seconds = 41,
            },
        },
        _ => new JobResult { Outcome = JobOutcome.Complete, Check = new CheckResult { Packs = 2_804, BytesRead = 33_112_332_211 } },
    };

    string Taken(string snapshot)
    {
        _taken.Add(snapshot);
        return snapshot;
    }

    ReplicatedPlaceResult Place(LocationId location, long objects) => new()
    {
        Location = location,
        WasEmpty = objects > 0,
        Objects = objects,
        Bytes = objects << 24,
        Snapshots = [.. _taken],
    };

    ClusterPoint NextCluster() => Clusters.Count > 1 ? Clusters.Dequeue() : Clusters.Peek();

    static ClusterLook Look(ClusterRestoreJob cluster) => new()
    {
        Moment = $"{cluster.Moment!.Time:yyyy-MM-dd HH:mm:ss.ffffff}+00",
        BaseSnapshot = Hex("base"),
        Segments = 118,
        Reached = "recovery stopping before commit of transaction 8124, time 2026-11-22 06:12:44.120881+00",
        Tables =
        [
            new TableSeen("orders", "archive", "a table with a long name that goes on and on for sixty characters", "partitioned table",
                812_412_004, 98_112_332_211),
            new TableSeen("orders", "public", "customer", "table", 1_204_332, 212_332_211),
            new TableSeen("orders", "public", "item", "table", 48_112_332, 8_112_332_211),
            new TableSeen("orders", "public", "log.2026", "table", null, 412_112_332_211),
            new TableSeen("postgres", "public", Hostile, "table", 0, 8_192),
        ],
        TableCount = 5,
    };

    static TakenPart Taken(RestoreJob job, ClusterPart part) => new()
    {
        Moment = $"{job.Cluster!.Moment!.Time:yyyy-MM-dd HH:mm:ss.ffffff}+00",
        BaseSnapshot = Hex("base"),
        Database = part.Database,
        Into = part.Into,
        Tables = [.. part.Tables.Select(table => new TableTaken(table.Schema, table.Name, 48_112_332, 4,
            part.Into is { } into ? $"{part.Database}.{into}.{table.Name}" : null))],
        Remarks = ["The foreign key item_customer_fkey of public.item was left out, which would hold fast rows of the live table: FOREIGN "
            + "KEY (customer) REFERENCES customer(id)."],
    };

    static RestoredCluster Restored(RestoreJob job, ClusterRestoreJob cluster) => new()
    {
        ServerVersion = 160_004,
        Moment = cluster.Moment?.Time is { } time ? $"{time.UtcDateTime:yyyy-MM-dd HH:mm:ss.ffffff}+00" : "the end of the base backup",
        Segments = 118,
        SocketFolder = "/tmp",
        Port = 54320,
        StartCommand = "setpriv --reuid=112 --regid=118 --clear-groups -- "
            + $"/usr/lib/postgresql/16/bin/pg_ctl -D {job.Target} -w -t 86400 start",
        BaseSnapshot = Hex("base"),
        IsRunning = cluster.Starts,
        ReachedLsn = "2/9A0014F8",
        ReachedAt = cluster.Moment?.Time?.AddSeconds(-12),
        RecoverySeconds = 212,
    };

    BackupResult Backup() => new()
    {
        SnapshotId = Taken(Hex(RunId.New(TimeProvider.System).ToString())),
        TakenAt = TimeProvider.System.GetUtcNow(),
        Files = 128_412,
        Folders = 8_123,
        FilesNew = 212,
        FilesChanged = 1_410,
        Bytes = 44_112_332_211,
        BytesNew = 812_332_211,
        BytesAdded = 312_332_211,
        Missing = Missing,
        MissingCount = Missing.Count,
        Warnings = Warnings,
        Seconds = 93,
    };

    static FolderListing Listing(FilePath folder)
    {
        var path = folder.IsEmpty ? Path("/") : folder;
        string[] folders = path.Parts().Count == 0 ? ["etc", "home", "srv", "var"] : path.Parts().Count == 1
            ? ["data", "with a long folder name that goes on and on and on 2026"] : ["archive", Hostile];
        return new FolderListing(path,
        [
            .. folders.Select(name => new FolderEntry {
                Name = Path(name), Kind = EntryKind.Folder, ModifiedAt = Long, Permissions = 0b111_101_101 }),
            new FolderEntry { Name = Path("current"), Kind = EntryKind.Link, LinkTarget = Path("archive/2026"), ModifiedAt = Long,
                Permissions = 0b111_111_111 },
            new FolderEntry { Name = Path("readme.md"), Kind = EntryKind.File, SizeBytes = 12_345, ModifiedAt = Long,
                Permissions = 0b110_100_100 },
        ], false);
    }

    static string Hex(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    static FilePath Path(string text) => FilePath.FromText(text);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        _stop.Dispose();
    }
}
