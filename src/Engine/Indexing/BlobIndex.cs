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
/// All blobs of a repository: what was loaded, in flat tables without an object a blob, and what this process added since.
/// </summary>
/// <remarks>Lookups may run in parallel with <see cref="Add"/>; loading is done by one thread before the first lookup.</remarks>
public sealed class BlobIndex
{
    /// <summary>48 bytes: id, pack number with the type in its top bit, offset, length, plain length.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 4)]
    readonly record struct Row(BlobId Id, uint PackAndType, uint Offset, uint Length, uint PlainLength);

    const uint TreeBit = 1u << 31;
    readonly List<BlobId> _packs = [];
    readonly Dictionary<BlobId, int> _packNumbers = [];
    readonly ConcurrentDictionary<(BlobType, BlobId), BlobPlace> _added = new();
    Row[] _rows = [];
    int _count;
    int[] _slots = [];   // row number + 1; 0 is free; open addressing with linear probing

    /// <summary>Blobs known, without doubles.</summary>
    public int Count => _count + _added.Count;

    /// <summary>Packs known from loading.</summary>
    public IReadOnlyList<BlobId> Packs => _packs;

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
            _rows[_count] = new Row(blob.Id, (uint)number | (blob.Type == BlobType.Tree ? TreeBit : 0), blob.Offset, blob.Length,
                blob.PlainLength);
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
    public bool TryFind(BlobType type, BlobId id, out BlobPlace place)
    {
        if (_slots.Length > 0 && _slots[SlotOf(type, id)] is > 0 and var found)
        {
            ref readonly var row = ref _rows[found - 1];
            place = new BlobPlace(_packs[(int)(row.PackAndType & ~TreeBit)],
                new PackEntry(type, id, row.Offset, row.Length, row.PlainLength));
            return true;
        }
        return _added.TryGetValue((type, id), out place);
    }

    /// <summary>Rows of the loaded part; a row number is below this.</summary>
    internal int Rows => _count;

    /// <summary>The number of a loaded blob's row, or -1: what a bit set over all blobs is indexed by.</summary>
    internal int RowOf(BlobType type, BlobId id) => _slots.Length == 0 ? -1 : _slots[SlotOf(type, id)] - 1;

    /// <summary>The blob of a row.</summary>
    internal (BlobType Type, BlobId Id) BlobOf(int row)
        => ((_rows[row].PackAndType & TreeBit) != 0 ? BlobType.Tree : BlobType.Data, _rows[row].Id);

    void Reserve(int rows)
    {
        if (rows > _rows.Length) Array.Resize(ref _rows, Math.Max(rows, Math.Max(1024, _rows.Length + _rows.Length / 2)));
        if (rows * 3L <= _slots.Length * 2L) return;
        var size = 2048;
        while (size < rows * 3L) size = checked(size * 2);
        _slots = new int[size];
        for (var i = 0; i < _count; i++)
            _slots[SlotOf((_rows[i].PackAndType & TreeBit) != 0 ? BlobType.Tree : BlobType.Data, _rows[i].Id)] = i + 1;
    }

    /// <summary>The slot that holds the blob, or the free one where it belongs.</summary>
    int SlotOf(BlobType type, BlobId id)
    {
        var tree = type == BlobType.Tree ? TreeBit : 0;
        for (var slot = id.GetHashCode() & (_slots.Length - 1); ; slot = (slot + 1) & (_slots.Length - 1))
        {
            var row = _slots[slot];
            if (row == 0 || (_rows[row - 1].Id == id && (_rows[row - 1].PackAndType & TreeBit) == tree)) return slot;
        }
    }
}
