using System.Buffers.Binary;
using System.Runtime.InteropServices;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Engine.Indexing;

/// <summary>Builds a <see cref="SortedIndex"/> in bounded memory: sorted runs go to a scratch file and are merged at the end.</summary>
sealed class SortedIndexBuilder : IDisposable
{
    /// <summary>Rows that are sorted in memory: 48 MiB.</summary>
    public const int DefaultRunRows = 1 << 20;
    const int FilePermissions = 0x180;   // 0600: blob ids are hashes of plain data

    readonly Descriptor _folder;
    readonly byte[] _scratchName, _name;
    readonly Dictionary<BlobId, int> _packNumbers = [];
    readonly List<BlobId> _packs = [];
    readonly List<(long Offset, int Rows)> _runs = [];
    readonly int _runRows;
    IndexRow[] _run;
    ulong[] _keys;
    int _inRun;
    long _scratchEnd;
    Descriptor? _scratch;
    SortedIndex? _base;

    /// <param name="folder">Where the file is made; nobody else may write there.</param>
    /// <param name="name">Its name.</param>
    /// <param name="runRows">Rows sorted at once.</param>
    public SortedIndexBuilder(Descriptor folder, string name, int runRows = DefaultRunRows)
    {
        (_folder, _name, _runRows) = (folder, System.Text.Encoding.ASCII.GetBytes(name), runRows);
        _scratchName = [.. _name,
            .. System.Text.Encoding.ASCII.GetBytes($".{System.Security.Cryptography.RandomNumberGenerator.GetHexString(16)}")];
        (_run, _keys) = (new IndexRow[Math.Min(runRows, 4096)], new ulong[Math.Min(runRows, 4096)]);
    }

    /// <summary>Starts from what was built before. Once, and first.</summary>
    public void AddBase(SortedIndex before)
    {
        _base = before;
        foreach (var pack in before.Packs)
        {
            _packNumbers.Add(pack, _packs.Count);
            _packs.Add(pack);
        }
    }

    /// <summary>Adds a pack; one that is known already is left out.</summary>
    public void Add(IndexedPack pack)
    {
        if (!_packNumbers.TryAdd(pack.Id, _packs.Count)) return;
        foreach (var blob in pack.Blobs)
        {
            if (_inRun == _runRows) Spill();
            if (_inRun == _run.Length)
            {
                Array.Resize(ref _run, Math.Min(_runRows, 2 * _inRun));
                Array.Resize(ref _keys, _run.Length);
            }
            (_run[_inRun], _keys[_inRun]) = (IndexRow.Of(_packs.Count, blob), blob.Id.Prefix);
            _inRun++;
        }
        _packs.Add(pack.Id);
    }

    void SortRun()
    {
        var rows = _run.AsSpan(0, _inRun);
        var keys = _keys.AsSpan(0, _inRun);
        keys.Sort(rows);
        for (var from = 0; from < rows.Length;)   // the few that agree in 8 bytes: mostly copies of one blob
        {
            var to = from + 1;
            while (to < rows.Length && keys[to] == keys[from]) to++;
            if (to - from > 1) rows[from..to].Sort(static (left, right) => left.CompareTo(right));
            from = to;
        }
    }

    void Spill()
    {
        SortRun();
        _scratch ??= _folder.OpenAt([.. _scratchName, .. "-runs"u8],
            OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, FilePermissions);
        var writer = new IndexBlockWriter(_scratch, _scratchEnd, null);
        foreach (ref readonly var row in _run.AsSpan(0, _inRun)) writer.Add(row);
        writer.Flush();
        _runs.Add((_scratchEnd, _inRun));
        _scratchEnd += writer.Bytes;
        _inRun = 0;
    }

    /// <summary>Writes the file and puts it in its place.</summary>
    /// <param name="repositoryId">64 hex characters.</param>
    /// <param name="files">The index files that everything came from.</param>
    /// <exception cref="PosixException">For example: no space left. The file that was there before stays.</exception>
    public void Finish(string repositoryId, IReadOnlyCollection<BlobId> files)
    {
        SortRun();
        using var file = _folder.OpenAt(_scratchName, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow,
            FilePermissions);
        var fences = new List<ulong>();
        var writer = new IndexBlockWriter(file, IndexBlock.Size, fences);
        var last = default(IndexRow);
        foreach (var row in Merge())
        {
            if (writer.Rows > 0 && row == last) continue;
            writer.Add(last = row);
        }
        writer.Flush();
        var table = new byte[(_packs.Count + files.Count) * BlobId.Size + fences.Count * 8];
        var at = 0;
        foreach (var id in _packs.Concat(files))
        {
            id.CopyTo(table.AsSpan(at));
            at += BlobId.Size;
        }
        MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(fences)).CopyTo(table.AsSpan(at));
        var head = new byte[IndexBlock.Size];
        SortedIndex.Magic.CopyTo(head);
        Convert.FromHexString(repositoryId).CopyTo(head, 8);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(40), writer.Rows);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(44), _packs.Count);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(48), files.Count);
        SortedIndex.Hash(head, table).CopyTo(head, SortedIndex.HashAt);
        file.WriteAt(IndexBlock.Size + writer.Bytes, table);
        file.WriteAt(0, head);
        // Not synced: a cache that a power cut tore is recognised and built again.
        _folder.Rename(_scratchName, _folder, _name);
    }

    IEnumerable<IndexRow> Merge()
    {
        var sources = new List<IEnumerator<IndexRow>>();
        if (_base is not null) sources.Add(_base.All().GetEnumerator());
        foreach (var (offset, rows) in _runs) sources.Add(IndexBlockReader.Read(_scratch!, offset, rows).GetEnumerator());
        sources.Add(_run.Take(_inRun).GetEnumerator());
        try
        {
            var queue = new PriorityQueue<IEnumerator<IndexRow>, IndexRow>(
                Comparer<IndexRow>.Create(static (left, right) => left.CompareTo(right)));
            foreach (var source in sources)
                if (source.MoveNext()) queue.Enqueue(source, source.Current);
            while (queue.TryDequeue(out var next, out var row))
            {
                yield return row;
                if (next.MoveNext()) queue.Enqueue(next, next.Current);
            }
        }
        finally
        {
            foreach (var source in sources) source.Dispose();
        }
    }

    /// <summary>Removes the scratch files.</summary>
    public void Dispose()
    {
        _folder.TryRemove(_scratchName);   // gone already where it was finished
        if (_scratch is null) return;
        _folder.TryRemove([.. _scratchName, .. "-runs"u8]);
        _scratch.Dispose();
    }
}
