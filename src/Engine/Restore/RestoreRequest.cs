using BackupDr.Contracts;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Tiers;

namespace BackupDr.Engine.Restore;

/// <summary>What of a snapshot is restored, and how careful.</summary>
public sealed record RestoreRequest
{
    /// <summary>Absolute path inside the snapshot: everything below is put straight into the target. Empty: the absolute paths are made
    /// again.</summary>
    public FilePath From { get; init; }
    /// <summary>Chooses entries; null for all of them.</summary>
    public IRestoreFilter? Filter { get; init; }
    /// <summary>Whether every restored file is read back and compared with the snapshot after all of it is durable.</summary>
    public bool Verify { get; init; }
    /// <summary>What is done about packs in an archive. By default they end the restore before the first byte is read.</summary>
    public ThawRequest Thaw { get; init; } = new();
    /// <summary>Told what became, or in a preview would become, of each entry. Called by one thread at a time.</summary>
    public Action<FilePath, RestoreOutcome>? Each { get; init; }

    /// <summary>These paths, with the folders that lead to them; all where there are none.</summary>
    public static RestoreRequest Of(IReadOnlyList<FilePath> paths) => new() { Filter = paths.Count == 0 ? null : new PathFilter(paths) };
}

/// <summary>What became of an entry.</summary>
public enum RestoreOutcome
{
    /// <summary>Nothing stood there; it was made.</summary>
    Created,
    /// <summary>What stood there was replaced by a new entry.</summary>
    Replaced,
    /// <summary>The file that stood there got the ranges in which it differed.</summary>
    Updated,
    /// <summary>The file that stood there has the content already; metadata were set.</summary>
    Unchanged,
    /// <summary>What stood there stays, because the overwrite policy says so.</summary>
    Kept,
}

/// <summary>Chooses what of a snapshot is restored. Asked by one thread, folders before what lies in them.</summary>
public interface IRestoreFilter
{
    /// <summary>Whether an entry is restored.</summary>
    /// <param name="path">The parts of its absolute path inside the snapshot.</param>
    /// <param name="isFolder">Whether it is a folder.</param>
    RestoreMatch Match(IReadOnlyList<FilePath> path, bool isFolder);

    /// <summary>After all of the snapshot was shown: what was asked for and is not in it.</summary>
    IReadOnlyList<Problem> Unmatched { get; }
}

/// <summary>A filter's answer.</summary>
/// <param name="IsTaken">The entry is restored, with the folders that lead to it.</param>
/// <param name="IsEntered">Of a folder: something below it may be restored.</param>
public readonly record struct RestoreMatch(bool IsTaken, bool IsEntered);

/// <summary>Takes some absolute paths with everything below them.</summary>
/// <param name="only">The paths.</param>
sealed class PathFilter(IReadOnlyList<FilePath> only) : IRestoreFilter
{
    readonly List<IReadOnlyList<FilePath>> _wanted = [.. only.Select(path => path.Parts())];
    readonly bool[] _found = new bool[only.Count];

    public RestoreMatch Match(IReadOnlyList<FilePath> path, bool isFolder)
    {
        var (isTaken, isEntered) = (false, false);
        for (var i = 0; i < _wanted.Count; i++)
        {
            var common = Math.Min(path.Count, _wanted[i].Count);
            if (!path.Take(common).SequenceEqual(_wanted[i].Take(common))) continue;
            isEntered = true;
            if (path.Count >= _wanted[i].Count) isTaken = _found[i] = true;
        }
        return new RestoreMatch(isTaken, isEntered);
    }

    public IReadOnlyList<Problem> Unmatched
        => [.. only.Where((_, i) => !_found[i]).Select(path => new Problem(path, "is not in the snapshot"))];
}

/// <summary>How far a restore is.</summary>
/// <param name="FilesDone">Files finished.</param>
/// <param name="FilesTotal">Files to be written in all.</param>
/// <param name="BytesDone">Plain bytes written.</param>
/// <param name="BytesTotal">Plain bytes to be written in all.</param>
public readonly record struct RestoreProgress(long FilesDone, long FilesTotal, long BytesDone, long BytesTotal);

/// <summary>What a restore did, or what a preview found that it would do.</summary>
public sealed record RestoreSummary
{
    /// <summary>Files written, whole or in part, hard links included.</summary>
    public long Files { get; init; }
    /// <summary>Of these, files that stood there and got only the ranges in which they differed.</summary>
    public long FilesUpdated { get; init; }
    /// <summary>Files that stood there with the right content already.</summary>
    public long FilesUnchanged { get; init; }
    /// <summary>Files that were read back and are what the snapshot says.</summary>
    public long FilesVerified { get; init; }
    /// <summary>Folders made or taken over.</summary>
    public long Folders { get; init; }
    /// <summary>Plain bytes written.</summary>
    public long Bytes { get; init; }
    /// <summary>Of a preview: packs that would have to be thawed first.</summary>
    public ArchivedSpace Archived { get; init; } = new();
    /// <summary>Entries that were there and were kept.</summary>
    public IReadOnlyList<Problem> Kept { get; init; } = [];
    /// <summary>What could not be restored.</summary>
    public IReadOnlyList<Problem> Failed { get; init; } = [];
    /// <summary>From start to end.</summary>
    public TimeSpan Duration { get; init; }
}
