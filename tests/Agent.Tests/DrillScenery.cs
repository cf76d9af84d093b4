using BackupDr.Agent.Jobs;
using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Crypto;
using BackupDr.Sources;
using BackupDr.Sources.Files;
using BackupDr.Sources.MariaDb;
using BackupDr.Sources.PostgreSql;
using BackupDr.Storage;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>A repository with snapshots, and an agent that test-restores them.</summary>
/// <param name="folder">Where the repository is or will be.</param>
/// <param name="state">Folder of the agent.</param>
sealed class DrillScenery(string folder, string state)
{
    public const string Words = "twelve characters";
    static readonly RepositoryOptions Options = new()
    {
        HostName = "here",
        UserName = "tester",
        Workers = 2,
        Kdf = new KdfCost(1024, 8, 1),
    };

    public AgentState State { get; } = new(state);
    public RunReporter Reporter { get; } = new(TimeProvider.System);

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    public async Task<Repository> Make()
    {
        using var password = Secret.FromText(Words);
        return await Repository.Init(StoreFactory.Open(folder), password, Options, Ct);
    }

    public async Task<Repository> Open(CancellationToken ct)
    {
        using var password = Secret.FromText(Words);
        return await Repository.Open(StoreFactory.Open(folder), password, Options, ct);
    }

    /// <summary>Stores a tree of files.</summary>
    public async Task<DrillJob> Store(string path)
    {
        var spec = new FilesSpec { Paths = [FilePath.FromText(path)] };
        using var repository = await Make();
        using var source = FileSource.Open(spec);
        var stored = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, Ct);
        return new DrillJob
        {
            SnapshotId = stored.SnapshotId.ToString(),
            LiveSource = new SourceSpec { Kind = SourceKind.Files, Files = spec },
        };
    }

    /// <summary>Stores a cluster, whose copies are started in a folder.</summary>
    public async Task<DrillJob> Store(PostgresCluster cluster, string scratch)
    {
        using var repository = await Make();
        var stored = await ClusterBackup.Run(repository, new ServerAddress
        {
            Host = cluster.Sockets,
            Port = cluster.Port,
            User = "postgres",
        }, new ClusterBackupOptions { HostName = "here" }, null, Ct);
        return Of(stored.Run.SnapshotId.ToString(), scratch);
    }

    /// <summary>The drill of a cluster.</summary>
    public static DrillJob Of(string snapshot, string scratch) => new()
    {
        SnapshotId = snapshot,
        LiveSource = new SourceSpec
        {
            Kind = SourceKind.PostgreSql,
            PostgreSql = new PostgreSqlSpec { User = "postgres", Scratch = FilePath.FromText(scratch) },
        },
    };

    /// <summary>Stores a server, whose copies are started in a folder.</summary>
    public async Task<DrillJob> Store(MariaDbServer server, string scratch)
    {
        using var repository = await Make();
        var stored = await MariaDbBackup.Run(repository, new MariaDbAddress { Host = server.Socket, User = "root" },
            new MariaDbBackupOptions { HostName = "here" }, null, Ct);
        return OfServer(stored.Run.SnapshotId.ToString(), scratch);
    }

    /// <summary>The drill of a MariaDB server.</summary>
    public static DrillJob OfServer(string snapshot, string scratch) => new()
    {
        SnapshotId = snapshot,
        LiveSource = new SourceSpec
        {
            Kind = SourceKind.MariaDb,
            MariaDb = new MariaDbSpec { Scratch = FilePath.FromText(scratch) },
        },
    };

    /// <summary>Test-restores.</summary>
    public async Task<DrillResult> Drill(DrillJob job, CopyLook? look = null)
    {
        var result = await DrillJobRun.Run(Open, RunId.New(TimeProvider.System), job, State, new DrillLooks(job.Assertions ?? [], look),
            Reporter, Ct);
        return result.Drill!;
    }

    /// <summary>A look that does not end by itself.</summary>
    public static CopyLook Endless(Action? first = null) => async (_, _, ct) =>
    {
        first?.Invoke();
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
        return new ProofCheck("program endless", true, "");
    };
}
