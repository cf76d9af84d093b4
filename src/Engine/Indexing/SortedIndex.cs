using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.Indexing;

/// <summary>
/// A repository's index as one sorted file on this machine, read by blocks: 48.2 bytes a blob on disk, a few MB of memory whatever its
/// size. Disposable: it is built from the repository and thrown away where it does not fit. Safe for concurrent use.
/// </summary>
/// <remarks>
/// Layout, little-endian: a head of one block (magic, repository id, rows, packs, files, SHA-256 of all that and the table), the blocks of
/// rows, the table (pack ids, ids of the index files it was built from, for each block the first 8 bytes of its first id). The head and
/// the table are verified on opening, each block when it is first used: a wrong "it is there already" would lose a blob.
/// </remarks>
[SuppressMessage("Design", "CA1001:Types that own disposable fields should be disposable",
    Justification = "An index is used by readers that nobody waits for; its handle closes itself when the last of them is gone.")]
sealed class SortedIndex
{
    internal const int BlocksKept = 16_384;   // 64 MiB
    internal static ReadOnlySpan<byte> Magic => "BDRIDX01"u8;
    internal const int HashAt = 64;

    readonly Descriptor _file;
    readonly BlobId[] _packs;
    readonly HashSet<BlobId> _files;
    readonly ulong[] _fences;
    readonly byte[]?[] _blocks;
    readonly int[] _ring;
    readonly Lock _keeping = new();
    int _kept;

    readonly FilePath _path;

    SortedIndex(FilePath path, Descriptor file, int rows, BlobId[] packs, HashSet<BlobId> files, ulong[] fences)
    {
        (_path, _file, Rows, _packs, _files, _fences) = (path, file, rows, packs, files, fences);
        _blocks = new byte[]?[fences.Length];
        _ring = new int[Math.Min(BlocksKept, fences.Length)];
    }

    /// <summary>Rows, doubles of a blob counted.</summary>
    public int Rows { get; }

    /// <summary>The packs, by number.</summary>
    public ReadOnlySpan<BlobId> Packs => _packs;

    /// <summary>The index files that it was built from.</summary>
    public IReadOnlySet<BlobId> Files => _files;

    /// <summary>Opens the file of a repository; null where there is none, or none that fits.</summary>
    /// <exception cref="PosixException">It cannot be read.</exception>
    public static SortedIndex? TryOpen(FilePath path, string repositoryId)
    {
        Descriptor file;
        try { file = Descriptor.Open(path, OpenFlags.ReadOnly | OpenFlags.NoFollow); }
        catch (PosixException e) when (e.Errno == Errno.ENOENT) { return null; }
        var opened = Read(path, file, repositoryId);
        if (opened is null) file.Dispose();
        return opened;
    }

