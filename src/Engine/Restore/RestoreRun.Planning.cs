using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Restore;

/// <summary>Walks the snapshot, makes folders and whatever has no content, and plans which file needs which blobs.</summary>
public sealed partial class RestoreRun
{
    /// <summary>Files from this size on are mended in place. Smaller ones are replaced whole, in one step.</summary>
    const long SmallestMended = 1 << 20;

    /// <summary>A folder on the way to where the walk is.</summary>
    sealed record Way(FilePath[] Relative, FilePath Path, Node Node)
    {
        /// <summary>Whether it is in the target; folders that nothing is restored from are never made.</summary>
        public bool IsMade { get; set; }
        /// <summary>Whether it stood there before this restore.</summary>
        public bool Stood { get; set; }
    }

    readonly List<Way> _way = [];
    readonly List<(PlannedFile File, FilePath Path)> _standing = [];
    readonly Dictionary<(ulong Device, ulong Inode), PlannedFile> _linked = [];
    readonly Dictionary<(ulong Device, ulong Inode), IReadOnlyList<FilePath>> _linkedSpecials = [];

    async Task Plan(TreeBrowser browser, Snapshot snapshot, RestorePlan plan, CancellationToken ct)
    {
        var skip = _request.From.Parts().Count;
        var isEntered = true;   // the filter's answer about the entry that the walk gave last
        await foreach (var (path, node) in browser.Walk(snapshot, _request.From, _ => isEntered, Lost, ct))
        {
            var parts = path.Parts();
            var isFolder = node.Type == NodeType.Dir;
            (var isTaken, isEntered) = _request.Filter?.Match(parts, isFolder) ?? new RestoreMatch(true, true);
            // A single file is put into the target under its own name; a folder's content without the folder itself.
            FilePath[] relative = parts.Count == skip && !isFolder ? [node.Name] : [.. parts.Skip(skip)];
            if (relative.Length == 0) continue;
            _way.RemoveRange(relative.Length - 1, Math.Max(0, _way.Count - (relative.Length - 1)));
            if (isFolder) _way.Add(new Way(relative, path, node));
            if (!isTaken) continue;
            MakeWay();
            if (!isFolder) Guard(path, () => PlanEntry(relative, path, node, StoodBefore(relative.Length), plan));
        }
        if (_request.Filter is { } filter) _failed.AddRange(filter.Unmatched);
    }

    /// <summary>A folder's tree that cannot be read, or holds names that no backup program writes: refused whole, and listed.</summary>
    void Lost(FilePath path, BackupDrException why) => _failed.Add(new Problem(path, $"what lies in it is lost: {why.Message}"));

    /// <summary>Whether the folder of an entry at this depth stood before; the target itself counts as such.</summary>
    bool StoodBefore(int depth) => depth == 1 || _way[depth - 2].Stood;

    void MakeWay()
    {
        for (var i = 0; i < _way.Count; i++)
        {
            var folder = _way[i];
            if (folder.IsMade) continue;
            folder.IsMade = true;
            Guard(folder.Path, () =>
            {
                folder.Stood = StoodBefore(i + 1) && _target.Look(folder.Relative, folder.Node) != RestoreChoice.Create;
                if (!_isPreview) _target.MakeFolder(folder.Relative, folder.Node);
                _folders.Add((folder.Relative, folder.Node));
                if (!folder.Stood) Tell(folder.Relative, RestoreOutcome.Created);
            });
        }
    }

