using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.PostgreSql;

/// <summary>Compares the checksums of pages while they are read, and looks again at the end. Safe for concurrent use.</summary>
/// <remarks>
/// A page that is read while the server writes it may be half old. It is read again at once, and what is still wrong once more when all
/// files were read; what the server wrote after the backup began is mended by the log and no fault.
/// </remarks>
sealed class PageCheck(int blockBytes, uint blocksOfSegment, Lsn start)
{
    const int MostSuspects = 10_000, Attempts = 4;

    readonly Lock _gate = new();
    readonly List<Suspect> _suspects = [];
    long _pages;

    readonly record struct Suspect(string Name, string Path, uint Segment, long Offset);

    /// <summary>Pages looked at.</summary>
    public long Pages => Interlocked.Read(ref _pages);

    public int BlockBytes => blockBytes;

    /// <summary>Looks at whole pages of a relation's file.</summary>
    /// <param name="file">To read a page again.</param>
    /// <param name="name">Name below the data folder, for a person.</param>
    /// <param name="path">Absolute path on the disk.</param>
    /// <param name="segment">Which file of the relation.</param>
    /// <param name="offset">Of the first page in the file.</param>
    /// <param name="pages">Whole pages, as they will be stored; replaced where a second reading is right.</param>
    public void Look(Engine.Backup.ISourceFile file, string name, string path, uint segment, long offset, Span<byte> pages)
    {
        Interlocked.Add(ref _pages, pages.Length / blockBytes);
        for (var at = 0; at < pages.Length; at += blockBytes)
        {
            var page = pages.Slice(at, blockBytes);
            var block = Block(segment, offset + at);
            for (var attempt = 0; PageChecksum.Look(page, block, start) == PageState.Broken; attempt++)
            {
                if (attempt < Attempts && file.Read(offset + at, page) == blockBytes) continue;
                lock (_gate)
                    if (_suspects.Count < MostSuspects) _suspects.Add(new Suspect(name, path, segment, offset + at));
                break;
            }
        }
    }

    uint Block(uint segment, long offset) => segment * blocksOfSegment + (uint)(offset / blockBytes);

    /// <summary>Those that are wrong now too, each once.</summary>
    public IReadOnlyList<(string File, uint Block)> Broken()
    {
        var page = new byte[blockBytes];
        List<Suspect> suspects;
        lock (_gate) suspects = [.. _suspects.Distinct()];
        return [.. suspects.Where(suspect => IsStillBroken(suspect, page))
            .Select(suspect => (suspect.Name, Block(suspect.Segment, suspect.Offset)))];
    }

    bool IsStillBroken(Suspect suspect, byte[] page)
    {
        try
        {
            using var file = Descriptor.Open(FilePath.FromText(suspect.Path), OpenFlags.ReadOnly | OpenFlags.NoFollow);
            for (var attempt = 0; attempt < Attempts; attempt++)
            {
                if (file.FillAt(suspect.Offset, page) < blockBytes) return false;   // cut off meanwhile
                if (PageChecksum.Look(page, Block(suspect.Segment, suspect.Offset), start) != PageState.Broken) return false;
            }
            return true;
        }
        catch (PosixException e) when (e.Errno == Errno.ENOENT) { return false; }   // dropped meanwhile
    }
}
