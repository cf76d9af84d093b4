using BackupDr.Engine.Locks;
using BackupDr.Engine.Upkeep;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Engine.Tests;

/// <summary>Single flipped bits and cut-off ends in every kind of object.</summary>
public sealed class DamageTests : IDisposable
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly string[] Kinds = ["config", "keys", "data", "index", "snapshots", "locks"];

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    static RepositoryOptions Options
        => Prepared.Options with { PackSizeBytes = 256 << 10, Clock = new HurriedTime(DateTimeOffset.UtcNow) };

    [Fact, Clause("F-5.3"), Clause("F-5.4")]
    public async Task Each_flipped_bit_and_each_lost_end_is_found_by_a_check_of_all_data_and_named()
    {
        var whole = await Whole();
        var seed = Environment.TickCount;
        var random = new Random(seed);
        Assert.Empty(await Found(whole));

        for (var round = 0; round < Nightly.Or(500, 10_000); round++)
        {
            var (damaged, name, what) = Damage(whole, Kinds[round % Kinds.Length], random);
            var found = await Found(damaged).WaitAsync(TimeSpan.FromMinutes(1), None);   // a check that hangs is a failure too
            // A lock without bytes is what a writer leaves that dies while it takes it: no damage, by the format.
            if (name.StartsWith("locks/", StringComparison.Ordinal) && damaged.Objects[name].Length == 0) continue;
            Assert.True(found.Any(line => line.Contains(name.Split('/')[^1], StringComparison.Ordinal)),
                $"seed {seed}, round {round}, {name}: {what}: found: {string.Join("; ", found)}");
        }
    }

    [Fact, Clause("F-1.2")]
    public async Task With_a_replica_each_of_them_is_healed()
    {
        var whole = await Whole();
        foreach (var name in whole.Objects.Keys.Where(name => name.StartsWith("locks/", StringComparison.Ordinal)).ToList())
            whole.Objects.Remove(name, out _);
        var seed = Environment.TickCount;
        var random = new Random(seed);
        using var password = Contracts.Secret.FromText(Prepared.PasswordText);

        for (var round = 0; round < Nightly.Or(500, 10_000); round++)
        {
            var (damaged, name, what) = Damage(whole, Kinds[round % (Kinds.Length - 1)], random);
            var done = await RepairFromReplica.Execute(damaged, whole, password, Options, null, None);

            var words = $"seed {seed}, round {round}, {name}: {what}";
            Assert.True(done.Healed.Select(one => one.Value).SequenceEqual([name]), $"{words}: healed {string.Join(", ", done.Healed)}");
            Assert.True(done.NotHealed.Count + done.Packs.LostBlobs.Count + done.Packs.Index.ReplacedFiles == 0, words);
            foreach (var (known, bytes) in whole.Objects)
                Assert.True(damaged.Objects.TryGetValue(known, out var now) && now.AsSpan().SequenceEqual(bytes), $"{words}: {known}");
            Assert.All(damaged.Objects.Keys.Except(whole.Objects.Keys),
                more => Assert.EndsWith(name, more, StringComparison.Ordinal));   // in the trash
        }
        Assert.Empty(await Found(whole));
    }

    [Fact]
    public async Task What_no_replica_can_heal_is_named_and_what_it_has_more_does_not_come_back()
    {
        var whole = await Whole();
        foreach (var name in whole.Objects.Keys.Where(name => name.StartsWith("locks/", StringComparison.Ordinal)).ToList())
            whole.Objects.Remove(name, out _);
        var snapshots = whole.Objects.Keys.Where(name => name.StartsWith("snapshots/", StringComparison.Ordinal)).ToArray();
        var (damaged, replica) = (Copy(whole), Copy(whole));
        damaged.Objects[snapshots[0]] = [1, 2, 3];
        replica.Objects[snapshots[0]] = [];
        damaged.Objects.Remove(snapshots[1], out _);
        using var password = Contracts.Secret.FromText(Prepared.PasswordText);

        var done = await RepairFromReplica.Execute(damaged, replica, password, Options, null, None);

        Assert.Equal(snapshots[0], Assert.Single(done.NotHealed).Value);
        Assert.Equal([1, 2, 3], damaged.Objects[snapshots[0]]);
        Assert.False(damaged.Objects.ContainsKey(snapshots[1]));
        // Another repository is no replica, even with the same password.
        var stranger = new MemoryStore();
        (await Prepared.Init(stranger, Options)).Dispose();
        damaged.Objects["config"] = [];
        var refused = await Assert.ThrowsAsync<RepositoryException>(
            () => RepairFromReplica.Execute(damaged, stranger, password, Options, null, None));
        Assert.Equal(RepositoryFault.Damaged, refused.Fault);
        Assert.Empty(damaged.Objects["config"]);
    }

    [Fact, Clause("F-9.4")]
    public async Task A_damaged_lock_is_removed_with_all_others_when_that_is_asked_for()
    {
        var store = await Whole();
        var name = Assert.Single(store.Objects.Keys, name => name.StartsWith("locks/", StringComparison.Ordinal));
        store.Objects[name] = store.Objects[name][..50];
        using var repository = await Prepared.Open(store, Options);

        var refused = await Assert.ThrowsAsync<RepositoryException>(() => RepositoryLock.Take(repository, exclusive: false, None));
        Assert.Contains("unlock --remove-all", refused.Hint, StringComparison.Ordinal);
        Assert.Equal(1, await RepositoryLock.RemoveStale(repository, _ => true, all: true, None));

        await using var taken = await RepositoryLock.Take(repository, exclusive: true, None);
    }

    [Fact]
    public async Task A_damaged_key_is_named_and_does_not_keep_another_key_from_opening()
    {
        var store = await Whole();
        using (var repository = await Prepared.Open(store, Options))
            await repository.AddKey(Contracts.Secret.FromText("another password"), None);
        foreach (var name in store.Objects.Keys.Where(name => name.StartsWith("keys/", StringComparison.Ordinal)).ToList())
        {
            var damaged = Copy(store);
            damaged.Objects[name] = store.Objects[name][..40];
            var opened = 0;
            foreach (var password in (string[])["another password", Prepared.PasswordText])
                try
                {
                    using var repository = await Repository.Open(damaged, Contracts.Secret.FromText(password), Options, None);
                    opened++;
                    var report = await RepositoryCheck.Execute(repository, readData: false, null, None);
                    Assert.Contains(name.Split('/')[^1], Assert.Single(report.Errors), StringComparison.Ordinal);
                }
                catch (RepositoryException e)
                {
                    Assert.Equal(RepositoryFault.Damaged, e.Fault);
                    Assert.Contains(name.Split('/')[^1], e.Message, StringComparison.Ordinal);
                }
            Assert.Equal(1, opened);
        }
    }

    [Fact]
    public async Task Stock_restic_finds_what_we_find()
    {
        var whole = await Whole();
        var seed = Environment.TickCount;
        var random = new Random(seed);
        for (var round = 0; round < 10; round++)
        {
            // Stock restic does not look at keys and locks here.
            var (damaged, name, what) = Damage(whole, ((string[])["data", "index", "snapshots", "config"])[round % 4], random);
            var folder = _scratch.At($"repository-{round}");
            foreach (var (path, bytes) in damaged.Objects)
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, path))!);
                File.WriteAllBytes(Path.Combine(folder, path), bytes);
            }
            var stock = new ResticCli(folder, Prepared.PasswordText, _scratch.At("cache")).Run("check", "--read-data", "--no-lock");
            Assert.True(stock.ExitCode != 0, $"seed {seed}, {name}: {what}: stock restic found nothing: {stock.Output}");
            Assert.NotEmpty(await Found(damaged));
        }
    }

    /// <summary>A repository of two backups and a lock that is held.</summary>
    async Task<MemoryStore> Whole()
    {
        var store = new MemoryStore();
        using var repository = await Prepared.Init(store, Options);
        foreach (var (name, bytes) in ((string, int)[])[("noise", 900_000), ("inner/more", 100_000)])
        {
            _scratch.File($"source/{name}.txt", string.Concat(Enumerable.Repeat($"the same {name} again and again ", 2_000)));
            File.WriteAllBytes(_scratch.At($"source/{name}"), Prepared.Noise(bytes, seed: bytes));
            await Prepared.Backup(repository, _scratch.At("source"));
        }
        await using var held = await RepositoryLock.Take(repository, exclusive: false, None);
        return Copy(store);
    }

    static MemoryStore Copy(MemoryStore store)
    {
        var copy = new MemoryStore();
        foreach (var (name, bytes) in store.Objects) copy.Objects[name] = bytes;
        return copy;
    }

    static (MemoryStore Damaged, string Name, string What) Damage(MemoryStore whole, string kind, Random random)
    {
        var damaged = Copy(whole);
        var names = whole.Objects.Keys.Where(name => name.Split('/')[0] == kind).Order(StringComparer.Ordinal).ToArray();
        var name = names[random.Next(names.Length)];
        var bytes = (byte[])whole.Objects[name].Clone();
        if (random.Next(2) == 0)
        {
            var length = random.Next(bytes.Length);
            damaged.Objects[name] = bytes[..length];
            return (damaged, name, $"{length} of {bytes.Length} bytes left");
        }
        var (at, bit) = (random.Next(bytes.Length), random.Next(8));
        bytes[at] ^= (byte)(1 << bit);
        damaged.Objects[name] = bytes;
        return (damaged, name, $"bit {bit} of byte {at} flipped");
    }

    /// <summary>What opening and checking say is wrong.</summary>
    static async Task<IReadOnlyList<string>> Found(MemoryStore store)
    {
        try
        {
            using var repository = await Prepared.Open(store, Options);
            return (await RepositoryCheck.Execute(repository, readData: true, null, None)).Errors;
        }
        catch (RepositoryException e) { return [e.Message]; }
    }
}
