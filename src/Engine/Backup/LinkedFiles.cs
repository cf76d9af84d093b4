using BackupDr.Engine.Format;

namespace BackupDr.Engine.Backup;

/// <summary>One more name of a file whose content is read under its first name.</summary>
readonly record struct LinkJob(PendingFolder Folder, int Slot, Node Node, Node? Before);

/// <summary>Files with several names: the first is read, the others get its content. Safe for concurrent use.</summary>
/// <remarks>A file is forgotten when all its names were seen, so what is held is bounded by the files with names yet to come.</remarks>
sealed class LinkedFiles
{
    sealed class Linked
    {
        public ulong Unseen;
        public Node? Stored;
        public List<LinkJob> Waiting = [];
    }

    readonly Lock _gate = new();
    readonly Dictionary<(ulong Device, ulong Inode), Linked> _files = [];

    static (ulong, ulong) Key(Node node) => (node.DeviceId, node.Inode);

    /// <summary>Whether somebody reads the file already. Then <paramref name="stored"/> is its node, or null where it is not read to its
    /// end yet: the job is kept, and <see cref="Finish"/> gives it back.</summary>
    public bool Follow(LinkJob job, out Node? stored)
    {
        lock (_gate)
        {
            stored = null;
            if (!_files.TryGetValue(Key(job.Node), out var file))
            {
                _files.Add(Key(job.Node), new Linked { Unseen = job.Node.Links - 1 });
                return false;
            }
            if (file.Unseen > 0) file.Unseen--;
            stored = file.Stored;
            if (stored is null) file.Waiting.Add(job);
            else if (file.Unseen == 0) _files.Remove(Key(job.Node));
            return true;
        }
    }

    /// <summary>The first name is done: with its content, or null where it could not be read. Gives the names that waited for it.</summary>
    public List<LinkJob> Finish(Node first, Node? stored)
    {
        lock (_gate)
        {
            if (!_files.TryGetValue(Key(first), out var file)) return [];
            (file.Stored, var waiting) = (stored, file.Waiting);
            file.Waiting = [];
            if (stored is null || file.Unseen == 0) _files.Remove(Key(first));
            return waiting;
        }
    }
}
