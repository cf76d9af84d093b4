using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

public sealed class RepairTests : IDisposable
{
    static readonly RepositoryOptions Options = Prepared.Options with { Clock = new ShortWaits(), PackSizeBytes = 4 << 20 };

    readonly ScratchFolder _scratch = new();
    readonly MemoryStore _store = new();
    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    async Task<(Repository Repository, MemoryStore Replica)> WithReplica()
    {
        var repository = await Prepared.Init(_store, Options);
        await Prepared.Backup(repository, Prepared.Folder(_scratch));
        var replica = new MemoryStore();
        foreach (var (name, content) in _store.Objects) replica.Objects[name] = [.. content];
        return (repository, replica);
    }

    string[] Named(string folder) => [.. _store.Objects.Keys.Where(name => name.StartsWith(folder + "/", StringComparison.Ordinal))];

    async Task<IReadOnlyList<string>> Errors(Repository repository)
        => (await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors;

    void Flip(string name, int at)
        => _store.Objects[name] = [.. _store.Objects[name].Select((value, i) => i == at ? (byte)(value ^ 4) : value)];

    static BlobId IdOf(string name) => BlobId.TryParse(name[(name.LastIndexOf('/') + 1)..], out var id) ? id : default;

    [Fact, Clause("F-12.7")]
    public async Task Packs_that_are_damaged_cut_or_gone_come_back_from_a_replica()
    {
        var (repository, replica) = await WithReplica();
        using var _ = repository;
        var packs = Named("data");
        Assert.True(packs.Length >= 3, $"{packs.Length} packs");
        Flip(packs[0], 100);
        _store.Objects[packs[1]] = _store.Objects[packs[1]][..^7];
        _store.Objects.Remove(packs[2]);
        Assert.NotEmpty(await Errors(repository));

        var done = await RepairPacks.Execute(repository, replica, null, _ct);

        Assert.Equal([.. packs[..3].Select(IdOf).Order()], done.Healed.Order());
        Assert.Empty(done.LostBlobs);
        Assert.Empty(await Errors(repository));
        Assert.Equal(replica.Objects[packs[0]], _store.Objects[packs[0]]);
        Assert.Equal(2, Named("x-backupdr/trash").Length);
    }

    [Fact]
    public async Task Without_a_replica_what_reads_is_saved_and_what_is_lost_is_named_and_snapshots_get_a_copy_that_reads()
    {
        var (repository, _) = await WithReplica();
        using var __ = repository;
        var data = (await Prepared.Packs(repository)).Where(pack => pack.Blobs[0].Type == BlobType.Data).MaxBy(pack => pack.Blobs.Count)!;
        var victim = data.Blobs[^1];
        Flip(ObjectLayout.Of(ObjectLayout.Data, data.Id).Value, (int)victim.Offset + 40);
        var before = (await repository.Snapshots(SnapshotFilter.All, _ct))[0];

        var packs = await RepairPacks.Execute(repository, null, null, _ct);
        var snapshots = await RepairSnapshots.Execute(repository, forget: true, _ct);

        Assert.Equal([data.Id], packs.Salvaged);
        var lost = Assert.Single(packs.LostBlobs);
        Assert.Contains($"{victim.Id}", lost, StringComparison.Ordinal);
        Assert.Contains($"offset {victim.Offset}", lost, StringComparison.Ordinal);
        var copy = Assert.Single(snapshots);
        Assert.Equal(before.Id, copy.Old);
        Assert.Contains(copy.Losses, loss => loss.Contains("1 of", StringComparison.Ordinal));
        Assert.Empty(await Errors(repository));
        var after = Assert.Single(await repository.Snapshots(SnapshotFilter.All, _ct));
        Assert.Equal(before.Id, after.Original);
        Assert.Contains(RepairSnapshots.Tag, after.Tags);
    }

    [Fact]
    public async Task An_index_that_is_damaged_or_gone_is_made_again_from_the_packs()
    {
        var (repository, _) = await WithReplica();
        using var __ = repository;
        var packs = Named("data").Length;
        var index = Assert.Single(Named("index"));
        Flip(index, 50);

        var done = await RepairIndex.Execute(repository, _ct);

        Assert.Equal((packs, 0, 1), (done.AddedPacks, done.DroppedPacks, done.ReplacedFiles));
        Assert.Empty(await Errors(repository));
        Assert.Contains(Named("x-backupdr/trash"), name => name.EndsWith(index, StringComparison.Ordinal));
        foreach (var name in Named("index")) _store.Objects.Remove(name);
        await RepairIndex.Execute(repository, _ct);
        Assert.Empty(await Errors(repository));
        Assert.Equal((0, 0, 0), await RepairIndex.Execute(repository, _ct) is var again
            ? (again.AddedPacks, again.DroppedPacks, again.ReplacedFiles) : default);
    }

    [Fact]
    public async Task A_pack_that_is_gone_leaves_the_index_when_it_is_repaired()
    {
        var (repository, _) = await WithReplica();
        using var __ = repository;
        _store.Objects.Remove(Named("data")[0]);

        Assert.Equal(1, (await RepairIndex.Execute(repository, _ct)).DroppedPacks);

        Assert.Equal(Named("data").Length, (await Prepared.Packs(repository)).Count);
        Assert.Equal(0, (await RepairIndex.Execute(repository, _ct)).ReplacedFiles);
    }
}
