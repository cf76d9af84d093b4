using BackupDr.Agent.Clusters;
using BackupDr.Agent.Steps;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;
using BackupDr.Engine.Tiers;
using BackupDr.Sources.PostgreSql;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>Restores without a node: what a bundle names was taken when the bundle was made, and more came since.</summary>
public sealed class LocalRestoreTests
{
    const string Tag = "backupdr.item=itm_1";

    static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_newest_base_backup_of_a_database_server_is_restored_also_where_it_was_built_anew_since()
    {
        using var scratch = new ScratchFolder();
        var scenery = new DrillScenery(scratch.At("repository"), scratch.At("state"));
        await using var former = PostgresCluster.Start();
        await using var present = PostgresCluster.Start();
        await former.Execute("create table orders (id bigint); insert into orders values (1)");
        await present.Execute("create table orders (id bigint); insert into orders values (2)");
        using var repository = await scenery.Make();
        var then = await Store(repository, former);
        var since = await Store(repository, former);
        var named = new RestoreJob
        {
            SnapshotId = then.Run.SnapshotId.ToString(),
            Target = FilePath.FromText(scratch.At("restored")),
            Cluster = new ClusterRestoreJob { SystemIdentifier = then.Manifest.SystemIdentifier },
        };
        Assert.Equal(then.Run.SnapshotId.ToString(), (await LocalRestore.Choose(repository, named, null, Ct)).Restore.SnapshotId);
        Assert.Equal(since.Run.SnapshotId.ToString(), (await LocalRestore.Choose(repository, named, Tag, Ct)).Restore.SnapshotId);
        var anew = await Store(repository, present);

        var (chosen, takenAt) = await LocalRestore.Choose(repository, named, Tag, Ct);

        Assert.Equal(anew.Run.SnapshotId.ToString(), chosen.SnapshotId);
        Assert.NotEqual(then.Manifest.SystemIdentifier, chosen.Cluster!.SystemIdentifier);
        Assert.True(takenAt > then.Manifest.StoppedAt);
        var restored = await ClusterRestoreRun.Run(repository, chosen, chosen.Cluster, new ThawRequest(), scenery.Reporter, Ct);
        Assert.Equal(JobOutcome.Complete, restored.Outcome);
        Assert.Equal(chosen.SnapshotId, restored.Restore!.Cluster!.BaseSnapshot);
    }

    static Task<ClusterBackupSummary> Store(Repository repository, PostgresCluster cluster)
        => ClusterBackup.Run(repository, new ServerAddress { Host = cluster.Sockets, Port = cluster.Port, User = "postgres" },
            new ClusterBackupOptions { HostName = "here", Tags = [Tag] }, null, Ct);
}
