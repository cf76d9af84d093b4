using BackupDr.Contracts;

namespace BackupDr.Storage.Rest;

/// <summary>Where a repository lies behind a server that speaks restic's REST protocol, and who asks.</summary>
/// <param name="Base">Scheme, host, port and path; the path ends with a slash.</param>
/// <param name="User">User name, or null where the certificate tells who we are.</param>
/// <param name="Password">Its password; empty where there is none.</param>
public sealed record RestAddress(Uri Base, string? User, string Password)
{
    const string Form = "Write rest:https://user:password@host:port/path/.";

    /// <summary>Reads restic's form "rest:https://user:password@host:port/path/". User and password may also come from
    /// RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD.</summary>
    /// <exception cref="BadInputException">It is not of that form.</exception>
    public static RestAddress Parse(string url, StoreOptions options)
    {
        var text = url.StartsWith("rest:", StringComparison.Ordinal) ? url[5..] : throw Wrong(url, "it does not begin with 'rest:'");
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Host.Length == 0 || uri.Scheme is not ("http" or "https"))
            throw Wrong(text.Contains('@', StringComparison.Ordinal) ? "rest:…" : url, "it has no http or https address");
        var bare = new UriBuilder(uri) { UserName = "", Password = "" }.Uri;
        if (uri.Query.Length > 0 || uri.Fragment.Length > 0) throw Wrong($"rest:{bare}", "'?' and '#' have no meaning in it");
        if (!bare.AbsolutePath.EndsWith('/')) bare = new UriBuilder(bare) { Path = bare.AbsolutePath + "/" }.Uri;
        var colon = uri.UserInfo.IndexOf(':', StringComparison.Ordinal);
        var user = colon < 0 ? uri.UserInfo : uri.UserInfo[..colon];
        var password = colon < 0 ? "" : uri.UserInfo[(colon + 1)..];
        return user.Length > 0 ? new RestAddress(bare, Uri.UnescapeDataString(user), Uri.UnescapeDataString(password))
            : new RestAddress(bare, options.Variable("RESTIC_REST_USERNAME"), options.Variable("RESTIC_REST_PASSWORD") ?? "");
    }

    /// <summary>The address without password.</summary>
    public override string ToString() => $"rest:{Base}";

    static BadInputException Wrong(string url, string why) => new("repository", $"'{url}' is no REST address: {why}.", Form);
}
