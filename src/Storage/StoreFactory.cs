using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Folder;

namespace BackupDr.Storage;

/// <summary>Opens the store that a repository URL names. URLs are written as stock restic writes them.</summary>
public static class StoreFactory
{
    // Kinds that restic knows and this version does not have: told apart from a folder that happens to have a colon in its name.
    static readonly string[] Later = ["s3", "azure", "rest", "gs", "b2", "sftp", "swift", "rclone"];

    /// <summary>Opens nothing yet: the first operation tells whether the place can be used.</summary>
    /// <param name="url">"/path", "relative/path" or "local:/path".</param>
    /// <param name="clock">The system's where null.</param>
    /// <exception cref="BadInputException">The URL is empty or of a kind that this version does not have.</exception>
    public static IObjectStore Open(string url, TimeProvider? clock = null)
    {
        var colon = url.IndexOf(':', StringComparison.Ordinal);
        var kind = colon > 0 ? url[..colon] : "";
        if (Array.IndexOf(Later, kind) >= 0)
            throw new BadInputException("repository", $"'{kind}:' repositories are not in this version: {url}",
                "This version has local folders: write /path or local:/path.");
        var path = kind == "local" ? url[(colon + 1)..] : url;
        if (path.Length == 0) throw new BadInputException("repository", "No repository was given.", "Write /path or local:/path.");
        // Absolute from here on: what we name in messages and hold open must not depend on the working folder.
        return new FolderStore(new FilePath(Encoding.UTF8.GetBytes(Path.GetFullPath(path))), clock ?? TimeProvider.System);
    }
}
