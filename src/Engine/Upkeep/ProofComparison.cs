using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Upkeep;

/// <summary>What a comparison of a restored tree found.</summary>
public sealed record ProofFindings
{
    /// <summary>Files whose bytes were compared with the snapshot.</summary>
    public long FilesCompared { get; init; }
    /// <summary>Bytes compared.</summary>
    public long BytesCompared { get; init; }
    /// <summary>What differs from the snapshot.</summary>
    public required IReadOnlyList<Problem> Mismatches { get; init; }
    /// <summary>Files equal to the live source.</summary>
    public long LiveEqual { get; init; }
    /// <summary>Files whose live source changed since, or is gone: counted, not failed.</summary>
    public long LiveChanged { get; init; }
}

/// <summary>
/// Compares a restored tree with its snapshot, blob by blob, and with the live source where a file there is still the one of the snapshot.
/// </summary>
public sealed class ProofComparison
{
    readonly BlobReader _reader;
    readonly List<Problem> _mismatches = [];
    readonly Dropped _dropped = new();
    readonly byte[] _buffer = new byte[8 << 20];
    long _files, _bytes, _liveEqual, _liveChanged;

    ProofComparison(BlobReader reader) => _reader = reader;

    /// <summary>Problems of opening show as mismatches; the source's own words for them are not needed.</summary>
    sealed class Dropped : ISourceProblems
    {
        public string Last = "";
        public void Missing(FilePath path, string message) => Last = message;
        public void Remark(FilePath path, string message) => Last = message;
    }

    /// <summary>Compares.</summary>
    /// <param name="repository">The repository.</param>
    /// <param name="snapshot">What was restored.</param>
    /// <param name="restored">The root of the restored tree: its entries are those of the snapshot's root tree.</param>
    /// <param name="live">The root of the live source in the same form, or null.</param>
    /// <param name="progress">Told the files compared so far.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<ProofFindings> Execute(Repository repository, Snapshot snapshot, ISourceFolder restored, ISourceFolder? live,
        IProgress<long>? progress, CancellationToken ct)
    {
        var comparison = new ProofComparison(new BlobReader(repository, await repository.LoadIndex(ct)));
        await comparison.Folder(snapshot.Tree, new FilePath("/"u8.ToArray()), restored, live, progress, 0, ct);
        return new ProofFindings
        {
            FilesCompared = comparison._files,
            BytesCompared = comparison._bytes,
            Mismatches = comparison._mismatches,
            LiveEqual = comparison._liveEqual,
            LiveChanged = comparison._liveChanged,
        };
    }

    async Task Folder(BlobId tree, FilePath path, ISourceFolder restored, ISourceFolder? live, IProgress<long>? progress, int depth,
        CancellationToken ct)
    {
        if (depth > TreeBrowser.MaximumDepth)
            throw RepositoryException.Damaged($"tree {tree}", $"folders nest deeper than {TreeBrowser.MaximumDepth}.");
        var there = restored.List(_dropped, ct).ToDictionary(node => node.Name);
        var alive = live?.List(_dropped, ct).ToDictionary(node => node.Name);
        foreach (var node in await _reader.ReadTree(tree, ct))
        {
            ct.ThrowIfCancellationRequested();
            var at = path.Join(node.Name.Bytes);
            if (node.Type == NodeType.Socket) continue;
            if (!there.TryGetValue(node.Name, out var found)) { Differs(at, "was not restored"); continue; }
            if (found.Type != node.Type) { Differs(at, $"was restored as {found.Type}, not {node.Type}"); continue; }
            CompareMetadata(at, node, found);
            if (node is { Type: NodeType.Dir, Subtree: { } subtree })
            {
                using var below = restored.OpenFolder(found, _dropped);
                if (below is null) { Differs(at, $"cannot be opened: {_dropped.Last}"); continue; }
                using var aliveBelow = alive is not null && alive.TryGetValue(node.Name, out var twin)
                    && twin.Type == NodeType.Dir ? live!.OpenFolder(twin, _dropped) : null;
                await Folder(subtree, at, below, aliveBelow, progress, depth + 1, ct);
            }
            else if (node.Type == NodeType.File)
            {
                CompareFile(at, node, found, restored, ct);
                CompareLive(node, alive, live, ct);
                progress?.Report(_files);
            }
        }
    }

    void Differs(FilePath path, string message) => _mismatches.Add(new Problem(path, message));

    void CompareMetadata(FilePath path, Node node, Node found)
    {
        if (node.Type != NodeType.Symlink && node.Permissions != found.Permissions)
            Differs(path, $"mode is {Octal(found.Permissions)}, not {Octal(node.Permissions)}");
        if (node.ModifiedAt != found.ModifiedAt)
            Differs(path, $"modification time is {GoTime.Format(found.ModifiedAt)}, not {GoTime.Format(node.ModifiedAt)}");
        if (node.Type == NodeType.Symlink && node.LinkTarget != found.LinkTarget)
            Differs(path, $"points to '{found.LinkTarget}', not '{node.LinkTarget}'");
    }

    static string Octal(int permissions) => Convert.ToString(permissions, 8).PadLeft(4, '0');

    void CompareFile(FilePath path, Node node, Node found, ISourceFolder folder, CancellationToken ct)
    {
        using var file = folder.OpenFile(found, _dropped);
        if (file is null) { Differs(path, $"cannot be opened: {_dropped.Last}"); return; }
        try
        {
            if ((ulong)file.SizeBytes != node.SizeBytes) { Differs(path, $"is {file.SizeBytes} bytes long, not {node.SizeBytes}"); return; }
            if (!HasContent(file, node, out var wrongAt, ct))
            {
                Differs(path, $"differs from the snapshot at or after byte {wrongAt}");
                return;
            }
        }
        catch (BackupDrException e) when (e is not RepositoryException and not Storage.StoreException)
        {
            Differs(path, $"cannot be read: {e.Message}");
            return;
        }
        _files++;
        _bytes += (long)node.SizeBytes;
    }

    void CompareLive(Node node, Dictionary<FilePath, Node>? alive, ISourceFolder? live, CancellationToken ct)
    {
        if (alive is null || live is null) return;
        if (!alive.TryGetValue(node.Name, out var twin) || twin.Type != NodeType.File || twin.SizeBytes != node.SizeBytes
            || twin.ModifiedAt != node.ModifiedAt)
        {
            _liveChanged++;
            return;
        }
        using var file = live.OpenFile(twin, _dropped);
        try
        {
            if (file is not null && HasContent(file, node, out _, ct)) _liveEqual++; else _liveChanged++;
        }
        catch (BackupDrException e) when (e is not RepositoryException and not Storage.StoreException) { _liveChanged++; }
    }

    bool HasContent(ISourceFile file, Node node, out long at, CancellationToken ct)
    {
        at = 0;
        Span<byte> hash = stackalloc byte[BlobId.Size];
        foreach (var id in node.Content)
        {
            ct.ThrowIfCancellationRequested();
            if (!_reader.Index.TryFind(BlobType.Data, id, out var place))
                throw RepositoryException.Damaged($"blob {id}", "it is in no index.");
            var length = (int)place.Entry.DecodedLength;
            var chunk = length <= _buffer.Length ? _buffer.AsSpan(0, length) : new byte[length];
            for (var filled = 0; filled < length;)
            {
                var read = file.Read(at + filled, chunk[filled..]);
                if (read == 0) return false;
                filled += read;
            }
            SHA256.HashData(chunk, hash);
            if (new BlobId(hash) != id) return false;
            at += length;
        }
        return true;
    }
}
