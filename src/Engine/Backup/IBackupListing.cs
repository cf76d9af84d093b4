using BackupDr.Contracts;

namespace BackupDr.Engine.Backup;

/// <summary>How an entry compares with the parent snapshot.</summary>
public enum ItemChange
{
    /// <summary>The parent does not have it.</summary>
    New,
    /// <summary>It differs.</summary>
    Changed,
    /// <summary>It is equal; a file was not read.</summary>
    Unmodified,
}

/// <summary>Is told what becomes of each entry. Called from several threads at once, in no order.</summary>
public interface IBackupListing
{
    /// <summary>An entry is in the snapshot, or would be.</summary>
    /// <param name="path">Absolute path; a folder's ends in a slash.</param>
    /// <param name="change">Compared with the parent.</param>
    /// <param name="sizeBytes">Plain bytes; 0 for all but files.</param>
    void Taken(FilePath path, ItemChange change, ulong sizeBytes);

    /// <summary>A rule leaves an entry out, with everything below it.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="reason">By which rule.</param>
    void LeftOut(FilePath path, string reason);
}
