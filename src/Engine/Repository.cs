using System.Collections.Concurrent;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Cache;
using BackupDr.Engine.Chunking;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Memory;
using BackupDr.Engine.Replicas;
using BackupDr.Storage;

namespace BackupDr.Engine;

/// <summary>An open repository: the door to its snapshots, index and blobs. Safe for concurrent use.</summary>
/// <remarks>Source: docs/format/restic-v2.md. It owns neither the store nor any lock.</remarks>
public sealed class Repository : IDisposable
{
    const int MaximumUnpackedBytes = 256 << 20;
    /// <summary>Largest key file that is read.</summary>
    internal const int MaximumKeyBytes = 1 << 20;

    readonly MasterKey _key;
    readonly ConcurrentBag<BlobWorkbench> _benches = [];

    Repository(IObjectStore store, MasterKey key, BlobId keyId, ConfigFile config, RepositoryOptions options)
    {
        (Store, _key, KeyId, Options) = (store, key, keyId, options);
        (Id, ChunkerPolynomial) = (config.Id, config.ChunkerPolynomial);
    }

    /// <summary>Where the objects are.</summary>
    public IObjectStore Store { get; }
    /// <summary>How it is worked with.</summary>
    public RepositoryOptions Options { get; }
    /// <summary>The id in its config, 64 hex characters.</summary>
    public string Id { get; }
    /// <summary>Irreducible polynomial of degree 53 for restic's own chunker.</summary>
    public ulong ChunkerPolynomial { get; }
    /// <summary>The key file that the password opened.</summary>
    public BlobId KeyId { get; }
    /// <summary>Work to have under way at once where it waits for the store.</summary>
    internal int RequestsAtOnce => Math.Max(Options.Workers, Store.RequestsAtOnce);
    internal BufferPool Buffers { get; } = new();
    /// <summary>The further places, where there are any.</summary>
    internal ReplicatedStore? Replicas => Store as ReplicatedStore;

