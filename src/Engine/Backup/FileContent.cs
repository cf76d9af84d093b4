using BackupDr.Engine.Blobs;

namespace BackupDr.Engine.Backup;

/// <summary>
/// The blobs of a file while its chunks are stored in any order. The last of them, or the end of reading, finishes the file.
/// </summary>
/// <param name="finish">Called once, when reading has ended and every chunk is stored.</param>
sealed class FileContent(Func<FileContent, CancellationToken, ValueTask> finish)
{
    readonly Lock _gate = new();
    readonly List<BlobId> _ids = [];
    int _open = 1;   // the reading itself

    /// <summary>Bytes cut so far.</summary>
    public long LengthBytes { get; private set; }

    /// <summary>Chunks cut so far.</summary>
    public int Count { get { lock (_gate) return _ids.Count; } }

    /// <summary>Adds a chunk by the reader; gives its number.</summary>
    public int Add(int lengthBytes)
    {
        lock (_gate)
        {
            LengthBytes += lengthBytes;
            _ids.Add(default);
            Interlocked.Increment(ref _open);   // counted out without the lock
            return _ids.Count - 1;
        }
    }

    /// <summary>Adds, by the reader, chunks that are stored already: one blob many times.</summary>
    public void AddStored(int lengthBytes, BlobId id, long count)
    {
        lock (_gate)
        {
            LengthBytes += lengthBytes * count;
            for (; count > 0; count--) _ids.Add(id);
        }
    }

    /// <summary>A chunk is stored.</summary>
    public ValueTask Stored(int number, BlobId id, CancellationToken ct)
    {
        lock (_gate) _ids[number] = id;
        return Interlocked.Decrement(ref _open) == 0 ? finish(this, ct) : ValueTask.CompletedTask;
    }

    /// <summary>Reading has ended.</summary>
    public ValueTask Close(CancellationToken ct) => Interlocked.Decrement(ref _open) == 0 ? finish(this, ct) : ValueTask.CompletedTask;

    /// <summary>The blobs in order.</summary>
    public IReadOnlyList<BlobId> Ids() { lock (_gate) return [.. _ids]; }
}
