using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;
using BackupDr.Engine.Upkeep;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>Repositories that stock restic wrote, read whole.</summary>
public sealed class StockRepositoryTests
{
    static readonly Secret Password = Secret.FromText("Vector pässword 1");

    static MemoryStore Load(string repository)
    {
        var store = new MemoryStore();
        var root = Vector.PathOf($"repo-{repository}");
        foreach (var path in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories))
            store.Objects[Path.GetRelativePath(root, path)] = File.ReadAllBytes(path);
        return store;
    }

    [Theory, Clause("F-1.1"), Clause("F-1.2"), Clause("F-6.1"), Clause("F-6.3"), Clause("F-8.2"), Clause("F-11.3"), Clause("F-7.9")]
    [InlineData("auto")]
    [InlineData("off")]
    [InlineData("newer")]
    public async Task Every_entry_and_every_byte_of_it_is_as_expected(string name)
    {
        var ct = TestContext.Current.CancellationToken;
        using var repository = await Repository.Open(Load(name), Password, new RepositoryOptions(), ct);
        using var expected = Vector.Expected(name);
        var reader = new BlobReader(repository, await repository.LoadIndex(ct));
        var browser = new TreeBrowser(reader);
        var snapshots = await repository.Snapshots(SnapshotFilter.All, ct);

        Assert.Equal(expected.RootElement.GetProperty("snapshots").GetArrayLength(), snapshots.Count);
        foreach (var wanted in expected.RootElement.GetProperty("snapshots").EnumerateArray())
        {
            var snapshot = Assert.Single(snapshots, found => found.Id.ToString() == wanted.Text("id"));
            var found = new Dictionary<FilePath, Node>();
            await foreach (var (path, node) in browser.Walk(snapshot, default, ct)) found.Add(path, node);
            Assert.Equal(wanted.GetProperty("entries").GetArrayLength(), found.Count);
            foreach (var entry in wanted.GetProperty("entries").EnumerateArray())
            {
                var node = found[new FilePath(entry.Base64("path_b64"))];
                Assert.Equal(entry.Text("type"), node.Type.ToString().ToLowerInvariant());
                Assert.Equal((uint)entry.GetProperty("mode_field").GetInt64(), GoFileMode.Encode(node.Type, node.Permissions));
                Assert.Equal(entry.GetProperty("uid").GetInt64(), node.Uid);
                if (entry.TryGetProperty("linktarget_raw_b64", out var target))
                    Assert.Equal(target.GetBytesFromBase64(), node.LinkTarget.Bytes.ToArray());
                if (node.Type != NodeType.File) continue;
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                foreach (var id in node.Content) hash.AppendData(await reader.Read(BlobType.Data, id, ct));
                Assert.Equal(entry.Text("sha256"), Convert.ToHexStringLower(hash.GetHashAndReset()));
            }
        }
    }

    [Theory]
    [InlineData("auto")]
    [InlineData("off")]
    [InlineData("newer")]
    public async Task A_check_of_all_data_finds_nothing_wrong(string name)
    {
        var ct = TestContext.Current.CancellationToken;
        using var repository = await Repository.Open(Load(name), Password, new RepositoryOptions(), ct);

        var report = await RepositoryCheck.Execute(repository, readData: true, null, ct);

        Assert.Empty(report.Errors);
        Assert.True(report.BytesRead > 0);
    }

    [Fact, Clause("F-4.3")]
    public async Task A_wrong_password_is_told_apart_from_damage_and_from_nothing_there()
    {
        var ct = TestContext.Current.CancellationToken;

        var wrong = await Assert.ThrowsAsync<RepositoryException>(()
            => Repository.Open(Load("auto"), Secret.FromText("no"), new RepositoryOptions(), ct));
        var missing = await Assert.ThrowsAsync<RepositoryException>(()
            => Repository.Open(new MemoryStore(), Password, new RepositoryOptions(), ct));
        var other = await Assert.ThrowsAsync<RepositoryException>(()
            => Repository.Open(Load("auto"), Password, new RepositoryOptions { ExpectedId = new string('0', 64) }, ct));

        Assert.Equal((RepositoryFault.WrongPassword, RepositoryFault.Missing, RepositoryFault.OtherRepository),
            (wrong.Fault, missing.Fault, other.Fault));
    }

    [Fact, Clause("F-5.3"), Clause("F-5.4")]
    public async Task Any_flipped_bit_is_found_by_a_check_of_all_data_and_named()
    {
        var ct = TestContext.Current.CancellationToken;
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var round = 0; round < 26; round++)
        {
            var store = Load("auto");
            var names = store.Objects.Keys.Order(StringComparer.Ordinal).ToArray();
            var name = names[round % names.Length];
            var bytes = (byte[])store.Objects[name].Clone();
            bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            store.Objects[name] = bytes;
            try
            {
                using var repository = await Repository.Open(store, Password, new RepositoryOptions(), ct);
                var report = await RepositoryCheck.Execute(repository, readData: true, null, ct);
                // A key file's own bytes are not authenticated but for the master key, so a flip in its host name changes nothing that
                // matters.
                Assert.True(!report.IsGood || name.StartsWith("keys/", StringComparison.Ordinal),
                    $"seed {seed}, round {round}: a flip in {name} was not found");
            }
            catch (RepositoryException e)
            {
                Assert.True(name == "config" || name.StartsWith("keys/", StringComparison.Ordinal),
                    $"seed {seed}, round {round}, {name}: {e.Message}");
            }
        }
    }
}
