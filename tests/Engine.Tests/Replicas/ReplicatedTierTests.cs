using BackupDr.Contracts;
using BackupDr.Engine.Replicas;
using BackupDr.Engine.Restore;
using BackupDr.Engine.Tiers;
using BackupDr.Sources.Files;
using BackupDr.Storage.Azure;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit.Trees;

namespace BackupDr.Engine.Tests.Replicas;

/// <summary>A repository in two containers, of which one or both keep the packs in an archive.</summary>
public sealed class ReplicatedTierTests(AzuriteServer azurite) : IDisposable
{
    static readonly RepositoryOptions Options = Prepared.Options with { PackSizeBytes = 4 << 20 };

    readonly ScratchFolder _scratch = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    AzureStore Store(AzureAddress address) => new(address, azurite.Options());

    async Task<int> Archive(AzureStore store)
    {
        using var repository = await Prepared.Open(store, Options);
        return (await TierRun.Execute(repository, new TierRequest("Archive", TimeSpan.Zero), null, _ct)).Moved;
    }

    /// <summary>What could not be read; null where it was restored, without anything to heal.</summary>
    async Task<ArchivedSpace?> Restore(AzureAddress a, AzureAddress b, ThawRequest thaw)
    {
        await using var places = await ReplicatedStore.Open([Store(a), Store(b)], ReplicaUse.Read, TimeProvider.System, _ct);
        using var repository = await Prepared.Open(places, Options);
        var snapshot = Assert.Single(await repository.Snapshots(SnapshotFilter.All, _ct));
        var folder = _scratch.At($"back-{Guid.NewGuid():N}");
        using (var target = FileTarget.Open(FilePath.FromText(folder), new FileTargetOptions()))
            try
            {
                var done = await RestoreRun.Execute(repository, snapshot, new RestoreRequest { Thaw = thaw }, target, null, _ct);
                Assert.Empty(done.Failed);
                Assert.Empty(places.Healed);
                Assert.Empty(places.Absent);
            }
            catch (RepositoryException e) when (e.Archived is not null) { return e.Archived; }
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("source")), FilePath.FromText(folder + _scratch.At("source"))));
        return null;
    }

    [Fact]
    public async Task What_one_place_has_at_hand_need_not_be_thawed_and_what_none_has_is_thawed_once()
    {
        var (first, second) = (await azurite.NewContainer("p"), await azurite.NewContainer("p"));
        await using var a = Store(first);
        await using var b = Store(second);
        using (var repository = await Prepared.Init(a, Options)) await Prepared.Backup(repository, Prepared.Folder(_scratch));
        using (var password = Secret.FromText(Prepared.PasswordText))
            Assert.True((await Replication.Execute([a, b], password, Options, new ReplicationRequest(), _ct)).IsEqual);
        var packs = await Archive(a);

        Assert.Null(await Restore(first, second, new ThawRequest()));
        Assert.Equal(packs, await Archive(b));
        Assert.Equal(packs, (await Restore(first, second, new ThawRequest()))?.Packs);
        Assert.Null(await Restore(first, second, new ThawRequest { Thaws = true }));
        Assert.Equal((0, packs), (await Count(a), await Count(b)));   // at the first place only
    }

    async Task<int> Count(AzureStore store) => await store.Tiers.List("data", _ct).CountAsync(one => one.IsArchived, _ct);
}
