using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>The part that reads single files to their end and finishes their nodes.</summary>
sealed partial class BackupPipeline
{
    async Task FileWorker(CancellationToken ct)
    {
        await foreach (var job in _files.Reader.ReadAllAsync(ct))
            using (job.File) await StoreFile(job, ct);
    }

    async Task StoreFile(FileJob job, CancellationToken ct)
    {
        var path = job.Folder.Path.Join(job.Node.Name.Bytes);
        counters.Report(path);
        Node stat;
        FileContent content;
        try
        {
            stat = job.File.Stat();   // before the first read: a change while reading then shows in the times, and the next run reads again
            content = new FileContent((finished, token) => FinishFile(job, path, stat, finished, token));
            await ReadChunks(job.File, chunkers.For(job.Node.Name.Bytes, job.File), content, ct);
        }
        catch (BackupDrException e) when (e is not RepositoryException and not Storage.StoreException)
        {
            counters.Missing(path, e.Message);
            await LoseLinks(job.Node, e.Message, ct);
            await Done(job.Folder, job.Slot, null, ct);
            return;
        }
        try
        {
            var after = job.File.Stat();
            if (after.SizeBytes != stat.SizeBytes || after.ModifiedAt != stat.ModifiedAt)
                counters.Remark(path, "changed while it was read; the snapshot holds what was read");
        }
        catch (BackupDrException e) when (e is not RepositoryException and not Storage.StoreException)
        {
            counters.Remark(path, $"could not be looked at again after reading: {e.Message}");
        }
        await content.Close(ct);
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
