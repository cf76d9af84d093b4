using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Storage.Folder;

/// <summary>Objects as files below one folder, laid out as stock restic lays out a local repository.</summary>
/// <remarks>
/// The folder is opened at first use and held open: should its disk be unmounted meanwhile, nothing is written into the empty mount point.
/// A store that is told to write makes missing folders, the root too; one that reads from a root that is not there says so
/// (<see cref="StoreFault.Unusable"/> from <see cref="List"/>), because an empty answer could be mistaken for an empty repository.
/// </remarks>
public sealed class FolderStore : IObjectStore
{
    readonly FilePath _path;
    readonly TimeProvider _clock;
    readonly Lock _opening = new();
    readonly ConcurrentDictionary<string, byte> _ready = new(StringComparer.Ordinal);
    Descriptor? _root;

    /// <param name="path">The root folder; need not exist before the first put.</param>
    /// <param name="clock">Tells how old a left-over temporary file is.</param>
    public FolderStore(FilePath path, TimeProvider clock) => (_path, _clock) = (path, clock);

    /// <inheritdoc/>
    public string Url => _path.ToString();

    /// <inheritdoc/>
    public StoreAbilities Abilities => StoreAbilities.ConditionalPut;

    /// <inheritdoc/>
    public Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        if (TemporaryName.Matches(name.LastSegment))
            throw new ArgumentException($"'{name}' looks like the temporary file of an interrupted put.", nameof(name));
        return OnPool("put", name, () => { PutNow(name, content.Span, ct); return true; }, ct);
    }

    /// <inheritdoc/>
    public Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct) => OnPool("read", name, () =>
    {
        using var file = Root(create: false)?.OpenAt(Encoding.ASCII.GetBytes(name.Value), OpenFlags.ReadOnly)
            ?? throw new StoreException(StoreFault.Missing, $"read {name} in {Url}: there is no such folder.");
        var filled = file.FillAt(offset, target.Span);
        if (filled < target.Length)
            throw new StoreException(StoreFault.ShortRead,
                $"read {name} in {Url}: wanted {target.Length} bytes from offset {offset}, but the file ends after {offset + filled}.");
        return true;
    }, ct);

    /// <inheritdoc/>
    public Task<StoredObject?> Head(ObjectName name, CancellationToken ct) => OnPool<StoredObject?>("look at", name, () =>
    {
        if (Root(create: false) is not { } root) return null;
        var errno = root.TryStatAt(Encoding.ASCII.GetBytes(name.Value), follow: true, out var status);
        if (errno is Errno.ENOENT or Errno.ENOTDIR) return null;
        if (errno != Errno.None) throw new PosixException("stat", FilePath.FromText(name.Value), errno);
        return status.Kind == FileKind.File ? new StoredObject(name, status.SizeBytes) : null;
    }, ct);

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        if (folder.Length > 0 && !ObjectName.IsLegal(folder))
            throw new ArgumentException($"'{folder}' is not a folder name.", nameof(folder));
        var waiting = new Stack<string>([folder]);
        while (waiting.TryPop(out var next))
        {
            var (objects, folders) = await OnPool("list", next.Length == 0 ? "the root" : next, () => ListOne(next), ct);
            foreach (var found in folders) waiting.Push(found);
            foreach (var found in objects) yield return found;
        }
    }

    /// <inheritdoc/>
    public Task<bool> Delete(ObjectName name, CancellationToken ct) => OnPool("delete", name, () =>
    {
        if (Root(create: false) is not { } root) return false;
        var (parent, last) = Split(name);
        var errno = root.TryOpenAt(parent, OpenFlags.ReadOnly | OpenFlags.Folder, 0, out var folder);
        if (errno is Errno.ENOENT or Errno.ENOTDIR) return false;
        if (errno != Errno.None) throw new PosixException("open", new FilePath(parent), errno);
        using (folder!)
        {
            errno = folder!.TryRemove(last);
            if (errno is Errno.ENOENT or Errno.EISDIR) return false;
            if (errno != Errno.None) throw new PosixException("unlink", FilePath.FromText(name.Value), errno);
            // Deletions are ordered too: a snapshot must be gone for good before the packs that it named go.
            folder.Sync();
            return true;
        }
    }, ct);

    /// <summary>Closes the root folder.</summary>
    public ValueTask DisposeAsync()
    {
        _root?.Dispose();
        return ValueTask.CompletedTask;
    }

    void PutNow(ObjectName name, ReadOnlySpan<byte> content, CancellationToken ct)
    {
        var root = Root(create: true)!;
        var (parent, last) = Split(name);
        using var folder = OpenForWriting(root, name, parent);
        if (folder.TryStatAt(last, follow: false, out _) != Errno.None && DurableWrite.TryPutNew(folder, last, content, ct)) return;
        // Who hears "exists" relies on it: another writer may have renamed it a moment ago and not have synced the folder yet.
        DurableWrite.SyncEntries(folder);
        throw new StoreException(StoreFault.Exists, $"put {name} in {Url}: there is an object of that name already.");
    }

    Descriptor OpenForWriting(Descriptor root, ObjectName name, byte[] parent)
    {
        var known = name.Value[..Math.Max(0, name.Value.LastIndexOf('/'))];
        var folder = DurableWrite.OpenOrMakeFolder(root, parent);
        // Once per folder and process: what a killed predecessor left behind.
        if (_ready.TryAdd(known, 0)) TemporaryName.RemoveStale(folder, _clock.GetUtcNow());
        return folder;
    }

    (List<StoredObject> Objects, List<string> Folders) ListOne(string folder)
    {
        var objects = new List<StoredObject>();
        var folders = new List<string>();
        var root = Root(create: false) ?? throw new StoreException(StoreFault.Unusable, $"list {Url}: there is no such folder.",
            "Look whether its disk is mounted and the path is written right.");
        var path = folder.Length == 0 ? "."u8.ToArray() : Encoding.ASCII.GetBytes(folder);
        var errno = root.TryOpenAt(path, OpenFlags.ReadOnly | OpenFlags.Folder, 0, out var opened);
        if (errno == Errno.ENOENT) return (objects, folders);
        if (errno != Errno.None) throw new PosixException("open", new FilePath(path), errno);
        using (opened!)
        {
            var reader = new FolderReader(opened!);
            try
            {
                while (reader.Next(out var entry, out var kind)) Sort(opened!, folder, entry, kind, objects, folders);
            }
            finally { reader.Dispose(); }
        }
        return (objects, folders);
    }

    static void Sort(Descriptor opened, string folder, ReadOnlySpan<byte> entry, FileKind kind, List<StoredObject> objects,
        List<string> folders)
    {
        var last = Encoding.Latin1.GetString(entry);
        var value = folder.Length == 0 ? last : $"{folder}/{last}";
        if (!ObjectName.IsLegal(value) || TemporaryName.Matches(last)) return;   // "lost+found", notes of the owner, unfinished puts
        if (kind == FileKind.Folder) { folders.Add(value); return; }
        var errno = opened.TryStatAt(entry, follow: true, out var status);
        if (errno == Errno.ENOENT) return;   // deleted since; a dangling link is no object either
        if (errno != Errno.None) throw new PosixException("stat", FilePath.FromText(value), errno);
        if (status.Kind == FileKind.Folder) folders.Add(value);
        else if (status.Kind == FileKind.File) objects.Add(new StoredObject(new ObjectName(value), status.SizeBytes));
    }

    Descriptor? Root(bool create)
    {
        if (_root is { } open) return open;
        lock (_opening)
        {
            if (_root is { } opened) return opened;
            try { return _root = Descriptor.OpenFolder(_path); }
            catch (PosixException e) when (e.Errno == Errno.ENOENT)
            {
                if (!create) return null;
            }
            return _root = DurableWrite.OpenOrMakeFolder(null, _path.Bytes.ToArray());
        }
    }

    static (byte[] Folder, byte[] Last) Split(ObjectName name)
    {
        var slash = name.Value.LastIndexOf('/');
        return (slash < 0 ? "."u8.ToArray() : Encoding.ASCII.GetBytes(name.Value[..slash]),
            Encoding.ASCII.GetBytes(name.Value[(slash + 1)..]));
    }

    Task<T> OnPool<T>(string verb, ObjectName name, Func<T> work, CancellationToken ct) => OnPool(verb, name.Value, work, ct);

    // The kernel's file calls block; run on the pool, so that callers who start several at once do get several at once.
    Task<T> OnPool<T>(string verb, string what, Func<T> work, CancellationToken ct) => Task.Run(() =>
    {
        try { return work(); }
        catch (PosixException e) { throw Translate($"{verb} {what} in {Url}", e); }
    }, ct);

    /// <summary>The store's word for a failed system call.</summary>
    internal static StoreException Translate(string what, PosixException e)
    {
        var fault = e.Errno switch
        {
            Errno.ENOENT => StoreFault.Missing,
            Errno.EEXIST => StoreFault.Exists,
            Errno.EACCES or Errno.EPERM or Errno.EROFS => StoreFault.Denied,
            Errno.ENOSPC or Errno.EDQUOT => StoreFault.Full,
            Errno.ENOTDIR or Errno.EISDIR or Errno.ELOOP or Errno.ENAMETOOLONG or Errno.EINVAL or Errno.ENOTSUP or Errno.EFBIG
                => StoreFault.Unusable,
            _ => StoreFault.Unavailable,
        };
        return new StoreException(fault, $"{what}: {PosixException.Describe(e.Errno)} ({e.Call})", e.Hint, e);
    }
}