    /// <summary>Makes a repository: key file first, config last.</summary>
    /// <exception cref="RepositoryException">Exists.</exception>
    /// <exception cref="StoreException">The place cannot be written.</exception>
    public static async Task<Repository> Init(IObjectStore store, Secret password, RepositoryOptions options, CancellationToken ct)
    {
        if (password.Bytes.IsEmpty) throw EmptyPassword();
        if (await store.Head(ObjectLayout.Config, ct) is not null) throw AlreadyThere(store);
        var master = MasterKey.Random();
        var key = PasswordKey.Make(master, password, options.Kdf, options.UserName, options.HostName,
            UnixTime.From(options.Clock.GetUtcNow()));
        var keyBytes = key.Write();
        var config = new ConfigFile(2, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32)), Polynomial.RandomIrreducible());
        using var box = new SealedBox(master);
        var keyId = new BlobId(SHA256.HashData(keyBytes));
        await store.Put(ObjectLayout.Of(ObjectLayout.Keys, keyId), keyBytes, ct);
        try { await store.Put(ObjectLayout.Config, box.Seal(config.Write(), out _), ct); }
        catch (StoreException e) when (e.Fault == StoreFault.Exists) { throw AlreadyThere(store); }
        return new Repository(store, master, keyId, config, options);
    }

    static BadInputException EmptyPassword()
        => new("password", "The password is empty.", "Give a password of at least 12 characters, or a generated one.");

    static RepositoryException AlreadyThere(IObjectStore store)
        => new(RepositoryFault.Exists, $"There is a repository at {store.Url} already.",
            "Open it with its password, or choose another place.");

    /// <summary>Opens a repository.</summary>
    /// <exception cref="RepositoryException">Missing, WrongPassword, Unsupported, Damaged or OtherRepository.</exception>
    public static async Task<Repository> Open(IObjectStore store, Secret password, RepositoryOptions options, CancellationToken ct)
    {
        StoredObject? head;
        try { head = await store.Head(ObjectLayout.Config, ct); }
        catch (StoreException e) when (e.Fault is StoreFault.Missing or StoreFault.Unusable) { throw NotThere(store, e); }
        if (head is null) throw NotThere(store, null);
        if (head.Value.SizeBytes > 1 << 20) throw RepositoryException.Damaged("config", $"{head.Value.SizeBytes} bytes are too many.");
        var stored = new byte[head.Value.SizeBytes];
        await store.Read(ObjectLayout.Config, 0, stored, ct);
        var (master, keyId) = await OpenKey(store, password, ct);
        using var box = new SealedBox(master);
        if (!box.TryOpen(stored, out var json))
            throw RepositoryException.Damaged("config", "it does not open with the repository's key; bytes were changed.");
        var config = ConfigFile.Read(json);
        if (options.ExpectedId is { } expected && expected != config.Id)
            throw new RepositoryException(RepositoryFault.OtherRepository,
                $"The repository at {store.Url} is {config.Id[..8]}, not {expected[..Math.Min(8, expected.Length)]} as expected.",
                "Somebody put another repository in its place; find out who before anything is written.");
        return new Repository(store, master, keyId, config, options);
    }

    // A place that cannot be used says itself why, and what to do: a missing bucket, a certificate that nobody vouches for.
    static RepositoryException NotThere(IObjectStore store, StoreException? inner) => inner is { Fault: StoreFault.Unusable }
        ? new(RepositoryFault.Missing, $"There is no repository at {store.Url} that can be used: {inner.Message}",
            inner.Hint ?? NotThereHint, inner)
        : new(RepositoryFault.Missing, $"There is no repository at {store.Url}.", NotThereHint, inner);

    const string NotThereHint = "Check the address, or make one with 'backupdr repo init'.";

    static async Task<(MasterKey Master, BlobId Id)> OpenKey(IObjectStore store, Secret password, CancellationToken ct)
    {
        var keys = 0;
        RepositoryException? damaged = null;
        await foreach (var listed in store.List(ObjectLayout.Keys, ct))
        {
            if (!ObjectLayout.TryId(listed, out var id)) continue;
            if (listed.SizeBytes is 0 or > MaximumKeyBytes)
            {
                damaged ??= RepositoryException.Damaged($"key {id}", $"it has {listed.SizeBytes} bytes.");
                continue;
            }
            var bytes = new byte[listed.SizeBytes];
            await store.Read(listed.Name, 0, bytes, ct);
            keys++;
            try
            {
                if (PasswordKey.TryOpen(KeyFile.Read(bytes, $"key {id}"), password, $"key {id}") is { } master) return (master, id);
                if (new BlobId(SHA256.HashData(bytes)) != id)
                    damaged ??= RepositoryException.Damaged($"key {id}", "its bytes do not match its name.");
            }
            catch (RepositoryException e) { damaged ??= e; }   // told below where no other key opens
        }
        if (damaged is not null) throw damaged;
        throw keys == 0
            ? RepositoryException.Damaged("keys", $"there is no key file in {store.Url}.")
            : new RepositoryException(RepositoryFault.WrongPassword,
            $"Wrong password: none of the {keys} key file(s) of {store.Url} opens with it.", "Check the password file.");
    }

    /// <summary>A further password's key file; gives its id.</summary>
    /// <exception cref="BadInputException">The password is empty.</exception>
    public async Task<BlobId> AddKey(Secret password, CancellationToken ct)
    {
        if (password.Bytes.IsEmpty) throw EmptyPassword();
        var bytes = PasswordKey.Make(_key, password, Options.Kdf, Options.UserName, Options.HostName,
            UnixTime.From(Options.Clock.GetUtcNow())).Write();
        var id = new BlobId(SHA256.HashData(bytes));
        await Store.Put(ObjectLayout.Of(ObjectLayout.Keys, id), bytes, ct);
        return id;
    }

    internal BlobWorkbench RentBench()
        => _benches.TryTake(out var bench) ? bench : new BlobWorkbench(_key, Options.CompressionLevel, Buffers);

    internal void ReturnBench(BlobWorkbench bench) => _benches.Add(bench);

    /// <summary>Stores a JSON text in a folder, named by its bytes.</summary>
    internal async Task<BlobId> WriteUnpacked(string folder, ReadOnlyMemory<byte> json, CancellationToken ct)
    {
        var bench = RentBench();
        byte[] stored;
        try { stored = UnpackedFile.Write(json.Span, bench.Box, bench.Codec); }
        finally { ReturnBench(bench); }
        var id = new BlobId(SHA256.HashData(stored));
        await Store.Put(ObjectLayout.Of(folder, id), stored, ct);
        return id;
    }

    /// <summary>Reads a JSON text, checking the name against the bytes.</summary>
    /// <param name="folder">Where it lies.</param>
    /// <param name="id">Its name.</param>
    /// <param name="ct">Cancels.</param>
    /// <param name="listedBytes">Its size where a listing told it, which saves asking the store once more.</param>
    internal async Task<ReadOnlyMemory<byte>> ReadUnpacked(string folder, BlobId id, CancellationToken ct, long? listedBytes = null)
    {
        try { return await ReadUnpackedOnce(folder, id, listedBytes, ct); }
        catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged && Replicas is not null)
        {
            if (!await Replicas.Heal(ObjectLayout.Of(folder, id), ct)) throw;
            return await ReadUnpackedOnce(folder, id, null, ct);   // the listing may have told the size of the damaged one
        }
    }

    async Task<ReadOnlyMemory<byte>> ReadUnpackedOnce(string folder, BlobId id, long? listedBytes, CancellationToken ct)
    {
        var name = ObjectLayout.Of(folder, id);
        var size = listedBytes ?? (await Store.Head(name, ct) ?? throw new StoreException(StoreFault.Missing,
            $"read {name} in {Store.Url}: there is no such object")).SizeBytes;
        if (size > MaximumUnpackedBytes) throw RepositoryException.Damaged(name.Value, $"{size} bytes are too many.");
        var stored = new byte[size];
        await Store.Read(name, 0, stored, ct);
        if (new BlobId(SHA256.HashData(stored)) != id) throw RepositoryException.Damaged(name.Value, "its bytes do not match its name.");
        var bench = RentBench();
        try { return UnpackedFile.Read(stored, bench.Box, bench.Codec, name.Value); }
        finally { ReturnBench(bench); }
    }

    /// <summary>Snapshots that fit, oldest first.</summary>
    /// <exception cref="RepositoryException">One is damaged.</exception>
    public async Task<IReadOnlyList<Snapshot>> Snapshots(SnapshotFilter filter, CancellationToken ct)
    {
        var found = await new SnapshotLoad(this).Run(ct);
        return [.. found.Where(filter.Fits).OrderBy(snapshot => snapshot.Time).ThenBy(snapshot => snapshot.Id)];
    }

    /// <summary>The one snapshot that is meant.</summary>
    /// <param name="idPrefixOrLatest">"latest", or the beginning of an id.</param>
    /// <param name="filter">Narrows "latest".</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="RepositoryException">NoSuchSnapshot.</exception>
    public async Task<Snapshot> FindSnapshot(string idPrefixOrLatest, SnapshotFilter filter, CancellationToken ct)
    {
        // Somebody else's repository may hold ten thousand: a whole id needs no other one to be read.
        if (BlobId.TryParse(idPrefixOrLatest, out var whole) && await TrySnapshot(whole, ct) is { } exact) return exact;
        var latest = idPrefixOrLatest == "latest";
        var snapshots = await Snapshots(latest ? filter : SnapshotFilter.All, ct);
        if (latest)
            return snapshots.Count > 0 ? snapshots[^1]
                : throw new RepositoryException(RepositoryFault.NoSuchSnapshot, $"There is no snapshot{filter.Words} in {Store.Url}.",
                "List them with 'backupdr snapshots'.");
        var fitting = snapshots.Where(snapshot => snapshot.Id.ToString().StartsWith(idPrefixOrLatest, StringComparison.Ordinal)
            && idPrefixOrLatest.Length > 0).ToList();
        return fitting.Count == 1 ? fitting[0] : throw new RepositoryException(RepositoryFault.NoSuchSnapshot,
            fitting.Count == 0 ? $"There is no snapshot '{idPrefixOrLatest}' in {Store.Url}."
                : $"'{idPrefixOrLatest}' fits {fitting.Count} snapshots: "
                    + string.Join(", ", fitting.Take(8).Select(snapshot => snapshot.Id.ToString()[..16])) + ".",
            fitting.Count == 0 ? "List them with 'backupdr snapshots'." : "Write more characters of the id.");
    }

    async Task<Snapshot?> TrySnapshot(BlobId id, CancellationToken ct)
    {
        try { return SnapshotFile.Read((await ReadUnpacked(ObjectLayout.Snapshots, id, ct)).Span, id); }
        catch (StoreException e) when (e.Fault == StoreFault.Missing) { return null; }
    }

    /// <summary>Loads the union of all index files. Load snapshots before the index, never after.</summary>
    /// <exception cref="RepositoryException">One is damaged.</exception>
    public Task<BlobIndex> LoadIndex(CancellationToken ct) => LoadIndex(new HashSet<BlobId>(), withMarked: true, ct);

    /// <summary>Loads the index with marked packs behind all others, so that a blob's place is a marked pack only where no other has it;
    /// or without them.</summary>
    /// <exception cref="RepositoryException">One is damaged.</exception>
    internal Task<BlobIndex> LoadIndex(IReadOnlySet<BlobId> marked, bool withMarked, CancellationToken ct)
        => new IndexLoad(this, marked, withMarked).Run(ct);

    internal async IAsyncEnumerable<BlobId> IndexIds([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        await foreach (var listed in Store.List(ObjectLayout.Index, ct))
            if (ObjectLayout.TryId(listed, out var id)) yield return id;
    }

    /// <summary>Wipes nothing in the store; frees native contexts.</summary>
    public void Dispose()
    {
        while (_benches.TryTake(out var bench)) bench.Dispose();
    }
}

