using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>A folder of this host that a restore writes into.</summary>
/// <remarks>
/// Never leaves the folder: each step down refuses links, and every entry is made under a random name first and then renamed, so that what
/// stood there is replaced whole or not at all and is never written through. Folders are 0700 until they are finished. What exists
/// already is treated by the <see cref="OverwritePolicy"/>: Never keeps it (Contracts' default), Always is what stock restic does,
/// IfChanged trusts files whose size and modification time are right already, IfNewer keeps what is as new as the snapshot's. The one
/// exception to "whole or not at all" is <see cref="StandingFile"/>: a large file with no other name is mended in place.
/// </remarks>
public sealed class FileTarget : IRestoreTarget
{
    const int RemarkLimit = 1_000;
    const int TemporaryDigits = 16;
    static ReadOnlySpan<byte> TemporaryStart => ".backupdr-restore-"u8;

    readonly Descriptor _root;
    readonly FileTargetOptions _options;
    readonly Lock _lock = new();
    readonly List<TargetRemark> _remarks = [];
    readonly HashSet<string> _found = new(StringComparer.Ordinal);
    readonly bool _isAlone;
    bool _ownerRemarked;

    FileTarget(FilePath path, Descriptor root, FileTargetOptions options, bool isAlone)
        => (Path, _root, _options, _isAlone) = (path, root, options, isAlone);

    // The kernel lets go of the lock when a process ends, however it ends: who holds it knows that nobody else writes here.
    FileTarget(FilePath path, Descriptor root, FileTargetOptions options) : this(path, root, options, FileLock.TryTake(root)) { }

    OverwritePolicy Policy => _options.Overwrite;

    internal bool IsDurable => _options.IsDurable;

    internal OwnerRules Owners => _options.Owners;

    /// <summary>The folder.</summary>
    public FilePath Path { get; }

    /// <summary>What could not be restored exactly though nothing failed, for example owners without being root. At most 1,000.</summary>
    public IReadOnlyList<TargetRemark> Remarks { get { lock (_lock) return [.. _remarks]; } }

    /// <summary>Opens the folder, making it (0700) and those above it where they are missing.</summary>
    /// <exception cref="PosixException">It cannot be made or opened.</exception>
    /// <param name="folder">The folder.</param>
    /// <param name="policy">What happens to what is there already.</param>
    /// <param name="durable">False for a test restore that is thrown away: it need not wait for the disk.</param>
    public static FileTarget Open(FilePath folder, OverwritePolicy policy, bool durable = true)
        => Open(folder, new FileTargetOptions { Overwrite = policy, IsDurable = durable });

    /// <summary>Opens a folder to see what a restore would do; null where there is none.</summary>
    /// <exception cref="PosixException">It cannot be opened.</exception>
    public static FileTarget? OpenToLook(FilePath folder, FileTargetOptions options)
    {
        try { return new FileTarget(folder, Descriptor.OpenFolder(folder), options, isAlone: false); }
        catch (PosixException e) when (e.Errno == Errno.ENOENT) { return null; }
    }

