using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Simulation.Tests.Garbage;

/// <summary>What must hold at a place after every change of it: packs that the index names are there, and each published snapshot has all
/// its blobs in them.</summary>
sealed class PlaceWatch
{
    readonly WorldStore _store;
    readonly Repository _repository;
    readonly Dictionary<BlobId, HashSet<BlobId>> _needs;
    readonly Dictionary<string, IReadOnlyList<IndexedPack>> _index = [];
    readonly Dictionary<string, BlobId> _snapshots = [];

    /// <param name="store">The place.</param>
    /// <param name="repository">Opens what lies there.</param>
    /// <param name="needs">The blobs of each tree.</param>
    public PlaceWatch(WorldStore store, Repository repository, Dictionary<BlobId, HashSet<BlobId>> needs)
    {
        (_store, _repository, _needs) = (store, repository, needs);
        _store.Changed = Observe;
    }

    /// <summary>The trees of the snapshots that are published here.</summary>
    public IReadOnlySet<BlobId> Trees => _snapshots.Values.ToHashSet();

    /// <summary>Forgets what it saw, with the store's objects.</summary>
    public void Clear()
    {
        _index.Clear();
        _snapshots.Clear();
    }

    /// <summary>Names of the snapshots that are published here.</summary>
    public IReadOnlyCollection<string> Snapshots => _snapshots.Keys;

    /// <summary>Looks at all that is there, as after a place came back with something else.</summary>
    public void LookAgain()
    {
        Clear();
        foreach (var (name, content) in _store.Objects) Note(name, content);
        Verify("it came back");
    }

    void Observe(string name, byte[]? content)
    {
        if (Note(name, content)) Verify(name);
    }

    /// <summary>Whether it is something that others rely on.</summary>
    bool Note(string name, byte[]? content)
    {
        var cut = name.IndexOf('/', StringComparison.Ordinal);
        var folder = cut < 0 ? name : name[..cut];
        if (folder == ObjectLayout.Index)
        {
            if (content is null) _index.Remove(name);
            else _index[name] = IndexFile.Read(Open(content).Span, name);
        }
        else if (folder == ObjectLayout.Snapshots)
        {
            if (content is null) _snapshots.Remove(name);
            else _snapshots[name] = SnapshotFile.Read(Open(content).Span, default).Tree;
        }
        else return folder == ObjectLayout.Data && content is null;
        return true;
    }

    ReadOnlyMemory<byte> Open(byte[] stored)
    {
        var bench = _repository.RentBench();
        try { return UnpackedFile.Read([.. stored], bench.Box, bench.Codec, "observed"); }
        finally { _repository.ReturnBench(bench); }
    }

    void Verify(string after)
    {
        var there = new HashSet<BlobId>();
        foreach (var pack in _index.Values.SelectMany(packs => packs))
        {
            if (!_store.Holds(ObjectLayout.Of(ObjectLayout.Data, pack.Id).Value))
                throw new WorldBrokenException($"{_store.Url} after {after}: the index names pack {pack.Id}, which is gone");
            foreach (var blob in pack.Blobs) there.Add(blob.Id);
        }
        foreach (var (name, tree) in _snapshots)
            if (!_needs[tree].IsSubsetOf(there)) throw new WorldBrokenException($"{_store.Url} after {after}: {name} has lost a blob");
    }
}
