using System.Buffers.Binary;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Locks;
using BackupDr.Engine.ObjectLocks;
using BackupDr.Storage;

namespace BackupDr.Engine.Upkeep;

/// <summary>What a check found.</summary>
public sealed record CheckReport
{
    /// <summary>Damage; empty is good.</summary>
    public required IReadOnlyList<string> Errors { get; init; }
    /// <summary>Worth knowing, but no damage.</summary>
    public required IReadOnlyList<string> Remarks { get; init; }
    /// <summary>Snapshots looked at.</summary>
    public int Snapshots { get; init; }
    /// <summary>Packs looked at.</summary>
    public int Packs { get; init; }
    /// <summary>Trees looked at.</summary>
    public int Trees { get; init; }
    /// <summary>Bytes of packs read.</summary>
    public long BytesRead { get; init; }
    /// <summary>Packs that were to be read and lie in an archive: they were not.</summary>
    public int ArchivedPacks { get; init; }
    /// <summary>Their bytes.</summary>
    public long ArchivedBytes { get; init; }
    /// <summary>Packs that are missing or damaged, of those that were looked at.</summary>
    public IReadOnlyList<BlobId> DamagedPacks { get; init; } = [];
    /// <summary>Bytes of all packs.</summary>
    public long PackBytes { get; init; }
    /// <summary>The last pack of a round's part that was read; null at its end.</summary>
    public BlobId? Reached { get; init; }
    /// <summary>Whether no damage was found.</summary>
    public bool IsGood => Errors.Count == 0;
}

/// <summary>How far a check is.</summary>
/// <param name="PacksDone">Packs read.</param>
/// <param name="PacksTotal">Packs in all.</param>
public readonly record struct CheckProgress(int PacksDone, int PacksTotal);

/// <summary>Checks a repository: structure always, every stored byte on request. Changes nothing but its own lock.</summary>
/// <remarks>It takes a shared lock, so backups go on meanwhile; what they add while it runs is left out.</remarks>
public sealed class RepositoryCheck
{
    readonly Repository _repository;
    readonly List<string> _errors = [], _remarks = [];
    readonly Lock _gate = new();
    readonly Dictionary<BlobId, IndexedPack> _packs = [];
    readonly BlobIndex _index = new();
    readonly HashSet<BlobId> _trees = [];
    readonly SortedSet<BlobId> _damaged = [];
    int _snapshots;
    long _bytesRead, _archivedBytes;
    int _archived;

    RepositoryCheck(Repository repository) => _repository = repository;

    /// <summary>Checks.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="readData">Whether every pack is read, hashed and decoded.</param>
    /// <param name="progress">Told after each pack that was read.</param>
    /// <param name="ct">Cancels.</param>
    public static Task<CheckReport> Execute(Repository repository, bool readData, IProgress<CheckProgress>? progress,
        CancellationToken ct)
        => Execute(repository, readData ? CheckScope.All : CheckScope.None, progress, ct);