    void PlanEntry(FilePath[] relative, FilePath path, Node node, bool stood, RestorePlan plan)
    {
        if (node.Type == NodeType.Socket) return;   // a socket is made by the program that listens on it
        if (node.Type == NodeType.File) { PlanFile(new PlannedFile(relative, node), path, stood, plan); return; }
        var choice = stood ? _target.Look(relative, node) : RestoreChoice.Create;
        if (choice == RestoreChoice.Keep) { Keep(relative); return; }
        var isFirst = node.Links <= 1 || node.Inode == 0 || _linkedSpecials.TryAdd((node.DeviceId, node.Inode), relative);
        if (!_isPreview && isFirst) _target.MakeSpecial(relative, node);
        else if (!_isPreview) _target.MakeHardLink(relative, _linkedSpecials[(node.DeviceId, node.Inode)], node);
        Tell(relative, choice == RestoreChoice.Create ? RestoreOutcome.Created : RestoreOutcome.Replaced);
    }

    void PlanFile(PlannedFile file, FilePath path, bool stood, RestorePlan plan)
    {
        var node = file.Node;
        if (node.Links > 1 && node.Inode != 0)
        {
            if (_linked.TryGetValue((node.DeviceId, node.Inode), out var first) && first.Node.Content.SequenceEqual(node.Content))
            {
                _links.Add((file.Path, first, node, stood));
                return;
            }
            _linked.TryAdd((node.DeviceId, node.Inode), file);
        }
        switch (stood ? _target.Look(file.Path, node) : RestoreChoice.Create)
        {
            case RestoreChoice.Keep when _isPreview || file.Open(_target) is null:
                Keep(file.Path);
                break;
            case RestoreChoice.Replace:
                file.Outcome = RestoreOutcome.Replaced;
                _standing.Add((file, path));
                break;
            default:
                PlanWhole(file, path, plan);
                break;
        }
    }

    void PlanWhole(PlannedFile file, FilePath path, RestorePlan plan)
    {
        var places = plan.Places(file, path);
        lock (_gate)
        {
            _filesTotal++;
            _bytesTotal += plan.Add(file, places);
        }
        if (_isPreview) Foresee(file, (long)file.Node.SizeBytes);
        else if (places.Count > 0) return;
        else if (file.Open(_target) is null) Keep(file.Path);
        else if (file.Close()) Written(file);
    }

    /// <summary>A preview's way of writing a file.</summary>
    void Foresee(PlannedFile file, long bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        Written(file);
    }

    Task CompareExisting(RestorePlan plan, CancellationToken ct)
        => InParallel(_standing, standing => standing.Path, standing => Compare(standing.File, standing.Path, plan, ct), ct);

    void Compare(PlannedFile file, FilePath path, RestorePlan plan, CancellationToken ct)
    {
        // Closed before anything is written: there may be more such files than a process may have open.
        using (var existing = _target.OpenExisting(file.Path, file.Node))
            if (existing is { IsShared: false } && TakeOver(file, existing, path, plan, ct)) return;
        PlanWhole(file, path, plan);
    }

    /// <summary>Uses what stands there: all of it, or the parts that are right. False where it has to be written anew.</summary>
    bool TakeOver(PlannedFile file, IExistingFile existing, FilePath path, RestorePlan plan, CancellationToken ct)
    {
        var places = plan.Places(file, path);
        var isRight = FileComparison.Compare(existing, places, _repository.Buffers, ct);
        var wrong = isRight.Count(static right => !right);
        if (wrong == 0 && existing.SizeBytes == (long)file.Node.SizeBytes)
        {
            if (!_isPreview) existing.Finish(file.Node);
            Interlocked.Increment(ref _unchanged);
            Tell(file.Path, RestoreOutcome.Unchanged);
            return true;
        }
        if ((long)file.Node.SizeBytes < SmallestMended || wrong == places.Count) return false;
        if (!_isPreview && !existing.TryBeginMending()) return false;
        file.Mend(wrong);
        long bytes;
        lock (_gate)
        {
            _filesTotal++;
            _bytesTotal += bytes = plan.Add(file, places, isRight);
        }
        if (_isPreview) { Foresee(file, bytes); return true; }
        if (wrong > 0) return true;
        existing.Finish(file.Node);   // it was only too long
        Written(file);
        return true;
    }
}
