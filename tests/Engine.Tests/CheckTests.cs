using System.Text;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Upkeep;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>What a repository can say that stock check does not mind.</summary>
public sealed class CheckTests
{
    const string Times = """
        "mtime":"2026-01-01T00:00:00Z","atime":"2026-01-01T00:00:00Z","ctime":"2026-01-01T00:00:00Z","uid":0,"gid":0
        """;

    readonly CancellationToken _ct = TestContext.Current.CancellationToken;

    async Task<IReadOnlyList<string>> Errors(string nodes)
    {
        using var repository = await Prepared.Init(new MemoryStore(), Prepared.Options with { Clock = new ShortWaits() });
        var index = await repository.LoadIndex(_ct);
        var writer = new IndexWriter(repository, index);
        await using var packs = new PackWriter(repository, writer, opensBlobs: false);
        var stage = new BlobStage(repository, index, packs, new BackupCounters(null, TimeProvider.System));
        var data = await stage.Store(BlobType.Data, "five!"u8.ToArray(), _ct);
        var empty = await stage.Store(BlobType.Tree, "{\"nodes\":[]}\n"u8.ToArray(), _ct);
        var json = nodes.Replace("DATA", data.ToString(), StringComparison.Ordinal)
            .Replace("TREE", empty.ToString(), StringComparison.Ordinal);
        var tree = await stage.Store(BlobType.Tree, Encoding.UTF8.GetBytes($"{{\"nodes\":[{json}]}}\n"), _ct);
        await packs.Flush(_ct);
        await writer.Flush(_ct);
        await repository.WriteUnpacked(ObjectLayout.Snapshots,
            SnapshotFile.Write(new Snapshot { Time = default, Tree = tree, Paths = ["/a"] }), _ct);
        return (await RepositoryCheck.Execute(repository, readData: true, null, _ct)).Errors;
    }

    static string Node(string name, string type, string rest) => $$"""{"name":"{{name}}","type":"{{type}}",{{Times.Trim()}},{{rest}}}""";

    [Theory]
    [InlineData("a/b")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("")]
    [InlineData("nul\\\\x00")]
    public async Task Names_that_may_not_stand_in_a_tree(string name)
        => Assert.Contains("no name that may stand", Assert.Single(await Errors(Node(name, "file", "\"content\":[]"))),
            StringComparison.Ordinal);

    [Fact]
    public async Task Names_out_of_order_or_twice()
    {
        var (a, b) = (Node("a", "file", "\"content\":[]"), Node("b", "file", "\"content\":[]"));

        Assert.Contains("sorted", Assert.Single(await Errors($"{b},{a}")), StringComparison.Ordinal);
        Assert.Contains("unique", Assert.Single(await Errors($"{a},{a}")), StringComparison.Ordinal);
        Assert.Empty(await Errors($"{a},{b}"));
    }

    [Theory]
    [InlineData("file", "\"size\":6,\"content\":[\"DATA\"]", "6 bytes long, but its blobs make 5")]
    [InlineData("file", "\"size\":5,\"content\":[\"DATA\"],\"subtree\":\"TREE\"", "has a subtree, though it is no folder")]
    [InlineData("dir", "\"content\":[\"DATA\"],\"subtree\":\"TREE\"", "has content, though it is no file")]
    [InlineData("dir", "\"content\":null", "has no subtree")]
    [InlineData("file", "\"content\":null", "has no content")]
    [InlineData("symlink", "\"content\":null", "is a link without target")]
    [InlineData("fifo", "\"content\":null,\"size\":3", "has a size, though it holds no bytes")]
    [InlineData("chardev", "\"content\":null,\"linktarget\":\"x\"", "has a link target, though it is no link")]
    [InlineData("door", "\"content\":null", "unknown kind of node 'door'")]
    [InlineData("dir", "\"content\":null,\"subtree\":\"DATA\"", "is in no index")]
    public async Task Entries_that_contradict_themselves(string type, string rest, string expected)
        => Assert.Contains(expected, Assert.Single(await Errors(Node("x", type, rest))), StringComparison.Ordinal);

