using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>A folder as the parent snapshot has it; <see cref="ParentWalk"/> reads it and guards what is in it.</summary>
sealed class ParentFolder(BlobId tree)
{
    public enum State { Unread, Asked, Read, Taken }

    public readonly BlobId Tree = tree;
    /// <summary>Also Asked: what is left to the walk, because it is large or could not be read ahead of it.</summary>
    public State Stage;
    /// <summary>Bytes of its tree, while that is kept.</summary>
    public int HeldBytes;
    public IReadOnlyList<Node> Nodes = [];
    /// <summary>The folders in it, sorted as the walk goes, and how many of them it has left behind.</summary>
    public List<(FilePath Name, ParentFolder Folder)> Below = [];
    public int Past;

    public void Take(IReadOnlyList<Node> nodes, int bytes)
    {
        (Nodes, HeldBytes, Stage) = (nodes, bytes, State.Read);
        foreach (var node in nodes)
            if (node.Subtree is { } subtree) Below.Add((node.Name, new ParentFolder(subtree)));
    }

    public IReadOnlyList<Node> Give()
    {
        var nodes = Nodes;
        (Nodes, HeldBytes, Stage) = ([], 0, State.Taken);
        return nodes;
    }
}

/// <summary>Reads the parent snapshot's trees ahead of the walk, in its order.</summary>
/// <remarks>
/// Each tree by itself would be a request that the walk waits for: minutes for some thousand folders of which none has changed. What
/// the walk comes to next is known from the trees above, lies together in few packs, and is read together. The walk itself is one flow:
/// it enters a folder, asks for the folders below in the order of their names, and leaves it.
/// </remarks>
sealed class ParentWalk(BlobReader reader)
{
    const int FoldersAhead = 512;
    const int BytesAhead = 16 << 20;
    const int LargestAhead = 2 << 20;

    readonly Lock _gate = new();
    readonly Stack<ParentFolder> _way = new();   // the folders that the walk is in
    Task _reading = Task.CompletedTask;
    int _left;   // folders to be entered until it is time to read on

    /// <summary>What is in a folder. The walk is in it until it leaves it.</summary>
    /// <exception cref="RepositoryException">Damaged; the walk is not in it.</exception>
    public async Task<IReadOnlyList<Node>> Enter(ParentFolder folder, CancellationToken ct)
    {
        await Fetch(folder, ct);
        if (TryGive(folder) is not { } nodes)
        {
            nodes = await reader.ReadTree(folder.Tree, ct);
            lock (_gate)
            {
                folder.Take(nodes, 0);
                folder.Give();
                _way.Push(folder);
                _left = 0;
            }
        }
        ReadOn(null, ct);
        return nodes;
    }

    // What is under way is awaited also where this folder is not in it: it ends soon, and then this one is read with those after it.
    async Task Fetch(ParentFolder folder, CancellationToken ct)
    {
        if (StageOf(folder) == ParentFolder.State.Read) return;
        await _reading;
        if (StageOf(folder) != ParentFolder.State.Unread) return;
        ReadOn(folder, ct);
        await _reading;
    }

    ParentFolder.State StageOf(ParentFolder folder) { lock (_gate) return folder.Stage; }

    IReadOnlyList<Node>? TryGive(ParentFolder folder)
    {
        lock (_gate)
        {
            _left--;
            if (folder.Stage != ParentFolder.State.Read)
            {
                folder.Stage = ParentFolder.State.Asked;   // by the walk itself
                return null;
            }
            _way.Push(folder);
            return folder.Give();
        }
    }

    /// <summary>The folder of this name below one that the walk is in; null where there is none. Those before it are left behind.</summary>
    public ParentFolder? Below(ParentFolder folder, FilePath name)
    {
        lock (_gate)
        {
            while (folder.Past < folder.Below.Count)
            {
                var order = folder.Below[folder.Past].Name.Bytes.SequenceCompareTo(name.Bytes);
                if (order > 0) return null;
                var below = folder.Below[folder.Past].Folder;
                folder.Below[folder.Past++] = default;   // what was read of it and is not asked for is let go
                if (order == 0) return below;
            }
            return null;
        }
    }

    /// <summary>The walk leaves the folder that it entered last.</summary>
    public void Leave() { lock (_gate) _way.Pop(); }

    /// <summary>Waits for what is being read.</summary>
    public Task End() => _reading;

    /// <summary>Starts to read what the walk comes to, unless enough of it is at hand or being read.</summary>
    /// <param name="first">The folder that the walk waits for; null where it waits for none.</param>
    /// <param name="ct">Cancels the reading.</param>
    void ReadOn(ParentFolder? first, CancellationToken ct)
    {
        lock (_gate)
        {
            if ((first is null && _left > 0) || !_reading.IsCompleted) return;
            var next = new List<ParentFolder>();
            var (folders, bytes) = (0, 0L);
            if (first is not null) Ask(first, next, ref bytes);
            foreach (var folder in _way) Gather(folder, next, ref folders, ref bytes);
            // Half of what is at hand is used up before more is asked for; of a little, the folders below as soon as they are known.
            _left = folders >= FoldersAhead || bytes >= BytesAhead ? folders / 2 : 0;
            if (next.Count == 0) return;
            _reading = Task.Run(() => Read(next, ct), CancellationToken.None);
        }
    }

    // In the order of the walk, until enough is at hand. As deep as what was read ahead, so not deep.
    void Gather(ParentFolder from, List<ParentFolder> next, ref int folders, ref long bytes)
    {
        for (var at = from.Past; at < from.Below.Count && folders < FoldersAhead && bytes < BytesAhead; at++)
        {
            var folder = from.Below[at].Folder;
            if (folder.Stage == ParentFolder.State.Unread) Ask(folder, next, ref bytes);
            folders++;
            bytes += folder.HeldBytes;
            Gather(folder, next, ref folders, ref bytes);
        }
    }

    // What is not in the index, or large, is left to the walk.
    void Ask(ParentFolder folder, List<ParentFolder> next, ref long bytes)
    {
        folder.Stage = ParentFolder.State.Asked;
        if (!reader.Index.TryFind(BlobType.Tree, folder.Tree, out var place) || place.Entry.DecodedLength > LargestAhead) return;
        next.Add(folder);
        bytes += place.Entry.DecodedLength;
    }

    async Task Read(List<ParentFolder> folders, CancellationToken ct)
    {
        var places = folders.ToLookup(folder => folder.Tree);
        try
        {
            await reader.ReadTrees(places.Select(place => place.Key), (id, json) =>
            {
                var nodes = TreeBlob.Read(json.Span, $"tree {id}");
                lock (_gate)
                    foreach (var folder in places[id])
                        if (folder.Stage == ParentFolder.State.Asked) folder.Take(nodes, json.Length);
            }, ct);
        }
        catch (Exception e) when (e is BackupDrException or OperationCanceledException)
        {
            // The walk reads by itself what is not there when it comes, and meets the same.
        }
    }
}
