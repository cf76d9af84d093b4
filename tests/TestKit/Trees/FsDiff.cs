using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.TestKit.Trees;

/// <summary>Compares two folders strictly: names, kinds, bytes, permissions, owners, times to the nanosecond, attributes, link targets,
/// groups of hard links, devices, holes. Sockets are nobody's to restore and are left out.</summary>
public sealed class FsDiff
{
    readonly List<string> _differences = [];
    readonly Dictionary<(ulong, ulong), string> _leftLinks = [], _rightLinks = [];
    readonly FsDiffOptions _options;

    FsDiff(FsDiffOptions options) => _options = options;

    /// <summary>What differs, one line each; empty when the folders are the same.</summary>
    public static IReadOnlyList<string> Compare(FilePath left, FilePath right, FsDiffOptions? options = null)
    {
        var diff = new FsDiff(options ?? new FsDiffOptions());
        using var leftRoot = Descriptor.OpenFolder(left);
        using var rightRoot = Descriptor.OpenFolder(right);
        if (diff._options.CompareRoots)
            diff.Metadata(".", leftRoot.Stat(), rightRoot.Stat(), leftRoot.Attributes(), rightRoot.Attributes());
        diff.Folders("", leftRoot, rightRoot);
        return diff._differences;
    }

    void Folders(string path, Descriptor left, Descriptor right)
    {
        var (inLeft, inRight) = (Names(left), Names(right));
        foreach (var name in inLeft.Keys.Except(inRight.Keys)) _differences.Add($"{path}/{name}: only left");
        foreach (var name in inRight.Keys.Except(inLeft.Keys)) _differences.Add($"{path}/{name}: only right");
        foreach (var (key, name) in inLeft)
            if (inRight.ContainsKey(key)) Entries($"{path}/{key}", name, left, right);
    }

    void Entries(string path, byte[] name, Descriptor left, Descriptor right)
    {
        var (l, r) = (left.StatAt(name), right.StatAt(name));
        if (l.Kind != r.Kind) { _differences.Add($"{path}: {l.Kind} and {r.Kind}"); return; }
        Metadata(path, l, r, left.AttributesAt(name), right.AttributesAt(name));
        if (l.Kind is not FileKind.Folder && (l.Links > 1 || r.Links > 1)) HardLinks(path, l, r);
        switch (l.Kind)
        {
            case FileKind.Folder:
                using (var leftChild = left.OpenAt(name, OpenFlags.ReadOnly | OpenFlags.Folder))
                using (var rightChild = right.OpenAt(name, OpenFlags.ReadOnly | OpenFlags.Folder))
                    Folders(path, leftChild, rightChild);
                break;
            case FileKind.File:
                if (l.SizeBytes != r.SizeBytes) { _differences.Add($"{path}: {l.SizeBytes} and {r.SizeBytes} bytes"); break; }
                Content(path, name, left, right);
                // A block or two for what a file system adds to keep the map of the holes.
                if (_options.CompareHoles && l.AllocatedBytes < l.SizeBytes && r.AllocatedBytes > l.AllocatedBytes + 16_384)
                    _differences.Add($"{path}: holes filled, {l.AllocatedBytes} and {r.AllocatedBytes} bytes on disk");
                break;
            case FileKind.Symlink:
                if (left.ReadLink(name) != right.ReadLink(name))
                    _differences.Add($"{path}: leads to {left.ReadLink(name)} and {right.ReadLink(name)}");
                break;
            case FileKind.BlockDevice or FileKind.CharDevice:
                if (l.Device != r.Device) _differences.Add($"{path}: device {l.Device} and {r.Device}");
                break;
        }
    }

    void Metadata(string path, in FileStatus l, in FileStatus r, IReadOnlyList<KeyValuePair<string, byte[]>> la,
        IReadOnlyList<KeyValuePair<string, byte[]>> ra)
    {
        if (l.Permissions != r.Permissions)
            _differences.Add($"{path}: mode {Convert.ToString(l.Permissions, 8)} and {Convert.ToString(r.Permissions, 8)}");
        if (_options.CompareOwners && (l.Uid, l.Gid) != (r.Uid, r.Gid))
            _differences.Add($"{path}: owner {l.Uid}:{l.Gid} and {r.Uid}:{r.Gid}");
        if (l.ModifiedAt != r.ModifiedAt) _differences.Add($"{path}: modified {l.ModifiedAt} and {r.ModifiedAt}");
        var (lx, rx) = (Text(la), Text(ra));
        if (lx != rx) _differences.Add($"{path}: attributes [{lx}] and [{rx}]");

        string Text(IReadOnlyList<KeyValuePair<string, byte[]>> attributes)
            => string.Join(", ",
                attributes.Where(a => _options.CompareAttribute(a.Key)).Select(a => $"{a.Key}={Convert.ToHexString(a.Value)}"));
    }

    // The first name of a group must be the same on both sides; then so is the group.
    void HardLinks(string path, in FileStatus l, in FileStatus r)
    {
        _leftLinks.TryAdd((l.DeviceId, l.Inode), path);
        _rightLinks.TryAdd((r.DeviceId, r.Inode), path);
        var (first, second) = (_leftLinks[(l.DeviceId, l.Inode)], _rightLinks[(r.DeviceId, r.Inode)]);
        if (first != second || l.Links != r.Links) _differences.Add($"{path}: linked with {first} ({l.Links}) and {second} ({r.Links})");
    }

    void Content(string path, byte[] name, Descriptor left, Descriptor right)
    {
        using var l = left.OpenAt(name, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        using var r = right.OpenAt(name, OpenFlags.ReadOnly | OpenFlags.NoFollow);
        var (lb, rb) = (new byte[1 << 18], new byte[1 << 18]);
        for (long at = 0; ; at += lb.Length)
        {
            var (lc, rc) = (l.FillAt(at, lb), r.FillAt(at, rb));
            var same = lb.AsSpan(0, lc).CommonPrefixLength(rb.AsSpan(0, rc));
            if (same < Math.Max(lc, rc)) { _differences.Add($"{path}: bytes differ from {at + same}"); return; }
            if (lc < lb.Length) return;
        }
    }

    static SortedDictionary<string, byte[]> Names(Descriptor folder)
    {
        var names = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        var reader = new FolderReader(folder);
        while (reader.Next(out var name, out var kind))
            if (kind != FileKind.Socket) names.Add(new FilePath(name.ToArray()).ToString(), name.ToArray());
        reader.Dispose();
        return names;
    }
}

/// <summary>What a comparison leaves out.</summary>
public sealed record FsDiffOptions
{
    /// <summary>The metadata of the two folders themselves.</summary>
    public bool CompareRoots { get; init; } = true;
    /// <summary>Owners; false where the restoring user is not root.</summary>
    public bool CompareOwners { get; init; } = AccountNames.IsRoot;
    /// <summary>Whether holes stayed holes.</summary>
    public bool CompareHoles { get; init; } = true;
    /// <summary>Whether an attribute counts.</summary>
    public Func<string, bool> CompareAttribute { get; init; } = _ => true;
}
