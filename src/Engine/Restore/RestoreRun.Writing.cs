using System.Diagnostics.CodeAnalysis;
using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Format;
using BackupDr.Storage;

namespace BackupDr.Engine.Restore;

/// <summary>Carries the plan out: packs are read in order, files are written as their parts come.</summary>
public sealed partial class RestoreRun
{
    /// <summary>Gaps up to this size are read along instead of asking twice.</summary>
    const int LargestGap = 64 << 10;
    const int LargestRange = 16 << 20;

    async Task Write(RestorePlan plan, CancellationToken ct)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var queue = Channel.CreateBounded<(BlobId Pack, List<PlannedBlob> Blobs)>(1);
        Exception? first = null;
        async Task Worker()
        {
            try
            {
                await foreach (var (pack, blobs) in queue.Reader.ReadAllAsync(stop.Token)) await RestorePack(pack, blobs, stop.Token);
            }
            catch (Exception e)
            {
                if (Interlocked.CompareExchange(ref first, e, null) is null) await stop.CancelAsync();
            }
        }
        var atOnce = Math.Max(_repository.Options.Workers + 1, _repository.RequestsAtOnce);
        var workers = Enumerable.Range(0, atOnce).Select(_ => Task.Run(Worker, CancellationToken.None)).ToArray();
        try
        {
            foreach (var next in plan.Packs()) await queue.Writer.WriteAsync(next, stop.Token);
        }
        catch (OperationCanceledException) when (first is not null) { queue.Writer.TryComplete(); }
        finally { queue.Writer.TryComplete(); }
        await Task.WhenAll(workers);
        ct.ThrowIfCancellationRequested();
        if (first is not null) ExceptionDispatchInfo.Throw(first);
    }

    async Task RestorePack(BlobId pack, List<PlannedBlob> blobs, CancellationToken ct)
    {
        for (var from = 0; from < blobs.Count;)
        {
            var start = blobs[from].Entry.Offset;
            var (to, end) = (from, start);
            while (to < blobs.Count
                && (to == from || (blobs[to].Entry.Offset - end <= LargestGap
                && blobs[to].Entry.Offset + blobs[to].Entry.Length - start <= LargestRange)))
            {
                end = blobs[to].Entry.Offset + blobs[to].Entry.Length;
                to++;
            }
            await RestoreRange(pack, blobs.GetRange(from, to - from), start, (int)(end - start), ct);
            from = to;
        }
    }

    async Task RestoreRange(BlobId pack, List<PlannedBlob> blobs, uint start, int length, CancellationToken ct)
    {
        var damaged = await TryRestoreRange(pack, blobs, start, length, ct);
        if (damaged.Count > 0 && _repository.Replicas is { } replicas && await replicas.Heal(ObjectLayout.Of(ObjectLayout.Data, pack), ct))
            damaged = await TryRestoreRange(pack, [.. damaged.Select(one => one.Blob)], start, length, ct);
        foreach (var (blob, wrong) in damaged) FailBlob(blob, wrong);
    }

    /// <summary>Restores what is right, and gives the rest with what is wrong.</summary>
    async Task<IReadOnlyList<(PlannedBlob Blob, string Wrong)>> TryRestoreRange(BlobId pack, List<PlannedBlob> blobs, uint start,
        int length, CancellationToken ct)
    {
        var damaged = new List<(PlannedBlob, string)>();
        var range = _repository.Buffers.Rent(length);
        var bench = _repository.RentBench();
        try
        {
            try { await _repository.Store.Read(ObjectLayout.Of(ObjectLayout.Data, pack), start, range.AsMemory(0, length), ct); }
            catch (StoreException e) when (e.Fault is StoreFault.Missing or StoreFault.ShortRead)
            {
                return [.. blobs.Select(blob => (blob, $"pack {pack}: {e.Message}"))];
            }
            using var run = new WriteRun(this);
            blobs.Sort(static (left, right) => left.Turn.CompareTo(right.Turn));   // as they follow each other in the files
            foreach (var blob in blobs)
            {
                ct.ThrowIfCancellationRequested();
                var box = range.AsSpan((int)(blob.Entry.Offset - start), (int)blob.Entry.Length);
                if (!TryRestoreBlob(blob, box, bench, run, out var wrong))
                    damaged.Add((blob, $"pack {pack}: blob {blob.Entry.Id}: {wrong}"));
            }
            run.Write();
            return damaged;
        }
        finally
        {
            _repository.ReturnBench(bench);
            _repository.Buffers.Return(range);
        }
    }

    bool TryRestoreBlob(PlannedBlob blob, Span<byte> box, BlobWorkbench bench, WriteRun run, [NotNullWhen(false)] out string? wrong)
    {
        var length = blob.Entry.DecodedLength;
        wrong = $"it would be {length} bytes";
        if (length > BlobReader.MaximumDecoded || !bench.TryOpen(box, blob.Entry, run.Room(blob.Parts[0], (int)length), out wrong))
        {
            wrong ??= "it does not open";
            return false;
        }
        run.Add(blob.Parts, (int)length);
        Report();
        return true;
    }

    void FailBlob(PlannedBlob blob, string message)
    {
        foreach (var part in blob.Parts)
        {
            FailPart(part, message);
            EndPart(part);
        }
    }

    void FailPart(PlannedPart part, string message)
    {
        if (!part.File.Fail()) return;   // one line a file is enough
        lock (_gate) _failed.Add(new Problem(Join(part.File.Path), message));
    }

    void WritePart(PlannedPart part, ReadOnlySpan<byte> plain)
    {
        try
        {
            if (!part.File.Failed && part.File.Open(_target) is { } file)
            {
                file.Write(part.Offset, plain);
                Interlocked.Add(ref _bytes, plain.Length);
            }
        }
        catch (BackupDrException e) { FailPart(part, e.Message); }
    }

    void EndPart(PlannedPart part)
    {
        if (!part.File.PartDone()) return;
        try
        {
            if (part.File.Close()) Written(part.File);
            else if (!part.File.Failed) Keep(part.File.Path);
        }
        catch (BackupDrException e) { FailPart(part, e.Message); }
    }

    void Written(PlannedFile file)
    {
        Interlocked.Increment(ref _files);
        if (file.Outcome == RestoreOutcome.Updated) Interlocked.Increment(ref _updated);
        if (_request.Verify)
            lock (_gate) _written.Add(file);
        Tell(file.Path, file.Outcome);
    }
}
