using System.Text.Json;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests;

/// <summary>
/// The texts that cross the wire between agent and scheduler, frozen in WireTexts/. A node accepts agents of the version before: a text
/// that
/// changes here needs a higher <see cref="AgentProtocol.Version"/>, or it must be a member more that older ones ignore.
/// </summary>
public sealed class WireTextTests
{
    static readonly Dictionary<string, object> Messages = new()
    {
        ["join-request"] = new JoinRequest
        {
            Token = "bdr1_token_fingerprint",
            CsrPem = "-----BEGIN CERTIFICATE REQUEST-----",
            HostName = "web-1",
            OperatingSystem = "Debian GNU/Linux 12",
            AgentVersion = "0.1.0",
            ProtocolVersion = 1,
            Mover = true,
        },
        ["join-answer"] = new JoinAnswer(Samples.Host, "-----BEGIN CERTIFICATE-----", "-----BEGIN CERTIFICATE-----", Samples.Noon),
        ["renew-request"] = new RenewRequest("-----BEGIN CERTIFICATE REQUEST-----"),
        ["renew-answer"] = new RenewAnswer("-----BEGIN CERTIFICATE-----", Samples.Noon),
        ["lease-request"] = new LeaseRequest { Slots = 2, WaitSeconds = 25, Load = 0.5, AgentVersion = "0.1.0", Running = [Samples.Run] },
        ["lease-request-addresses"] = new LeaseRequest { Slots = 0, WaitSeconds = 10, AddressesMark = "00112233445566ff" },
        ["lease-answer-addresses"] = new LeaseAnswer
        {
            Addresses = ["https://node1.example:8421", "https://node2.example:8421"],
            AddressesMark = "00112233445566ff",
        },
        ["lease-request-term"] = new LeaseRequest { Slots = 0, WaitSeconds = 10, Term = new TermMark(2, new string('5', 64)) },
        ["lease-answer-term"] = new LeaseAnswer { Term = new TermMark(3, new string('6', 64)) },
        ["lease-answer-backup"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 3, 30_000, Samples.Backup) },
        ["lease-answer-restore"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.Restore) },
        ["lease-answer-drill"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.Drill) },
        ["lease-answer-tier"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.Tier) },
        ["lease-answer-forget"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.Forget) },
        ["lease-answer-prune"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.Prune) },
        ["lease-answer-prune-terms"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.PruneOfTerm) },
        ["lease-answer-thaw"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 2, 30_000, Samples.Thaw) },
        ["lease-answer-requests"] = new LeaseAnswer
        {
            Requests =
            [
                new AgentRequest { Id = Samples.Request, Kind = AgentRequestKind.ListFolder, Path = Samples.OddPath },
                new AgentRequest { Id = Samples.Request, Kind = AgentRequestKind.ListSnapshotFolder, Path = default,
                    Repository = Samples.Access, SnapshotId = Samples.SnapshotId },
            ],
        },
        ["report-request"] = new ReportRequest
        {
            RunId = Samples.Run,
            Epoch = 3,
            Seq = 7,
            Progress = new JobProgress { Phase = "uploading", FilesDone = 1, FilesTotal = 3, BytesDone = 100, Current = Samples.OddPath },
            Events = [new RunEventLine(Samples.Noon, EventLevel.Warning, "backup.missing", "openat: Permission denied")],
        },
        ["report-request-term"] = new ReportRequest
        {
            RunId = Samples.Run,
            Epoch = 3,
            Seq = 7,
            Term = new TermMark(2, new string('5', 64)),
        },
        ["lease-request-alone"] = new LeaseRequest { Slots = 1, WaitSeconds = 10, Alone = [Samples.Item] },
        ["lease-answer-item"] = new LeaseAnswer
        {
            Run = new LeasedRun(Samples.Run, 3, 30_000, Samples.Backup, new LeasedItem(Samples.Item, Samples.Noon)),
        },
        ["alone-request"] = new AloneRequest
        {
            Mark = "00112233445566ff",
            Term = new TermMark(2, new string('5', 64)),
            Runs =
            [
                new AloneRun
                {
                    Id = Samples.Run,
                    Policy = Samples.Policy,
                    Item = Samples.Item,
                    NominalAt = Samples.Noon,
                    Repository = Samples.Repository,
                    Title = "/srv/data",
                    AloneSince = Samples.Noon.AddHours(-1),
                    StartedAt = Samples.Noon,
                    EndedAt = Samples.Noon.AddSeconds(3),
                    Attempts = 2,
                    Result = Samples.Failed,
                    Events = [new RunEventLine(Samples.Noon, EventLevel.Info, "run.alone", "No node has answered.")],
                },
            ],
        },
        ["alone-answer"] = new AloneAnswer
        {
            Mark = "ff66554433221100",
            Plan = new AlonePlan
            {
                After = TimeSpan.FromMinutes(15),
                Lasts = TimeSpan.FromDays(7),
                Parts =
                [
                    new AlonePart
                    {
                        Item = Samples.Item,
                        Policy = Samples.Policy,
                        Name = "/srv/data",
                        Schedule = new ScheduleSpec { Cron = "30 2 * * *", TimeZone = "Europe/Berlin" },
                        Backup = Samples.Backup.Backup!,
                        Repository = Samples.Repository,
                    },
                ],
                Repositories = [Samples.Access],
                LeftOut = ["/srv/more: its repository lies behind the gateway of the nodes."],
            },
            Settled = [new AloneSettled(Samples.Item, Samples.Noon)],
            Taken = [Samples.Run],
            NextMs = 300_000,
            Term = new TermMark(2, new string('5', 64)),
        },
        ["report-answer"] = new ReportAnswer(30_000, true),
        ["complete-request"] = new CompleteRequest(Samples.Run, 3, Samples.Backed),
        ["complete-request-term"] = new CompleteRequest(Samples.Run, 3, Samples.Failed, new TermMark(2, new string('5', 64))),
        ["complete-request-failed"] = new CompleteRequest(Samples.Run, 3, Samples.Failed),
        ["complete-request-drill"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Drill = new DrillResult
            {
                Result = ProofResult.Proven,
                FilesCompared = 3,
                BytesCompared = 300,
                LiveEqual = 2,
                LiveChanged = 1,
                RestoreSeconds = 0.5,
                Seconds = 1.5
            },
        }),
        ["complete-request-drill-story"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Drill = new DrillResult
            {
                Result = ProofResult.Proven,
                Checks = [new DrillCheck("rows", true, "3 tables", "as many rows as when it was stored")],
                Steps = [new DrillStep("Restore", Samples.Noon, Samples.Noon.AddSeconds(1.5), true, "3 files")],
                NotDone = [new DrillOmission("Start a server", "No server belongs to it.")],
                RestoreSeconds = 1.5,
                Seconds = 2,
            },
        }),
        ["complete-request-drill-checks"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Drill = new DrillResult
            {
                Result = ProofResult.Failed,
                Reason = "rows: orders: 2 instead of 3",
                Checks = [new DrillCheck("integrity_check", true, "ok"), new DrillCheck("rows", false, "orders: 2 instead of 3")],
                RestoreSeconds = 0.5,
                Seconds = 1.5,
            },
        }),
        ["duties-request"] = new DutiesRequest
        {
            Process = "5a5a",
            Reports = [new DutyReport(Samples.Item, 2, "c3c3", new LogReport { IsReceiving = true, Slot = "backupdr_1", HeldBytes = 16,
                SystemIdentifier = "7571234567890123456", Timeline = 1, Begin = "0/1000000", Received = "0/2000060",
                Stored = "0/2000000", SettledAt = Samples.Noon })],
            Ended = [Samples.Item],
        },
        ["duties-answer"] = new DutiesAnswer([new Duty { Item = Samples.Item, Epoch = 2, Version = "c3c3", Source = Samples.Cluster,
            HostName = "db-1", Repository = Samples.Access }], 5_000),
        ["lease-answer-moment"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.RestoreMoment) },
        ["lease-answer-mariadb"] = new LeaseAnswer { Run = new LeasedRun(Samples.Run, 1, 30_000, Samples.RestoreTable) },
        ["duties-answer-mariadb"] = new DutiesAnswer([new Duty { Item = Samples.Item, Epoch = 2, Version = "c3c3",
            Source = Samples.MariaDb, HostName = "db-1", Repository = Samples.Access }], 5_000),
        ["complete-request-mariadb"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Backup = Samples.Backed.Backup! with
            {
                Missing = [],
                MissingCount = 0,
                MariaDb = new MariaDbPoint
                {
                    Server = "db1:3306",
                    ServerVersion = "10.11.19-MariaDB-log",
                    DataFolder = FilePath.FromText("/var/lib/mysql"),
                    StartedAt = Samples.Noon,
                    StoppedAt = Samples.Noon,
                    Position = "bin.000017.1763782343:4711",
                    Gtid = "0-1-9",
                    Databases = [new DatabaseFound("shop", 3)],
                },
            },
        }),
        ["complete-request-adopt"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Incomplete,
            ConfigId = Samples.SnapshotId,
            Adopt = new AdoptResult
            {
                Snapshots = [new FoundSnapshot { SnapshotId = Samples.SnapshotId, TakenAt = Samples.Noon, HostName = "laptop",
                    UserName = "anna", Paths = ["/srv/anna"], Tags = ["weekly"], ProgramVersion = "restic 0.17.3", Files = 3,
                    Bytes = 300, BytesAdded = 100 }],
                SnapshotCount = 2,
                NotListed = 1,
                Problems = [new SnapshotProblem(Samples.SnapshotId, "its bytes do not match its name.")],
                ProblemCount = 1,
                Trees = 2,
                Blobs = 7,
                Seconds = 1.5,
            },
        }),
        ["complete-request-tier"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Tier = new TierResult
            {
                Places = [new TieredPlaceResult { Location = Samples.Location, Class = "Archive", Moved = 7, MovedBytes = 700, There = 1,
                    Young = 2, Early = 3, Archived = 4, WithFolders = 5 }],
                Seconds = 1.5,
            },
        }),
        ["complete-request-forget"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Forget = new ForgetResult
            {
                Gone = [Samples.SnapshotId],
                Removed = 1,
                LogsRemoved = 2,
                LockedUntil = Samples.Noon,
                Seconds = 1.5
            },
        }),
        ["complete-request-prune"] = new CompleteRequest(Samples.Run, 3, new JobResult
        {
            Outcome = JobOutcome.Complete,
            Prune = new PruneResult
            {
                Snapshots = 3,
                RemovedPacks = 2,
                RemovedBytes = 200,
                RepackedPacks = 1,
                LeftUnusedBytes = 10,
                WaitingPacks = 4,
                WaitsFor = ["backupdr-1@web-1, process 7"],
                IsCut = true,
                LockedBytes = 300,
                LockedFirst = Samples.Noon,
                LockedLast = Samples.Noon,
                ExtendedLocks = 5,
                Seconds = 1.5
            },
        }),
        ["complete-request-waiting"] = new CompleteRequest(Samples.Run, 2, new JobResult
        {
            Outcome = JobOutcome.Waiting,
            Archived = new ArchivedPacks
            {
                Packs = 7,
                Thawing = 7,
                Bytes = 700,
                Classes = ["GLACIER"],
                Time = "3 to 5 hours",
                Cost = 0.5,
                Words = "7 packs (0.0 MiB) in GLACIER"
            },
        }),
        ["inventory-request"] = new InventoryRequest
        {
            Mounts = [new MountFound(FilePath.FromText("/"), "ext4", 1_000, 500)],
            Processors = 2,
            MemoryBytes = 4_096,
        },
        ["inventory-request-sources"] = new InventoryRequest
        {
            Sources =
            [
                new SourceFound(FoundKind.FileSystem, FilePath.FromText("/srv"), "xfs on /dev/sdb1", 1_000),
                new SourceFound(FoundKind.PostgreSql, FilePath.FromText("/var/lib/postgresql/16/main"), "PostgreSQL 16, port 5432"),
            ],
        },
        ["request-answer-listing"] = new AgentRequestAnswer
        {
            Listing = new FolderListing(FilePath.FromText("/srv"),
            [
                new FolderEntry { Name = FilePath.FromText("data"), Kind = EntryKind.Folder, ModifiedAt = Samples.Noon, Permissions = 493 },
                new FolderEntry { Name = Samples.OddPath.Name, Kind = EntryKind.Link, ModifiedAt = Samples.Noon, Permissions = 511,
                    LinkTarget = FilePath.FromText("data") },
            ], false),
        },
        ["request-answer-error"] = new AgentRequestAnswer
        {
            Error = new JobError("posix.enoent", "open /gone: No such file or directory",
            null, false)
        },
    };

    public static TheoryData<string> Names => [.. Messages.Keys];

    [Theory, MemberData(nameof(Names))]
    public void The_text_of_a_message_is_frozen(string name)
    {
        var written = JsonSerializer.Serialize(Messages[name], Messages[name].GetType(), Indented);

        Assert.Equal(File.ReadAllText(Frozen(name)), written + "\n");
    }

    [Theory, MemberData(nameof(Names))]
    public void A_frozen_text_is_read_back_as_it_was(string name)
    {
        var read = JsonSerializer.Deserialize(File.ReadAllText(Frozen(name)), Messages[name].GetType(), WireJson.Default);

        Assert.Equal(File.ReadAllText(Frozen(name)), JsonSerializer.Serialize(read, Messages[name].GetType(), Indented) + "\n");
    }

    [Theory, MemberData(nameof(Names))]
    public void A_member_from_a_later_version_is_ignored(string name)
    {
        var text = File.ReadAllText(Frozen(name))
            .Replace("{\n  \"", "{\n  \"fromALaterVersion\": {\"a\": [1]},\n  \"", StringComparison.Ordinal);

        Assert.NotNull(JsonSerializer.Deserialize(text, Messages[name].GetType(), WireJson.Default));
    }

    [Fact]
    public void Every_frozen_text_belongs_to_a_message()
        => Assert.Equal(Messages.Keys.Order(StringComparer.Ordinal), Directory.EnumerateFiles(Folder)
            .Select(path => Path.GetFileNameWithoutExtension(path)).Order(StringComparer.Ordinal));

    [Fact]
    public void A_lease_without_an_epoch_is_refused()
        => Assert.Throws<JsonException>(() => JsonSerializer.Deserialize(
            """{"runId":"run_01940000000070008000000000000002","seq":1}""", WireJson.Default.ReportRequest));

    static WireJson Indented { get; } = new(new JsonSerializerOptions(WireJson.Default.Options) { WriteIndented = true });

    static string Folder => Path.Combine(AppContext.BaseDirectory, "WireTexts");

    static string Frozen(string name) => Path.Combine(Folder, name + ".json");
}