    [Theory]
    [InlineData(-1, "overlaps the one before it")]
    [InlineData(1, "comes after a gap")]
    public async Task Blobs_that_overlap_or_leave_a_gap_in_the_index(int shift, string expected)
    {
        using var scratch = new ScratchFolder();
        var store = new MemoryStore();
        using var repository = await Prepared.Init(store);
        await Prepared.Backup(repository, Prepared.Folder(scratch));
        var packs = (await Prepared.Packs(repository)).ToList();
        var at = packs.FindIndex(pack => pack.Blobs.Count > 1);
        var last = packs[at].Blobs[^1];
        packs[at] = packs[at] with { Blobs = [.. packs[at].Blobs.SkipLast(1), last with { Offset = (uint)(last.Offset + shift) }] };
        foreach (var name in store.Objects.Keys.Where(name => name.StartsWith("index/", StringComparison.Ordinal)).ToList())
            store.Objects.Remove(name);
        await repository.WriteUnpacked(ObjectLayout.Index, IndexFile.Write(packs), _ct);

        var report = await RepositoryCheck.Execute(repository, readData: false, null, _ct);

        Assert.Contains(report.Errors, error => error.Contains(expected, StringComparison.Ordinal)
            && error.Contains(packs[at].Id.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_parts_of_the_data_are_all_of_it_together()
    {
        using var scratch = new ScratchFolder();
        using var repository = await Prepared.Init(new MemoryStore(), Prepared.Options with { Clock = new ShortWaits() });
        for (var seed = 0; seed < 4; seed++) await Prepared.Backup(repository, Prepared.Folder(scratch, seed));
        var all = (await RepositoryCheck.Execute(repository, readData: true, null, _ct)).BytesRead;
        long sum = 0;
        for (var part = 1; part <= 3; part++)
            sum += (await RepositoryCheck.Execute(repository, CheckScope.Part(part, 3), null, _ct)).BytesRead;

        Assert.Equal(all, sum);
        Assert.InRange((await RepositoryCheck.Execute(repository, CheckScope.Percent(20), null, _ct)).BytesRead, 1, all - 1);
        Assert.Equal(0, (await RepositoryCheck.Execute(repository, CheckScope.None, null, _ct)).BytesRead);
    }

    /// <summary>Plays rounds, each part from where the last one ended.</summary>
    async Task<(int Parts, long BytesRead, List<CheckReport> Reports)> Round(Repository repository, IReadOnlyCollection<BlobId> also)
    {
        var reports = new List<CheckReport>();
        BlobId? after = null;
        do
        {
            reports.Add(await RepositoryCheck.Execute(repository, CheckScope.Next(new PackRound(after, 0.3, 1, also)), null, _ct));
            after = reports[^1].Reached;
        }
        while (after is not null);
        return (reports.Count, reports.Sum(report => report.BytesRead), reports);
    }

    [Fact]
    public async Task The_parts_of_a_round_read_everything_once_and_name_the_pack_that_is_damaged()
    {
        using var scratch = new ScratchFolder();
        var store = new MemoryStore();
        using var repository = await Prepared.Init(store, Prepared.Options with { Clock = new ShortWaits() });
        for (var seed = 0; seed < 6; seed++) await Prepared.Backup(repository, Prepared.Folder(scratch, seed));
        var all = await RepositoryCheck.Execute(repository, readData: true, null, _ct);

        var sound = await Round(repository, []);

        Assert.InRange(sound.Parts, 2, 6);
        Assert.Equal(all.BytesRead, sound.BytesRead);
        Assert.All(sound.Reports, report => Assert.True(report.IsGood));

        var damaged = (await Prepared.Packs(repository)).Where(pack => pack.Blobs.All(blob => blob.Type == BlobType.Data))
            .Max(pack => pack.Id);   // those of trees are read by the structure's part as well
        store.Objects[ObjectLayout.Of(ObjectLayout.Data, damaged).Value][3] ^= 1;
        var (_, _, found) = await Round(repository, []);
        var bad = Assert.Single(found, report => !report.IsGood);   // often the last, but packs of trees may come behind it
        Assert.Equal([damaged], bad.DamagedPacks);
        Assert.Contains("do not match its name", bad.Errors[0], StringComparison.Ordinal);
        Assert.All((await Round(repository, [damaged])).Reports, report => Assert.Equal([damaged], report.DamagedPacks));
    }

    [Fact]
    public async Task A_missing_pack_is_named_by_every_part()
    {
        using var scratch = new ScratchFolder();
        var store = new MemoryStore();
        using var repository = await Prepared.Init(store, Prepared.Options with { Clock = new ShortWaits() });
        await Prepared.Backup(repository, Prepared.Folder(scratch));
        var gone = (await Prepared.Packs(repository))[0].Id;
        store.Objects.Remove(ObjectLayout.Of(ObjectLayout.Data, gone).Value);

        var report = await RepositoryCheck.Execute(repository, CheckScope.Next(new PackRound(null, 0.01, 1, [])), null, _ct);

        Assert.Equal([gone], report.DamagedPacks);
    }
}
