using System.Numerics;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;
using BackupDr.Engine.Memory;

namespace BackupDr.Engine.Garbage;

/// <summary>Which blobs of an index snapshots need: one bit a blob, set by walking each tree once.</summary>
sealed class UsedBlobs(Repository repository, BlobIndex index)
{
    readonly int[] _bits = new int[(index.Rows + 31) / 32];
    readonly BlobReader _reader = new(repository, index);

    /// <summary>The index whose rows are counted.</summary>
    public BlobIndex Index => index;

    /// <summary>Blobs that are needed.</summary>
    public long Count => _bits.Sum(word => (long)BitOperations.PopCount((uint)word));

    /// <summary>Whether some snapshot needs this blob.</summary>
    public bool Contains(BlobType type, BlobId id) => index.RowOf(type, id) is >= 0 and var row && IsSet(row);

    bool IsSet(int row) => (_bits[row >> 5] & 1 << row) != 0;

    /// <summary>The packs that hold what is needed; of several copies of a blob the one that the index gives.</summary>
    public HashSet<BlobId> Packs()
    {
        var packs = new HashSet<BlobId>();
        for (var row = 0; row < index.Rows; row++)
        {
            if (!IsSet(row)) continue;
            var (type, id) = index.BlobOf(row);
            if (index.TryFind(type, id, out var place)) packs.Add(place.Pack);
        }
        return packs;
    }

    /// <summary>Sets a blob's bit; false where it was set already.</summary>
    bool Set(int row)
    {
        var bit = 1 << row;
        return (Interlocked.Or(ref _bits[row >> 5], bit) & bit) == 0;
    }

    /// <summary>Takes over what was found with an older index, so that only new trees need to be walked.</summary>
    public void TakeOver(UsedBlobs older)
    {
        for (var row = 0; row < older.Index.Rows; row++)
        {
            if (!older.IsSet(row)) continue;
            var (type, id) = older.Index.BlobOf(row);
            if (index.RowOf(type, id) is >= 0 and var now) Set(now);
        }
    }

    /// <summary>Walks all trees of these snapshots that were not walked before, level by level, several at a time.</summary>
    /// <exception cref="RepositoryException">Damaged: a blob that a snapshot needs is in no index, or a tree cannot be read. Nothing may
    /// be removed then.</exception>
    public async Task Walk(IEnumerable<BlobId> roots, CancellationToken ct)
    {
        var level = new List<BlobId>();
        foreach (var root in roots) Need(BlobType.Tree, root, "a snapshot", level);
        while (level.Count > 0)
        {
            var next = new List<BlobId>();
            await ParallelWork.Run(level, repository.RequestsAtOnce, async (tree, token) =>
            {
                var (data, trees, below) = (new List<BlobId>(), new List<BlobId>(), new List<BlobId>());
                var json = await _reader.Read(BlobType.Tree, tree, token);
                TreeReferences.Read(json, $"tree {tree}", data, trees);
                foreach (var id in data) Need(BlobType.Data, id, $"tree {tree}", below);
                foreach (var id in trees) Need(BlobType.Tree, id, $"tree {tree}", below);
                lock (next) next.AddRange(below);
            }, ct);
            level = next;
        }
    }

    void Need(BlobType type, BlobId id, string where, List<BlobId> trees)
    {
        var row = index.RowOf(type, id);
        if (row < 0)
            throw RepositoryException.Damaged(where, $"needs {type} blob {id}, which is in no index. Nothing was removed.");
        if (Set(row) && type == BlobType.Tree) trees.Add(id);
    }
}
