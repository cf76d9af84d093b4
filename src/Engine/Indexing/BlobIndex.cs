using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Indexing;

/// <summary>Where a blob lies.</summary>
/// <param name="Pack">The pack's name.</param>
/// <param name="Entry">Its place there.</param>
public readonly record struct BlobPlace(BlobId Pack, PackEntry Entry);

/// <summary>
/// All blobs of a repository: what the cache of this machine holds, what was loaded besides, in flat tables without an object a blob,
/// and what this process added since.
/// </summary>
/// <remarks>Lookups may run in parallel with <see cref="Add"/>; loading is done by one thread before the first lookup.</remarks>
public sealed class BlobIndex
{
    readonly SortedIndex? _cached;
    readonly HashSet<int>? _leftOut;   // numbers of cached packs that do not count, or count last
    readonly bool _leftOutLast;
    readonly List<BlobId> _packs = [];
    readonly Dictionary<BlobId, int> _packNumbers = [];
    readonly ConcurrentDictionary<(BlobType, BlobId), BlobPlace> _added = new();
    IndexRow[] _rows = [];
    int _count;
    int[] _slots = [];   // row number + 1; 0 is free; open addressing with linear probing

    /// <summary>Blobs known; doubles in the cache are counted.</summary>
    public int Count => Rows + _added.Count;

    /// <summary>An index that starts empty.</summary>
    public BlobIndex()
    {
    }

    /// <summary>An index that starts from the cache.</summary>
    /// <param name="cached">The cache.</param>
    /// <param name="marked">Packs that do not count.</param>
    /// <param name="markedLast">They count where no other pack has the blob.</param>
    internal BlobIndex(SortedIndex cached, IReadOnlySet<BlobId> marked, bool markedLast)
    {
        (_cached, _leftOutLast) = (cached, markedLast);
        if (marked.Count == 0) return;
        var packs = cached.Packs;
        for (var number = 0; number < packs.Length; number++)
            if (marked.Contains(packs[number])) (_leftOut ??= []).Add(number);
    }

    /// <summary>Adds a pack of an index file. Doubles of a blob keep the first place.</summary>
    internal void Load(IndexedPack pack)
    {
        ref var number = ref CollectionsMarshal.GetValueRefOrAddDefault(_packNumbers, pack.Id, out var known);
        if (known) return;   // the same pack in several index files is legal
        number = _packs.Count;
        _packs.Add(pack.Id);
        Reserve(_count + pack.Blobs.Count);
        foreach (var blob in pack.Blobs)
        {
            var slot = SlotOf(blob.Type, blob.Id);
            if (_slots[slot] != 0) continue;
            _rows[_count] = IndexRow.Of(number, blob);
            _slots[slot] = ++_count;
        }
    }

    /// <summary>Makes blobs of a pack known that this process stored.</summary>
    public void Add(BlobId pack, IReadOnlyList<PackEntry> blobs)
    {
        foreach (var blob in blobs) _added.TryAdd((blob.Type, blob.Id), new BlobPlace(pack, blob));
    }

    /// <summary>Whether the blob is in a pack that an index names, or was stored by this process.</summary>
    public bool Contains(BlobType type, BlobId id) => TryFind(type, id, out _);

    /// <summary>Finds a blob.</summary>
    /// <exception cref="RepositoryException">Damaged: the cache of this machine was changed; it is removed, so the next run makes a new
    /// one.</exception>
    public bool TryFind(BlobType type, BlobId id, out BlobPlace place)
    {
        if (_cached is not null && _cached.TryFind(type, id, _leftOut, out var known, out _)) return Found(known, out place);
        if (Slot(type, id) is >= 0 and var row)
        {
            place = new BlobPlace(_packs[_rows[row].Pack], _rows[row].Entry);
            return true;
        }
        if (_added.TryGetValue((type, id), out place)) return true;
        return _leftOutLast && _leftOut is not null && _cached!.TryFind(type, id, null, out known, out _) && Found(known, out place);
    }

    bool Found(in IndexRow row, out BlobPlace place)
    {
        place = new BlobPlace(_cached!.Packs[row.Pack], row.Entry);
        return true;
    }

    /// <summary>Rows of the loaded part; a row number is below this.</summary>
    internal int Rows => checked((_cached?.Rows ?? 0) + _count);

    /// <summary>The number of a loaded blob's row, or -1: what a bit set over all blobs is indexed by.</summary>
    internal int RowOf(BlobType type, BlobId id)
    {
        if (_cached is not null && _cached.TryFind(type, id, _leftOut, out _, out var number)) return number;
        if (Slot(type, id) is >= 0 and var row) return (_cached?.Rows ?? 0) + row;
        return _leftOutLast && _leftOut is not null && _cached!.TryFind(type, id, null, out _, out number) ? number : -1;
    }

    /// <summary>The blob of a row.</summary>
    internal (BlobType Type, BlobId Id) BlobOf(int row)
    {
        var found = row < (_cached?.Rows ?? 0) ? _cached![row] : _rows[row - (_cached?.Rows ?? 0)];
        return (found.Type, found.Id);
    }

    int Slot(BlobType type, BlobId id) => _slots.Length == 0 ? -1 : _slots[SlotOf(type, id)] - 1;

    void Reserve(int rows)
    {
        if (rows > _rows.Length) Array.Resize(ref _rows, Math.Max(rows, Math.Max(1024, _rows.Length + _rows.Length / 2)));
        if (rows * 3L <= _slots.Length * 2L) return;
        var size = 2048;
        while (size < rows * 3L) size = checked(size * 2);
        _slots = new int[size];
        for (var i = 0; i < _count; i++) _slots[SlotOf(_rows[i].Type, _rows[i].Id)] = i + 1;
    }

    /// <summary>The slot that holds the blob, or the free one where it belongs.</summary>
    int SlotOf(BlobType type, BlobId id)
    {
        for (var slot = id.GetHashCode() & (_slots.Length - 1); ; slot = (slot + 1) & (_slots.Length - 1))
        {
            var row = _slots[slot];
            if (row == 0 || (_rows[row - 1].Id == id && _rows[row - 1].Type == type)) return slot;
        }
    }
}