    /// <summary>Checks.</summary>
    /// <param name="repository">An open repository.</param>
    /// <param name="data">Which packs are read, hashed and decoded.</param>
    /// <param name="progress">Told after each pack that was read.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<CheckReport> Execute(Repository repository, CheckScope data, IProgress<CheckProgress>? progress,
        CancellationToken ct)
    {
        await using var held = await RepositoryLock.Take(repository, exclusive: false, ct);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct, held.Lost);
        var check = new RepositoryCheck(repository);
        await check.ReadKeys(stop.Token);
        var snapshots = await check.ReadSnapshots(stop.Token);
        await check.ReadIndex(stop.Token);
        await check.ComparePacks(stop.Token);
        await check.CompareRetentions(stop.Token);
        foreach (var snapshot in snapshots) await check.WalkTrees(snapshot, stop.Token);
        var (part, reached) = data.IsNone ? ([], null) : data.Of(check._packs.Values);
        await check.ReadPacks([.. part], progress, stop.Token);
        return new CheckReport
        {
            Errors = check._errors,
            Remarks = check._remarks,
            Snapshots = check._snapshots,
            Packs = check._packs.Count,
            Trees = check._trees.Count,
            BytesRead = check._bytesRead,
            ArchivedPacks = check._archived,
            ArchivedBytes = check._archivedBytes,
            DamagedPacks = [.. check._damaged],
            PackBytes = check._packs.Values.Sum(pack => pack.Blobs.Sum(blob => (long)blob.Length)),
            Reached = reached,
        };
    }

    void Error(string text) { lock (_gate) _errors.Add(text); }

    void Error(BlobId pack, string text)
    {
        lock (_gate)
        {
            _damaged.Add(pack);
            _errors.Add($"pack {pack}{text}");
        }
    }

    /// <summary>Not all of a key file is authenticated, and the other passwords' keys do not open for us: their names tell.</summary>
    async Task ReadKeys(CancellationToken ct)
    {
        await foreach (var listed in _repository.Store.List(ObjectLayout.Keys, ct))
        {
            if (!ObjectLayout.TryId(listed, out var id)) continue;
            if (listed.SizeBytes > Repository.MaximumKeyBytes) { Error($"key {id}: {listed.SizeBytes} bytes are too many."); continue; }
            await Guard(async () =>
            {
                var bytes = new byte[listed.SizeBytes];
                await _repository.Store.Read(listed.Name, 0, bytes, ct);
                if (new BlobId(SHA256.HashData(bytes)) != id) Error($"key {id}: its bytes do not match its name.");
            });
        }
    }

    async Task<List<Snapshot>> ReadSnapshots(CancellationToken ct)
    {
        var snapshots = new List<Snapshot>();
        await foreach (var listed in _repository.Store.List(ObjectLayout.Snapshots, ct))
        {
            if (!ObjectLayout.TryId(listed, out var id)) continue;
            _snapshots++;
            await Guard(async () =>
            {
                try { snapshots.Add(SnapshotFile.Read((await _repository.ReadUnpacked(ObjectLayout.Snapshots, id, ct)).Span, id)); }
                catch (StoreException e) when (e.Fault == StoreFault.Missing) { _snapshots--; }   // forgotten meanwhile
            });
        }
        return snapshots;
    }

    async Task ReadIndex(CancellationToken ct)
    {
        var seen = new HashSet<BlobId>();
        for (var again = true; again;)
        {
            again = false;
            await foreach (var id in _repository.IndexIds(ct))
                if (seen.Add(id))
                    await Guard(async () =>
                    {
                        try
                        {
                            var json = await _repository.ReadUnpacked(ObjectLayout.Index, id, ct);
                            Learn(id, IndexFile.Read(json.Span, $"index {id}"));
                        }
                        // A sweep rewrote it: list again.
                        catch (StoreException e) when (e.Fault == StoreFault.Missing) { again = true; }
                    });
        }
    }

    void Learn(BlobId index, List<IndexedPack> packs)
    {
        foreach (var pack in packs)
        {
            if (_packs.TryGetValue(pack.Id, out var known))
            {
                if (!known.Blobs.SequenceEqual(pack.Blobs))
                    Error($"index {index}: pack {pack.Id} is listed differently in two index files.");
            }
            else CheckLayout(index, pack);
            _packs[pack.Id] = pack;
            _index.Load(pack);
        }
    }

    /// <summary>Where a retention is asked for: whether everything has it. No damage, but what a prune puts right.</summary>
    async Task CompareRetentions(CancellationToken ct)
    {
        if (RetentionBook.Of(_repository) is not { } retentions) return;
        var names = new List<ObjectName> { ObjectLayout.Config };
        foreach (var folder in (string[])[ObjectLayout.Keys, ObjectLayout.Index, ObjectLayout.Snapshots])
            await foreach (var listed in _repository.Store.List(folder, ct)) names.Add(listed.Name);
        names.AddRange(_packs.Keys.Select(id => ObjectLayout.Of(ObjectLayout.Data, id)));
        var until = await retentions.Until(names, ct);
        var least = retentions.Now + retentions.Rule.Period - retentions.Margin;
        var ending = until.Values.Where(time => time < least).ToList();
        const string then = "A prune extends what snapshots need.";
        if (until.Count < names.Count)
            _remarks.Add($"{names.Count - until.Count} of {names.Count} objects are not locked by the store, for example "
                + $"{names.Find(name => !until.ContainsKey(name))}. {then}");
        if (ending.Count > 0)
            _remarks.Add($"{ending.Count} of {names.Count} objects are locked for less than the time that is asked for, the first until "
                + $"{ending.Min():u}. {then}");
        retentions.Save();
    }

    /// <summary>Blobs lie one after another from the beginning of a pack, without gap and without overlap.</summary>
    void CheckLayout(BlobId index, IndexedPack pack)
    {
        long end = 0;
        foreach (var entry in pack.Blobs.OrderBy(entry => entry.Offset))
        {
            if (entry.Offset != end)
            {
                Error($"index {index}: pack {pack.Id}, offset {entry.Offset}: blob {entry.Id} "
                    + (entry.Offset < end ? $"overlaps the one before it, which ends at {end}." : $"comes after a gap from {end}."));
                return;
            }
            if (entry.DecodedLength is 0 or > BlobReader.MaximumDecoded)
                Error($"index {index}: pack {pack.Id}, offset {entry.Offset}: blob {entry.Id} would have {entry.DecodedLength} bytes.");
            end = entry.Offset + (long)entry.Length;
        }
    }

    async Task ComparePacks(CancellationToken ct)
    {
        var missing = new HashSet<BlobId>(_packs.Keys);
        var unnamed = new List<BlobId>();
        await foreach (var listed in _repository.Store.List(ObjectLayout.Data, ct))
        {
            if (!ObjectLayout.TryId(listed, out var id)) continue;
            if (!_packs.TryGetValue(id, out var pack)) { unnamed.Add(id); continue; }
            missing.Remove(id);
            var expected = PackHeader.PackLength(pack.Blobs.Sum(blob => (long)blob.Length),
                pack.Blobs.Sum(blob => PackHeader.EntryLength(blob.PlainLength != 0)));
            if (listed.SizeBytes != expected) Error(id, $": {listed.SizeBytes} bytes; its blobs and header make {expected}.");
        }
        await ForgetSwept(missing, ct);
        foreach (var id in missing) Error(id, ": it is in the index, but not in the store.");
        if (unnamed.Count > 0)
            _remarks.Add($"{unnamed.Count} packs are in no index: left by an interrupted backup, harmless, removed by the next prune. "
                + $"First of them: {string.Join(", ", unnamed.Take(3))}.");
    }

    /// <summary>A sweep that runs beside us takes packs out of the index before it removes them: such ones are not missing.</summary>
    async Task ForgetSwept(HashSet<BlobId> missing, CancellationToken ct)
    {
        if (missing.Count == 0) return;
        var named = new HashSet<BlobId>();
        await foreach (var id in _repository.IndexIds(ct))
        {
            try
            {
                foreach (var pack in IndexFile.Read((await _repository.ReadUnpacked(ObjectLayout.Index, id, ct)).Span, $"index {id}"))
                    named.Add(pack.Id);
            }
            catch (StoreException e) when (e.Fault == StoreFault.Missing) { continue; }
            catch (RepositoryException e) when (e.Fault == RepositoryFault.Damaged) { continue; }   // told when it was read first
        }
        foreach (var id in missing.Where(id => !named.Contains(id)).ToList())
        {
            missing.Remove(id);
            _packs.Remove(id);
        }
    }

    async Task WalkTrees(Snapshot snapshot, CancellationToken ct)
    {
        var reader = new BlobReader(_repository, _index);
        var waiting = new Stack<(BlobId Tree, FilePath Path)>();
        waiting.Push((snapshot.Tree, new FilePath("/"u8.ToArray())));
        while (waiting.TryPop(out var next))
        {
            ct.ThrowIfCancellationRequested();
            if (!_trees.Add(next.Tree)) continue;
            await Guard(async () =>
            {
                foreach (var node in await reader.ReadTree(next.Tree, ct))
                {
                    var path = next.Path.Join(node.Name.Bytes);
                    if (node is { Type: NodeType.Dir, Subtree: { } subtree }) waiting.Push((subtree, path));
                    CheckKind(snapshot, next.Tree, path, node);
                    if (node.Type == NodeType.File) CheckContent(snapshot, path, node);
                }
            }, $"snapshot {snapshot.ShortId}, {next.Path}: ");
        }
    }

    /// <summary>What an entry of its kind cannot have.</summary>
    void CheckKind(Snapshot snapshot, BlobId tree, FilePath path, Node node)
    {
        var wrong = node switch
        {
            { Type: not NodeType.Dir, Subtree: not null } => "has a subtree, though it is no folder",
            { Type: not NodeType.File, Content.Count: > 0 } => "has content, though it is no file",
            { Type: NodeType.Symlink, LinkTarget.IsEmpty: true } => "is a link without target",
            { Type: not NodeType.Symlink, LinkTarget.IsEmpty: false } => "has a link target, though it is no link",
            { Type: NodeType.Dir or NodeType.Fifo or NodeType.CharDev or NodeType.Dev or NodeType.Socket, SizeBytes: > 0 }
                => "has a size, though it holds no bytes",
            _ => null,
        };
        if (wrong is not null) Error($"snapshot {snapshot.ShortId}, {path}: {wrong} (tree {tree}).");
    }

    void CheckContent(Snapshot snapshot, FilePath path, Node node)
    {
        ulong size = 0;
        foreach (var id in node.Content)
        {
            if (!_index.TryFind(BlobType.Data, id, out var place))
            {
                Error($"snapshot {snapshot.ShortId}, {path}: blob {id} is in no index.");
                return;
            }
            size += place.Entry.DecodedLength;
        }
        if (size != node.SizeBytes) Error($"snapshot {snapshot.ShortId}, {path}: {node.SizeBytes} bytes long, but its blobs make {size}.");
    }

    async Task ReadPacks(IReadOnlyList<IndexedPack> packs, IProgress<CheckProgress>? progress, CancellationToken ct)
    {
        var done = 0;
        await Parallel.ForEachAsync(packs,
            new ParallelOptions { MaxDegreeOfParallelism = _repository.RequestsAtOnce, CancellationToken = ct }, async (pack, token) =>
        {
            await Guard(() => ReadPack(pack, token), pack: pack.Id);
            progress?.Report(new CheckProgress(Interlocked.Increment(ref done), packs.Count));
        });
    }

    async Task ReadPack(IndexedPack pack, CancellationToken ct)
    {
        var name = ObjectLayout.Of(ObjectLayout.Data, pack.Id);
        // told by the structure's part
        if (await _repository.Store.Head(name, ct) is not { } head || head.SizeBytes is < 4 or > int.MaxValue) return;
        var length = (int)head.SizeBytes;
        var bytes = _repository.Buffers.Rent(length);
        var bench = _repository.RentBench();
        try
        {
            try { await _repository.Store.Read(name, 0, bytes.AsMemory(0, length), ct); }
            catch (StoreException e) when (e.Fault == StoreFault.Archived)
            {
                Interlocked.Increment(ref _archived);
                Interlocked.Add(ref _archivedBytes, length);
                return;
            }
            Interlocked.Add(ref _bytesRead, length);
            Inspect(pack, bytes.AsSpan(0, length), bench);
        }
        finally
        {
            _repository.ReturnBench(bench);
            _repository.Buffers.Return(bytes);
        }
    }

    void Inspect(IndexedPack pack, Span<byte> bytes, BlobWorkbench bench)
    {
        if (new BlobId(SHA256.HashData(bytes)) != pack.Id)
        {
            Error(pack.Id, ": its bytes do not match its name.");
            Decode(pack.Id, pack.Blobs, bytes, bench);
            return;
        }
        var headerLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[^4..]);
        if (headerLength > bytes.Length - 4 || headerLength > PackHeader.MaximumLength || headerLength < SealedBox.Overhead)
        {
            Error(pack.Id, $": a header of {headerLength} bytes does not fit.");
            return;
        }
        if (!bench.Box.TryOpen(bytes[^(int)(headerLength + 4)..^4], out var header))
        {
            Error(pack.Id, ": its header does not open.");
            return;
        }
        var entries = PackHeader.Read(header, $"pack {pack.Id}");
        if (!entries.OrderBy(entry => entry.Offset).SequenceEqual(pack.Blobs.OrderBy(entry => entry.Offset)))
            Error(pack.Id, ": its header and the index differ.");
        Decode(pack.Id, entries, bytes, bench);
    }

    void Decode(BlobId pack, IReadOnlyList<PackEntry> entries, Span<byte> bytes, BlobWorkbench bench)
    {
        foreach (var entry in entries)
        {
            if (entry.Offset + (long)entry.Length > bytes.Length || entry.DecodedLength > BlobReader.MaximumDecoded)
            {
                Error(pack, $", offset {entry.Offset}: blob {entry.Id} lies outside of it.");
                continue;
            }
            var plain = _repository.Buffers.Rent((int)entry.DecodedLength);
            if (!bench.TryOpen(bytes.Slice((int)entry.Offset, (int)entry.Length), entry, plain, out var wrong))
                Error(pack, $", offset {entry.Offset}: {entry.Type} blob {entry.Id}: {wrong}.");
            _repository.Buffers.Return(plain);
        }
    }

    /// <summary>Damage is what a check is for: it is listed, and the check goes on.</summary>
    async Task Guard(Func<Task> step, string prefix = "", BlobId? pack = null)
    {
        try { await step(); }
        catch (RepositoryException e) { Found(e.Message); }
        catch (StoreException e) when (e.Fault is StoreFault.Missing or StoreFault.ShortRead) { Found(e.Message); }

        void Found(string message)
        {
            Error(prefix + message);
            if (pack is { } damaged) lock (_gate) _damaged.Add(damaged);
        }
    }
}