/// <summary>Which snapshots are meant.</summary>
public sealed record SnapshotFilter
{
    /// <summary>All of them.</summary>
    public static SnapshotFilter All { get; } = new();
    /// <summary>Only of one of these hosts; empty for all.</summary>
    public IReadOnlyList<string> HostNames { get; init; } = [];
    /// <summary>Only those that hold all of these paths.</summary>
    public IReadOnlyList<string> Paths { get; init; } = [];
    /// <summary>Lists of tags, separated by commas: only snapshots with all tags of at least one of the lists. The empty text means those
    /// without tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Whether a snapshot is meant.</summary>
    public bool Fits(Snapshot snapshot) => (HostNames.Count == 0 || HostNames.Contains(snapshot.HostName))
        && Paths.All(path => snapshot.Paths.Contains(path)) && (Tags.Count == 0 || Tags.Any(list => HasAll(snapshot, list)));

    static bool HasAll(Snapshot snapshot, string list)
        => list.Length == 0 ? snapshot.Tags.Count == 0 : list.Split(',', StringSplitOptions.TrimEntries).All(snapshot.Tags.Contains);

    internal string Words
        => (HostNames.Count == 0 ? "" : $" of host {string.Join(" or ", HostNames)}")
        + (Paths.Count == 0 ? "" : $" with {string.Join(", ", Paths)}")
        + (Tags.Count == 0 ? "" : $" tagged {string.Join(" or ", Tags)}");
}