    /// <summary>As the first one, with all options.</summary>
    /// <exception cref="PosixException">It cannot be made or opened.</exception>
    public static FileTarget Open(FilePath folder, FileTargetOptions options)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Folder;
        try
        {
            var target = new FileTarget(folder, Descriptor.OpenFolder(folder), options);
            target.RemoveLeftovers(target._root);
            return target;
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT)
        {
            var at = Descriptor.Open(new FilePath(folder.IsAbsolute ? "/"u8.ToArray() : "."u8.ToArray()), flags | OpenFlags.PathOnly);
            foreach (var part in folder.Parts())
            {
                using var parent = at;
                var errno = parent.TryMakeFolder(part.Bytes, 0x1C0);
                if (errno is not (Errno.None or Errno.EEXIST)) throw new PosixException("mkdir", folder, errno);
                at = parent.OpenAt(part.Bytes, flags | OpenFlags.PathOnly);
            }
            using (at) return new FileTarget(folder, at.OpenAt("."u8, flags), options);
        }
    }

    /// <inheritdoc/>
    public void MakeFolder(IReadOnlyList<FilePath> path, Node folder)
    {
        using var parent = OpenParent(path);
        var name = path[^1].Bytes;
        var errno = parent.TryMakeFolder(name, 0x1C0);
        if (errno == Errno.EEXIST)
        {
            if (parent.StatAt(name).Kind == FileKind.Folder)
            {
                TakeFolder(parent, path);
                return;
            }
            if (Policy == OverwritePolicy.Never) throw InTheWay(path, "something that is no folder");
            parent.Remove(name);
            errno = parent.TryMakeFolder(name, 0x1C0);
        }
        if (errno != Errno.None) throw new PosixException("mkdir", Below(path), errno);
    }

    // A folder that was there: ours to write in, whatever its mode; under Never it keeps its own metadata.
    void TakeFolder(Descriptor parent, IReadOnlyList<FilePath> path)
    {
        var status = parent.StatAt(path[^1].Bytes);
        if (!AccountNames.IsRoot && (status.Permissions & 0x1C0) != 0x1C0)
        {
            var errno = parent.TrySetPermissionsAt(path[^1].Bytes, status.Permissions | 0x1C0);
            if (errno != Errno.None) throw new PosixException("chmod", Below(path), errno);
        }
        using (var taken = parent.OpenAt(path[^1].Bytes, OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow))
            RemoveLeftovers(taken);
        if (Policy != OverwritePolicy.Never) return;
        lock (_lock) _found.Add(Key(path));
    }

    // What a restore that was killed left under temporary names. Nothing of this restore lies in the folder yet.
    void RemoveLeftovers(Descriptor folder)
    {
        if (!_isAlone) return;
        var leftovers = new List<byte[]>();
        // To look must not show: the access time stays where we may ask for that, on folders of our own.
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Folder;
        if (folder.TryOpenAt("."u8, flags | OpenFlags.NoAccessTime, 0, out var listed) == Errno.EPERM)
            listed = folder.OpenAt("."u8, flags);
        if (listed is null) return;
        using (listed)
        {
            using var reader = new FolderReader(listed);
            while (reader.Next(out var name, out var kind))
                if (kind != FileKind.Folder && IsTemporary(name)) leftovers.Add(name.ToArray());
        }
        foreach (var name in leftovers) folder.TryRemove(name);
    }

    /// <inheritdoc/>
    public IRestoreFile? OpenFile(IReadOnlyList<FilePath> path, Node file)
    {
        var parent = OpenParent(path);
        try
        {
            if (Keeps(parent, path, file)) { parent.Dispose(); return null; }
            var temporary = TemporaryName();
            var opened = parent.OpenAt(temporary, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive | OpenFlags.NoFollow, 0x180);
            return new RestoredFile(this, parent, opened, temporary, path, (long)file.SizeBytes, _options.MakesHoles);
        }
        catch
        {
            parent.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public RestoreChoice Look(IReadOnlyList<FilePath> path, Node node)
    {
        try
        {
            using var parent = OpenParent(path);
            return Choose(parent, path, node);
        }
        // A preview of a restore that would put a folder in the place of something else.
        catch (PosixException e) when (e.Errno is Errno.ENOTDIR or Errno.ENOENT) { return RestoreChoice.Create; }
    }

    RestoreChoice Choose(Descriptor parent, IReadOnlyList<FilePath> path, Node node)
    {
        var errno = parent.TryStatAt(path[^1].Bytes, follow: false, out var status);
        if (errno == Errno.ENOENT) return RestoreChoice.Create;
        if (errno != Errno.None) throw new PosixException("stat", Below(path), errno);
        if (Policy == OverwritePolicy.Always) return RestoreChoice.Replace;
        if (status.Kind == FileKind.File && IsHalfDone(parent, path[^1])) return RestoreChoice.Replace;
        if (Policy == OverwritePolicy.Never) return RestoreChoice.Keep;
        if (node.Type != NodeType.File || status.Kind != FileKind.File) return RestoreChoice.Replace;
        var stored = new PosixTime(node.ModifiedAt.Seconds, node.ModifiedAt.Nanoseconds);
        if (Policy == OverwritePolicy.IfNewer) return IsNewer(stored, status.ModifiedAt) ? RestoreChoice.Replace : RestoreChoice.Keep;
        // With a further name it is not ours alone: its metadata could not be set without changing the other name's too. And what has
        // further names in the snapshot is to be linked with them, however right it is.
        var isOneName = node.Links <= 1 && status.Links == 1;
        return isOneName && (ulong)status.SizeBytes == node.SizeBytes && status.ModifiedAt == stored ? RestoreChoice.Keep
            : RestoreChoice.Replace;
    }

    static bool IsHalfDone(Descriptor parent, FilePath name)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking;
        if (parent.TryOpenAt(name.Bytes, flags, 0, out var file) != Errno.None) return false;   // not readable: not by us then
        using (file!) return StandingFile.HasMark(file!);
    }

    static bool IsNewer(PosixTime time, PosixTime than)
        => time.Seconds != than.Seconds ? time.Seconds > than.Seconds : time.Nanoseconds > than.Nanoseconds;

    bool Keeps(Descriptor parent, IReadOnlyList<FilePath> path, Node file)
    {
        if (Policy == OverwritePolicy.Always || Choose(parent, path, file) != RestoreChoice.Keep) return false;
        if (Policy != OverwritePolicy.IfChanged) return true;
        using var kept = parent.OpenAt(path[^1].Bytes, OpenFlags.ReadOnly | OpenFlags.NoFollow | OpenFlags.NonBlocking);
        if (kept.Stat() is not { Kind: FileKind.File, Links: 1 }) return false;   // exchanged since the look
        Metadata.TakeOver(this, path, kept, file);
        return true;
    }

    /// <inheritdoc/>
    public IExistingFile? OpenExisting(IReadOnlyList<FilePath> path, Node file)
    {
        const OpenFlags flags = OpenFlags.NoFollow | OpenFlags.NonBlocking;
        using var parent = OpenParent(path);
        // Opening a device can do things to it, so look first.
        if (parent.TryStatAt(path[^1].Bytes, follow: false, out var status) != Errno.None || status.Kind != FileKind.File) return null;
        var isWritable = parent.TryOpenAt(path[^1].Bytes, OpenFlags.ReadWrite | flags, 0, out var opened) == Errno.None;
        if (!isWritable && parent.TryOpenAt(path[^1].Bytes, OpenFlags.ReadOnly | flags, 0, out opened) != Errno.None) return null;
        if (opened!.Stat().Kind == FileKind.File) return new StandingFile(this, opened, isWritable, path);
        opened.Dispose();
        return null;
    }

    /// <inheritdoc/>
    public void MakeSpecial(IReadOnlyList<FilePath> path, Node node)
    {
        if (node.Type == NodeType.Socket) return;   // as stock restic: a socket without its program is nothing
        using var parent = OpenParent(path);
        if (Policy == OverwritePolicy.Never && parent.TryStatAt(path[^1].Bytes, follow: false, out _) == Errno.None) return;
        var temporary = TemporaryName();
        var errno = node.Type switch
        {
            NodeType.Symlink => parent.TryMakeSymlink(temporary, node.LinkTarget.Bytes),
            NodeType.Fifo => parent.TryMakeNode(temporary, FileKind.Fifo, 0x180, 0),
            NodeType.Dev => parent.TryMakeNode(temporary, FileKind.BlockDevice, 0x180, node.Device),
            NodeType.CharDev => parent.TryMakeNode(temporary, FileKind.CharDevice, 0x180, node.Device),
            _ => throw new SourceException("restore.not_special", $"{Below(path)} is a {node.Type} and not made this way."),
        };
        if (errno != Errno.None) throw new PosixException($"make {node.Type.ToString().ToLowerInvariant()}", Below(path), errno);
        try { Metadata.ApplyAt(this, path, parent, temporary, node); }
        finally { PutInPlace(parent, temporary, path); }
    }

    /// <inheritdoc/>
    public void MakeHardLink(IReadOnlyList<FilePath> path, IReadOnlyList<FilePath> existing, Node node)
    {
        using var source = OpenParent(existing);
        using var parent = OpenParent(path);
        if (Policy == OverwritePolicy.Never && parent.TryStatAt(path[^1].Bytes, follow: false, out _) == Errno.None) return;
        var temporary = TemporaryName();
        var errno = source.TryLink(existing[^1].Bytes, parent, temporary);
        if (errno != Errno.None) throw new PosixException("link", Below(path), errno);
        PutInPlace(parent, temporary, path);
        parent.TryRemove(temporary);   // renaming one name of a file onto another one of its names does nothing: the first one stays
    }

    /// <inheritdoc/>
    public void FinishFolder(IReadOnlyList<FilePath> path, Node folder)
    {
        lock (_lock)
            if (_found.Contains(Key(path))) return;
        using var parent = OpenParent(path);
        using var opened = parent.OpenAt(path[^1].Bytes, OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow);
        Metadata.Apply(this, path, opened, folder);
    }

    /// <inheritdoc/>
    public void Complete()
    {
        if (IsDurable) _root.SyncFileSystem();
    }

    /// <summary>Closes the folder.</summary>
    public void Dispose() => _root.Dispose();

    /// <summary>Renames a finished entry to its name, by the policy.</summary>
    internal void PutInPlace(Descriptor parent, byte[] temporary, IReadOnlyList<FilePath> path)
    {
        var name = path[^1].Bytes;
        var errno = parent.TryRenameNew(temporary, name);
        try
        {
            if (errno == Errno.EEXIST && Policy == OverwritePolicy.Never) throw InTheWay(path, "something that was not there before");
            if (errno == Errno.EEXIST) parent.Rename(temporary, parent, name);
            else if (errno != Errno.None) throw new PosixException("rename", Below(path), errno);
        }
        catch (PosixException e) when (e.Errno is Errno.EISDIR or Errno.ENOTEMPTY)
        {
            parent.TryRemove(temporary);
            throw InTheWay(path, "a folder");
        }
        catch
        {
            parent.TryRemove(temporary);
            throw;
        }
    }

    /// <summary>Notes what is not exact; owners once for all.</summary>
    internal void Remark(IReadOnlyList<FilePath> path, string message)
    {
        lock (_lock)
            if (_remarks.Count < RemarkLimit) _remarks.Add(new TargetRemark(Below(path), message));
    }

    /// <summary>Notes that owners are not restored.</summary>
    internal void RemarkOwner()
    {
        lock (_lock)
        {
            if (_ownerRemarked) return;
            _ownerRemarked = true;
            _remarks.Add(new TargetRemark(Path, "Owners are not restored: that takes root. Everything belongs to the user who restores."));
        }
    }

    /// <summary>The absolute path of an entry, for messages.</summary>
    internal FilePath Below(IReadOnlyList<FilePath> path)
    {
        var whole = Path;
        foreach (var part in path) whole = whole.Join(part.Bytes);
        return whole;
    }

    SourceException InTheWay(IReadOnlyList<FilePath> path, string what)
        => new("restore.in_the_way", $"{Below(path)} cannot be restored: {what} stands in its place.",
            "Restore into an empty folder, or move it away.");

    internal static byte[] TemporaryName()
        => [.. TemporaryStart, .. Encoding.ASCII.GetBytes(RandomNumberGenerator.GetHexString(TemporaryDigits, lowercase: true))];

    static bool IsTemporary(ReadOnlySpan<byte> name)
    {
        if (name.Length != TemporaryStart.Length + TemporaryDigits || !name.StartsWith(TemporaryStart)) return false;
        foreach (var digit in name[TemporaryStart.Length..])
            if (!char.IsAsciiHexDigitLower((char)digit)) return false;
        return true;
    }

    // The engine checks names; a hostile repository is reason enough to check again where they are used.
    Descriptor OpenParent(IReadOnlyList<FilePath> path)
    {
        foreach (var part in path)
        {
            var bytes = part.Bytes;
            if (bytes.IsEmpty || bytes.SequenceEqual("."u8) || bytes.SequenceEqual(".."u8) || bytes.Contains((byte)'/'))
                throw new SourceException("restore.unsafe_name", $"'{part}' is not a name of a file: refused.",
                    "The repository holds a tree that no backup program writes.");
        }
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow;
        if (path.Count == 1) return _root.OpenAt("."u8, flags);
        if (path.Count == 2) return _root.OpenAt(path[0].Bytes, flags);
        var joined = new List<byte>(64 * path.Count);
        for (var i = 0; i < path.Count - 1; i++)
        {
            if (i > 0) joined.Add((byte)'/');
            joined.AddRange(path[i].Bytes);
        }
        try
        {
            // One call for the whole way where the kernel has openat2 (5.6) and takes the length.
            if (joined.Count < 4096) return _root.OpenConfined(joined.ToArray(), flags);
        }
        catch (PosixException e) when (e.Errno is Errno.ENOSYS or Errno.EPERM)   // EPERM: the system call filter of a container
        {
            return WalkDown(path, flags);
        }
        return WalkDown(path, flags);
    }

    Descriptor WalkDown(IReadOnlyList<FilePath> path, OpenFlags flags)
    {
        var at = _root.OpenAt(path[0].Bytes, flags);
        for (var i = 1; i < path.Count - 1; i++)
        {
            using var parent = at;
            at = parent.OpenAt(path[i].Bytes, flags);
        }
        return at;
    }

    static string Key(IReadOnlyList<FilePath> path) => string.Join('/', path);
}

/// <summary>Something that was restored, but not exactly.</summary>
/// <param name="Path">Absolute path.</param>
/// <param name="Message">What is different.</param>
public readonly record struct TargetRemark(FilePath Path, string Message);