    static SortedIndex? Read(FilePath path, Descriptor file, string repositoryId)
    {
        var head = new byte[IndexBlock.Size];
        if (file.FillAt(0, head) < head.Length || !head.AsSpan().StartsWith(Magic)) return null;
        if (!head.AsSpan(8, 32).SequenceEqual(Convert.FromHexString(repositoryId))) return null;
        var (rows, packs, files) = (BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(40)),
            BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(44)), BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(48)));
        if (rows < 0 || packs < 0 || files < 0) return null;
        var blocks = (rows + IndexBlock.Rows - 1L) / IndexBlock.Rows;
        var tableBytes = ((long)packs + files) * BlobId.Size + blocks * 8;
        var tableAt = (1 + blocks) * IndexBlock.Size;
        // Compared with the file before memory is taken for it.
        if (file.Stat().SizeBytes != tableAt + tableBytes || tableBytes > Array.MaxLength) return null;
        var table = new byte[tableBytes];
        if (file.FillAt(tableAt, table) < table.Length || !Hash(head, table).AsSpan().SequenceEqual(head.AsSpan(HashAt, 32))) return null;
        var ids = MemoryMarshal.Cast<byte, BlobId>(table.AsSpan(0, (packs + files) * BlobId.Size));
        var fences = MemoryMarshal.Cast<byte, ulong>(table.AsSpan((packs + files) * BlobId.Size)).ToArray();
        return new SortedIndex(path, file, rows, ids[..packs].ToArray(), [.. ids[packs..]], fences);
    }

    internal static byte[] Hash(ReadOnlySpan<byte> head, ReadOnlySpan<byte> table)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(head[..HashAt]);
        hash.AppendData(table);
        return hash.GetHashAndReset();
    }

    /// <summary>Finds a blob in the first pack that may be counted on.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="id">Its id.</param>
    /// <param name="leftOut">Numbers of packs that do not count; null for none.</param>
    /// <param name="row">Its row.</param>
    /// <param name="number">The row's number, below <see cref="Rows"/>.</param>
    /// <exception cref="RepositoryException">Damaged: the file on this machine changed; remove it.</exception>
    public bool TryFind(BlobType type, BlobId id, IReadOnlySet<int>? leftOut, out IndexRow row, out int number)
    {
        (row, number) = (default, -1);
        var prefix = id.Prefix;
        // The last block that begins below the prefix may hold it, and so may those that begin with it.
        for (var block = Math.Max(0, FirstNotBelow(prefix) - 1); block < _fences.Length && _fences[block] <= prefix; block++)
        {
            var rows = BlockRows(block);
            for (var at = LowerBound(rows, id); at < rows.Length && rows[at].Id == id; at++)
            {
                if (rows[at].Type != type || leftOut?.Contains(rows[at].Pack) == true) continue;
                (row, number) = (rows[at], block * IndexBlock.Rows + at);
                return true;
            }
        }
        return false;
    }

    /// <summary>The row of a number.</summary>
    public IndexRow this[int number] => BlockRows(number / IndexBlock.Rows)[number % IndexBlock.Rows];

    int FirstNotBelow(ulong prefix)
    {
        var (low, high) = (0, _fences.Length);
        while (low < high)
        {
            var middle = (int)(((uint)low + (uint)high) / 2);
            if (_fences[middle] < prefix) low = middle + 1; else high = middle;
        }
        return low;
    }

    static int LowerBound(ReadOnlySpan<IndexRow> rows, BlobId id)
    {
        var (low, high) = (0, rows.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (rows[middle].Id.CompareTo(id) < 0) low = middle + 1; else high = middle;
        }
        return low;
    }

    ReadOnlySpan<IndexRow> BlockRows(int block)
    {
        var bytes = Volatile.Read(ref _blocks[block]) ?? Fetch(block);
        return IndexBlock.RowsOf(bytes, Math.Min(IndexBlock.Rows, Rows - block * IndexBlock.Rows));
    }

    byte[] Fetch(int block)
    {
        var bytes = GC.AllocateUninitializedArray<byte>(IndexBlock.Size);
        if (_file.FillAt((1L + block) * IndexBlock.Size, bytes) < bytes.Length || !IndexBlock.IsWhole(bytes, block))
        {
            var parent = new FilePath(_path.Bytes[..Math.Max(1, _path.Bytes.LastIndexOf((byte)'/'))].ToArray());
            using (var folder = Descriptor.OpenFolder(parent)) folder.TryRemove(_path.Name.Bytes);
            throw RepositoryException.Damaged("the index cache of this machine",
                $"block {block} of {_path} is not what was written. It was removed; run the command again.");
        }
        lock (_keeping)
        {
            if (_blocks[block] is { } other) return other;
            // In the order of their coming: a block that is wanted again is read again, which costs less than to keep track of it.
            var place = _kept++ % _ring.Length;
            if (_kept > _ring.Length) Volatile.Write(ref _blocks[_ring[place]], null);
            _ring[place] = block;
            Volatile.Write(ref _blocks[block], bytes);
        }
        return bytes;
    }

    /// <summary>All rows in order, for a rebuild; past the blocks that are kept.</summary>
    internal IEnumerable<IndexRow> All() => IndexBlockReader.Read(_file, IndexBlock.Size, Rows);

    /// <summary>Closes the file before its handle does it by itself; nobody may use this any more.</summary>
    public void Close() => _file.Dispose();
}
