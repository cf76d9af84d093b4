using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>The part that reads single files to their end and finishes their nodes.</summary>
sealed partial class BackupPipeline
{
    /// <summary>Larger files are not read again because they changed: an image that is in use always does.</summary>
    const long LargestReadAgain = 1L << 30;

    /// <summary>What was read, and the file as it was before.</summary>
    readonly record struct Reading(Node Stat, FileContent Content);

    async Task FileWorker(CancellationToken ct)
    {
        await foreach (var job in _files.Reader.ReadAllAsync(ct))
            using (job.File) await StoreFile(job, ct);
    }

    /// <summary>What may only be read now that everything else has been.</summary>
    async Task StoreClosing(IClosingSource source, CancellationToken ct)
    {
        await source.Close(counters, ct);
        foreach (var job in _closing)
        {
            if (job.Node.Type == NodeType.Dir) await StoreClosingFolder(source, job, ct);
            else await StoreClosingFile(job, source.OpenClosing(job.Folder.Path.Join(job.Node.Name.Bytes), counters), ct);
        }
    }

    async Task StoreClosingFolder(IClosingSource source, ClosingJob job, CancellationToken ct)
    {
        var path = job.Folder.Path.Join(job.Node.Name.Bytes);
        using var folder = source.OpenClosingFolder(path, counters);
        var nodes = folder.List(counters, ct).OrderBy(node => node.Name.Bytes.ToArray(), ByteOrder).ToList();
        var pending = new PendingFolder(path, job.Node, job.Folder, job.Slot, job.Before?.Subtree);
        pending.Expect(nodes.Count);
        for (var at = 0; at < nodes.Count; at++)
            await StoreClosingFile(new ClosingJob(pending, at, nodes[at], null), folder.OpenFile(nodes[at], counters), ct);
        if (pending.Listed()) await StoreFolder(pending, ct);
    }

    static readonly Comparer<byte[]> ByteOrder = Comparer<byte[]>.Create(static (left, right) => left.AsSpan().SequenceCompareTo(right));

    async Task StoreClosingFile(ClosingJob job, ISourceFile? file, CancellationToken ct)
    {
        if (file is null) { await Done(job.Folder, job.Slot, null, ct); return; }
        using (file) await StoreFile(new FileJob(job.Folder, job.Slot, job.Node, job.Before, file), ct);
    }

    async Task StoreFile(FileJob job, CancellationToken ct)
    {
        var path = job.Folder.Path.Join(job.Node.Name.Bytes);
        counters.Report(path);
        Reading reading;
        try { reading = await Read(job, path, ct); }
        catch (BackupDrException e) when (IsOfSource(e))
        {
            counters.Missing(path, e.Message);
            await LoseLinks(job.Node, e.Message, ct);
            await Done(job.Folder, job.Slot, null, ct);
            return;
        }
        if (Doubt(job.File, reading) is { } doubt) reading = await ReadAgain(job, path, reading, doubt, ct);
        await reading.Content.Close(ct);
    }

    static bool IsOfSource(BackupDrException e) => e is not RepositoryException and not Storage.StoreException;

    async Task<Reading> Read(FileJob job, FilePath path, CancellationToken ct)
    {
        var stat = job.File.Stat();   // before the first read: a change while reading then shows in the times, and the next run reads again
        var content = new FileContent((finished, token) => FinishFile(job, path, stat, finished, token));
        try { await ReadChunks(job.File, chunkers.For(job.Node.Name.Bytes, job.File), content, ct); }
        catch
        {
            Interlocked.Add(ref counters.Bytes, -content.LengthBytes);
            throw;
        }
        return new Reading(stat, content);
    }

    /// <summary>Why what was read may be no state that the file ever had; null where nothing speaks for that.</summary>
    static string? Doubt(ISourceFile file, Reading reading)
    {
        if (file.MayBeTorn) return null;
        try { return IsUnchanged(file.Stat(), reading.Stat) ? null : "changed while it was read"; }
        catch (BackupDrException e) when (IsOfSource(e)) { return $"could not be looked at again after reading: {e.Message}"; }
    }

    /// <summary>Reads a file once more, which costs little: what is equal is stored already. What is in doubt after that, or too large, is
    /// kept as it was read; the snapshot is the better for it, and says so.</summary>
    async Task<Reading> ReadAgain(FileJob job, FilePath path, Reading first, string doubt, CancellationToken ct)
    {
        if (first.Content.LengthBytes > LargestReadAgain)
        {
            counters.Unsettled(path, $"{doubt}; the snapshot holds what was read");
            return first;
        }
        Reading second;
        try { second = await Read(job, path, ct); }
        catch (BackupDrException e) when (IsOfSource(e))
        {
            counters.Unsettled(path, $"{doubt}, and cannot be read again: {e.Message}; the snapshot holds what was read");
            return first;
        }
        Interlocked.Add(ref counters.Bytes, -first.Content.LengthBytes);
        if (Doubt(job.File, second) is { } still) counters.Unsettled(path, $"{still}, twice; the snapshot holds what was read");
        return second;
    }

    async ValueTask FinishFile(FileJob job, FilePath path, Node stat, FileContent content, CancellationToken ct)
    {
        var stored = stat with { Name = job.Node.Name, SizeBytes = (ulong)content.LengthBytes, Content = content.Ids() };
        Interlocked.Increment(ref job.Before is null ? ref counters.FilesNew : ref counters.FilesChanged);
        Interlocked.Increment(ref counters.FilesDone);
        counters.Report(path);
        counters.Taken(job.Folder, stored, job.Before is null ? ItemChange.New : ItemChange.Changed);
        if (job.Node.Links > 1)
        {
            if (stat.Inode != job.Node.Inode || stat.DeviceId != job.Node.DeviceId)
                await LoseLinks(job.Node, "Another of its names was replaced while the backup ran.", ct);
            else
                foreach (var link in _linked.Finish(job.Node, stored)) await FinishLink(link, stored, ct);
        }
        await Done(job.Folder, job.Slot, stored, ct);
    }

    /// <summary>One more name of a file that is stored: the same content, without reading it again.</summary>
    async ValueTask FinishLink(LinkJob link, Node stored, CancellationToken ct)
    {
        Interlocked.Increment(ref link.Before is null ? ref counters.FilesNew : ref counters.FilesChanged);
        FileDone(stored.SizeBytes);
        counters.Taken(link.Folder, stored with { Name = link.Node.Name }, link.Before is null ? ItemChange.New : ItemChange.Changed);
        await Done(link.Folder, link.Slot, stored with { Name = link.Node.Name }, ct);
    }

    async ValueTask LoseLinks(Node first, string message, CancellationToken ct)
    {
        foreach (var link in _linked.Finish(first, null))
        {
            counters.Missing(link.Folder.Path.Join(link.Node.Name.Bytes), message);
            await Done(link.Folder, link.Slot, null, ct);
        }
    }
}
