using System.Collections.Concurrent;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Chunking;

namespace BackupDr.Engine.Backup;

/// <summary>The part that cuts files into chunks and stores those.</summary>
sealed partial class BackupPipeline
{
    readonly ConcurrentDictionary<int, BlobId> _zeros = new();   // by length in bytes: as many as there are chunkers

    /// <summary>Cuts a file. Its only chunk is stored here; the chunks of a longer file are handed to the chunk workers.</summary>
    async Task ReadChunks(ISourceFile file, IChunker chunker, FileContent content, CancellationToken ct)
    {
        // A chunk of fixed size is read into a buffer that it fills; otherwise a cut may come anywhere, and more is read at once.
        var usual = chunker.Minimum == chunker.Maximum ? chunker.Maximum : 2 * chunker.Minimum + 1;
        var buffer = repository.Buffers.Rent((int)Math.Clamp(file.SizeBytes + 1, 1, usual));
        try
        {
            var (filled, scanned, offset, isEnd) = (0, 0, 0L, false);
            ulong state = 0;
            while (true)
            {
                // Where a chunk begins and the file has a hole, zeros come out as zeros would be cut; what was read ahead is dropped.
                if (scanned == 0 && file.ZerosAt(offset - filled) / chunker.ZeroChunk is var holes and > 0)
                {
                    await EmitZeros(content, chunker.ZeroChunk, holes, ct);
                    (offset, filled) = (offset - filled + holes * chunker.ZeroChunk, 0);
                }
                // Where there are only zeros so far, the cut is known, and looking for them is a tenth of looking for it.
                var isZeros = scanned == 0 && !buffer.AsSpan(0, Math.Min(filled, chunker.ZeroChunk)).ContainsAnyExcept((byte)0);
                var cut = !isZeros ? chunker.FindCut(buffer.AsSpan(0, Math.Min(filled, chunker.Maximum)), scanned, ref state)
                    : filled < chunker.ZeroChunk ? 0 : chunker.ZeroChunk;
                if (cut == 0 && !isEnd)
                {
                    scanned = isZeros ? 0 : filled;
                    if (filled == buffer.Length) buffer = Enlarge(buffer, filled);
                    ct.ThrowIfCancellationRequested();
                    var read = file.Read(offset, buffer.AsSpan(filled));
                    isEnd = read == 0;
                    filled += read;
                    offset += read;
                    continue;
                }
                if (cut == 0) cut = filled;
                if (cut == 0) return;
                var rest = filled - cut;
                if (isZeros && cut == chunker.ZeroChunk)
                {
                    await EmitZeros(content, cut, 1, ct);
                    buffer.AsSpan(cut, rest).CopyTo(buffer);
                    (filled, scanned, state) = (rest, 0, 0);
                    continue;
                }
                var next = repository.Buffers.Rent(Math.Max(rest + 1, Math.Min(buffer.Length, usual - 1)));
                buffer.AsSpan(cut, rest).CopyTo(next);
                var chunk = buffer;
                buffer = next;
                await Emit(chunk, cut, content, isOnly: isEnd && rest == 0 && content.Count == 0, ct);
                (filled, scanned, state) = (rest, 0, 0);
            }
        }
        finally { repository.Buffers.Return(buffer); }
    }

    byte[] Enlarge(byte[] buffer, int filled)
    {
        var larger = repository.Buffers.Rent(buffer.Length + 1);
        buffer.AsSpan(0, filled).CopyTo(larger);
        repository.Buffers.Return(buffer);
        return larger;
    }

    /// <summary>Chunks of zeros. They are made, hashed and stored once in a run, and only named after that.</summary>
    async ValueTask EmitZeros(FileContent content, int length, long count, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        if (!_zeros.TryGetValue(length, out var id))
        {
            var buffer = repository.Buffers.Rent(length);
            buffer.AsSpan(0, length).Clear();
            try { id = _zeros[length] = await blobs.Store(BlobType.Data, buffer.AsMemory(0, length), ct); }
            finally { repository.Buffers.Return(buffer); }
        }
        content.AddStored(length, id, count);
        Interlocked.Add(ref counters.Bytes, length * count);
    }

    async ValueTask Emit(byte[] chunk, int length, FileContent content, bool isOnly, CancellationToken ct)
    {
        var number = content.Add(length);
        Interlocked.Add(ref counters.Bytes, length);
        if (isOnly) { await StoreChunk(new ChunkJob(chunk, length, content, number), ct); return; }
        try { await _chunks.Writer.WriteAsync(new ChunkJob(chunk, length, content, number), ct); }
        catch
        {
            repository.Buffers.Return(chunk);
            throw;
        }
    }

    async Task ChunkWorker(CancellationToken ct)
    {
        await foreach (var job in _chunks.Reader.ReadAllAsync(ct)) await StoreChunk(job, ct);
    }

    async ValueTask StoreChunk(ChunkJob job, CancellationToken ct)
    {
        BlobId id;
        try { id = await blobs.Store(BlobType.Data, job.Buffer.AsMemory(0, job.Length), ct); }
        finally { repository.Buffers.Return(job.Buffer); }
        await job.Content.Stored(job.Number, id, ct);
    }
}
