using BackupDr.Contracts;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Indexing;

namespace BackupDr.Engine.Restore;

/// <summary>A file to be written and how much of it is still missing.</summary>
sealed class PlannedFile(IReadOnlyList<FilePath> path, Node node)
{
    readonly Lock _gate = new();
    int _open = node.Content.Count;
    bool _isMended;
    IRestoreFile? _file;
    bool _isOver;

    public IReadOnlyList<FilePath> Path { get; } = path;
    public Node Node { get; } = node;
    public bool Failed { get; private set; }
    /// <summary>What becomes of the file where it succeeds.</summary>
    public RestoreOutcome Outcome { get; set; } = RestoreOutcome.Created;

    /// <summary>The file that stands there gets only these many of its parts.</summary>
    public void Mend(int parts) => (_open, _isMended, Outcome) = (parts, true, RestoreOutcome.Updated);

    /// <summary>The open file; null where it is kept or failed before. Opened by the first writer.</summary>
    public IRestoreFile? Open(IRestoreTarget target)
    {
        lock (_gate)
        {
            if (_isOver) return null;
            _file ??= _isMended ? Existing(target) : target.OpenFile(Path, Node);
            _isOver = _file is null;
            return _file;
        }
    }

    IExistingFile Existing(IRestoreTarget target) => target.OpenExisting(Path, Node) is { IsShared: false } file ? file
        : throw new ConflictException("restore.changed", $"'{Node.Name}' was changed by somebody else while it was being restored.",
            "Restore it again when nobody works in the target.");

    /// <summary>A part is written. True for the last one.</summary>
    public bool PartDone() => Interlocked.Decrement(ref _open) == 0;

    /// <summary>Ends the file: finished where nothing failed, else dropped.</summary>
    public bool Close()
    {
        lock (_gate)
        {
            using var file = _file;
            _file = null;
            if (_isOver || file is null) return false;
            _isOver = true;
            if (!Failed) file.Finish(Node);
            return !Failed;
        }
    }

    /// <summary>Something went wrong; false where that is known already.</summary>
    public bool Fail()
    {
        lock (_gate)
        {
            if (Failed) return false;
            return Failed = true;
        }
    }
}

/// <summary>One place that a blob goes to.</summary>
readonly record struct PlannedPart(PlannedFile File, long Offset);

/// <summary>A blob of a pack and everywhere it goes; <paramref name="Turn"/> counts in the order of the files and their parts.</summary>
sealed record PlannedBlob(PackEntry Entry, List<PlannedPart> Parts, int Turn);

/// <summary>What is read from which pack, in the order in which files first need the packs.</summary>
sealed class RestorePlan(BlobIndex index)
{
    readonly Dictionary<BlobId, Dictionary<BlobId, PlannedBlob>> _packs = [];
    readonly List<BlobId> _order = [];
    int _blobs;

    /// <summary>Where the blobs of a file are.</summary>
    /// <param name="file">The file.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <exception cref="RepositoryException">A blob is in no index, or they do not make the file's size.</exception>
    public List<BlobPlace> Places(PlannedFile file, FilePath path)
    {
        var places = new List<BlobPlace>(file.Node.Content.Count);
        ulong size = 0;
        foreach (var id in file.Node.Content)
        {
            if (!index.TryFind(BlobType.Data, id, out var place))
                throw RepositoryException.Damaged($"file '{path}'", $"its blob {id} is in no index.");
            places.Add(place);
            size += place.Entry.DecodedLength;
        }
        if (size != file.Node.SizeBytes)
            throw RepositoryException.Damaged("tree",
                $"file '{file.Node.Name}' is {file.Node.SizeBytes} bytes long, but its blobs make {size}.");
        return places;
    }

    /// <summary>Adds a file, or those of its parts that <paramref name="isRight"/> does not know to be there; gives their bytes.</summary>
    public long Add(PlannedFile file, IReadOnlyList<BlobPlace> places, bool[]? isRight = null)
    {
        var (offset, bytes) = (0L, 0L);
        for (var i = 0; i < places.Count; offset += places[i].Entry.DecodedLength, i++)
        {
            if (isRight is not null && isRight[i]) continue;
            var place = places[i];
            if (!_packs.TryGetValue(place.Pack, out var blobs))
            {
                _packs[place.Pack] = blobs = [];
                _order.Add(place.Pack);
            }
            if (!blobs.TryGetValue(place.Entry.Id, out var blob)) blobs[place.Entry.Id] = blob = new PlannedBlob(place.Entry, [], _blobs++);
            blob.Parts.Add(new PlannedPart(file, offset));
            bytes += place.Entry.DecodedLength;
        }
        return bytes;
    }

    /// <summary>The packs that are read.</summary>
    public IReadOnlyCollection<BlobId> PackIds => _order;

    /// <summary>Packs in order, each with its wanted blobs sorted by offset.</summary>
    public IEnumerable<(BlobId Pack, List<PlannedBlob> Blobs)> Packs()
    {
        foreach (var pack in _order)
        {
            var blobs = _packs[pack].Values.ToList();
            blobs.Sort(static (left, right) => left.Entry.Offset.CompareTo(right.Entry.Offset));
            _packs.Remove(pack);
            yield return (pack, blobs);
        }
    }
}
