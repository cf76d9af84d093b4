using System.Runtime.CompilerServices;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Storage.Azure;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Rest;
using BackupDr.Storage.S3;

namespace BackupDr.Storage;

/// <summary>Opens the store that a repository URL names. URLs are written as stock restic writes them.</summary>
public static class StoreFactory
{
    // Kinds that restic knows and this version does not have: told apart from a folder that happens to have a colon in its name.
    static readonly string[] Later = ["gs", "b2", "sftp", "swift", "rclone"];

    const string Forms = "Write /path, local:/path, s3:https://host/bucket/prefix, azure:container:/prefix or rest:https://host/path/.";

    /// <summary>Opens nothing yet: the first operation tells whether the place can be used.</summary>
    /// <param name="url">"/path", "relative/path", "local:/path", "s3:https://host/bucket/prefix", "azure:container:/prefix" or
    /// "rest:https://host/path/".</param>
    /// <param name="options">What the URL does not say; the defaults where null.</param>
    /// <exception cref="BadInputException">The URL is empty, wrong or of a kind that this version does not have; or an option is
    /// wrong.</exception>
    public static IObjectStore Open(string url, StoreOptions? options = null)
    {
        options ??= new StoreOptions();
        var colon = url.IndexOf(':', StringComparison.Ordinal);
        var kind = colon > 0 ? url[..colon] : "";
        if (Array.IndexOf(Later, kind) >= 0)
            throw new BadInputException("repository", $"'{kind}:' repositories are not in this version: {url}",
                $"This version has folders, S3, Azure and REST servers. {Forms}");
        if (kind == "s3") return S3(url, options);
        if (kind == "azure") return Azure(url, options);
        if (kind == "rest") return Rest(url, options);
        var path = kind == "local" ? url[(colon + 1)..] : url;
        if (path.Length == 0) throw new BadInputException("repository", "No repository was given.", Forms);
        // Absolute from here on: what we name in messages and hold open must not depend on the working folder.
        return new FolderStore(new FilePath(Encoding.UTF8.GetBytes(Path.GetFullPath(path))), options.Clock);
    }

    // Methods of their own: whoever works on a folder never loads the SDKs.
    [MethodImpl(MethodImplOptions.NoInlining)]
    static S3Store S3(string url, StoreOptions options) => new(S3Address.Parse(url), options);

    [MethodImpl(MethodImplOptions.NoInlining)]
    static AzureStore Azure(string url, StoreOptions options) => new(AzureAddress.Parse(url), options);

    [MethodImpl(MethodImplOptions.NoInlining)]
    static RestStore Rest(string url, StoreOptions options) => new(RestAddress.Parse(url, options), options);
}
