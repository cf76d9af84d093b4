using BackupDr.Contracts;

namespace BackupDr.Storage.S3;

/// <summary>Where a repository lies in a store that speaks the S3 protocol.</summary>
/// <param name="Endpoint">Scheme, host and port.</param>
/// <param name="Bucket">The bucket's name.</param>
/// <param name="Prefix">What every key begins with, without slashes at its ends; empty for the bucket's top.</param>
public sealed record S3Address(Uri Endpoint, string Bucket, string Prefix)
{
    const string Form = "Write s3:https://host/bucket/prefix.";

    /// <summary>Reads restic's forms: "s3:https://host:port/bucket/prefix", "s3:host/bucket/prefix" and "s3://host/bucket/prefix", the
    /// last two over https.</summary>
    /// <exception cref="BadInputException">It is none of them.</exception>
    public static S3Address Parse(string url)
    {
        var rest = url.StartsWith("s3:", StringComparison.Ordinal) ? url[3..] : throw Wrong(url, "it does not begin with 's3:'");
        if (rest.StartsWith("//", StringComparison.Ordinal)) rest = rest[2..];
        var text = rest.StartsWith("http://", StringComparison.Ordinal) || rest.StartsWith("https://", StringComparison.Ordinal)
            ? rest : "https://" + rest;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || uri.Host.Length == 0) throw Wrong(url, "the host cannot be read");
        if (uri.UserInfo.Length > 0)
            throw new BadInputException("repository", "An S3 address has no user and password in it.",
                "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.");
        if (uri.Query.Length > 0 || uri.Fragment.Length > 0) throw Wrong(url, "'?' and '#' have no meaning in it");
        var parts = Uri.UnescapeDataString(uri.AbsolutePath).Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (parts.Length == 0) throw Wrong(url, "the bucket is missing");
        var prefix = string.Join('/', parts.Skip(1));
        if (prefix.Length > 0 && !ObjectName.IsLegal(prefix))
            throw Wrong(url, $"the prefix '{prefix}' has other characters than ASCII letters, digits, '-', '_', '.' and '/'");
        return new S3Address(new Uri(uri.GetLeftPart(UriPartial.Authority)), parts[0], prefix);
    }

    /// <summary>Whether the host expects the bucket's name in front of it: the large providers do, servers of one's own do not.</summary>
    public bool WantsVirtualHost => Ends(".amazonaws.com") || Ends(".amazonaws.com.cn") || Ends(".aliyuncs.com")
        || Ends(".myhuaweicloud.com") || Ends("storage.googleapis.com");

    /// <summary>The region that the host's name tells, or null.</summary>
    public string? RegionOfHost
    {
        get
        {
            var labels = Endpoint.Host.Split('.');
            if (Ends(".r2.cloudflarestorage.com")) return "auto";
            if (Ends(".aliyuncs.com") && labels[0].StartsWith("oss-", StringComparison.Ordinal))
                return labels[0]["oss-".Length..].Replace("-internal", "", StringComparison.Ordinal);
            var named = (Ends(".amazonaws.com") || Ends(".amazonaws.com.cn") || Ends(".wasabisys.com") || Ends(".backblazeb2.com")) &&
                labels[0] == "s3" || (Ends(".myhuaweicloud.com") && labels[0] == "obs");
            if (!named) return null;
            var at = labels[1] == "dualstack" ? 2 : 1;   // s3.dualstack.REGION.amazonaws.com
            return labels[at] is "amazonaws" or "wasabisys" ? "us-east-1" : labels[at];
        }
    }

    /// <summary>The key of an object.</summary>
    public string Key(string name) => Prefix.Length == 0 ? name : $"{Prefix}/{name}";

    /// <inheritdoc/>
    public override string ToString()
        => $"s3:{Endpoint.GetLeftPart(UriPartial.Authority)}/{Bucket}{(Prefix.Length == 0 ? "" : "/" + Prefix)}";

    bool Ends(string host) => Endpoint.Host.EndsWith(host, StringComparison.OrdinalIgnoreCase);

    static BadInputException Wrong(string url, string why) => new("repository", $"'{url}' is no S3 address: {why}.", Form);
}
