using System.Globalization;
using BackupDr.Storage;
using BackupDr.Storage.Rest;

namespace BackupDr.Scheduler.Gateway;

/// <summary>What a request to the gateway means.</summary>
public enum GatewayVerb
{
    /// <summary>Make the repository's folders.</summary>
    Make,
    /// <summary>Remove the repository.</summary>
    Remove,
    /// <summary>Names, or names and sizes, of one kind.</summary>
    ListKind,
    /// <summary>Whole names and sizes below a folder.</summary>
    ListFolder,
    /// <summary>An object's size.</summary>
    Look,
    /// <summary>An object's bytes.</summary>
    Read,
    /// <summary>A new object.</summary>
    Put,
    /// <summary>Delete an object.</summary>
    Delete,
}

/// <summary>A request to the gateway, read.</summary>
/// <param name="Verb">What is asked.</param>
/// <param name="Name">Of which object, where it is about one.</param>
/// <param name="Folder">The kind or folder of a listing.</param>
/// <remarks>Source: restic documentation, "REST backend", version 2; docs/operate/gateway.md for the paths below "objects".</remarks>
public readonly record struct GatewayCall(GatewayVerb Verb, ObjectName Name, string Folder)
{
    /// <summary>Reads a request.</summary>
    /// <param name="method">GET, HEAD, POST or DELETE.</param>
    /// <param name="path">Below the repository's address, without a slash in front.</param>
    /// <param name="query">Its query.</param>
    /// <returns>Null where the gateway has no such path.</returns>
    public static GatewayCall? Parse(string method, string path, IQueryCollection query)
    {
        if (path.Length == 0)
            return method == "POST" && query["create"] == "true" ? new GatewayCall(GatewayVerb.Make, default, "")
                : method == "DELETE" ? new GatewayCall(GatewayVerb.Remove, default, "") : null;
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        var (first, own) = slash < 0 ? (path, "") : (path[..slash], path[(slash + 1)..]);
        if (first == RestStore.WholeNames)
        {
            if (own.Length > 0) return ObjectName.IsLegal(own) ? About(method, new ObjectName(own)) : null;
            var folder = query["folder"].ToString();
            return method == "GET" && (folder.Length == 0 || ObjectName.IsLegal(folder))
                ? new GatewayCall(GatewayVerb.ListFolder, default, folder) : null;
        }
        if (path == "config") return About(method, new ObjectName("config"));
        if (own.Length == 0)
            return method == "GET" && RestNames.Kinds.Contains(first) ? new GatewayCall(GatewayVerb.ListKind, default, first) : null;
        return RestNames.TryName(first, own, out var name) ? About(method, name) : null;
    }

    static GatewayCall? About(string method, ObjectName name) => method switch
    {
        "HEAD" => new GatewayCall(GatewayVerb.Look, name, ""),
        "GET" => new GatewayCall(GatewayVerb.Read, name, ""),
        "POST" => new GatewayCall(GatewayVerb.Put, name, ""),
        "DELETE" => new GatewayCall(GatewayVerb.Delete, name, ""),
        _ => null,
    };

    /// <summary>The bytes that a Range header asks for; all of them without one.</summary>
    /// <param name="header">"bytes=FROM-TO" or "bytes=FROM-".</param>
    /// <param name="sizeBytes">The object's size.</param>
    /// <returns>Null where none of the object's bytes are in it.</returns>
    public static (long From, long Length)? Range(string? header, long sizeBytes)
    {
        if (string.IsNullOrEmpty(header)) return (0, sizeBytes);
        var parts = header.StartsWith("bytes=", StringComparison.Ordinal) ? header[6..].Split('-') : [];
        if (parts.Length != 2 || !TryNumber(parts[0], out var from) || from >= sizeBytes) return null;
        if (parts[1].Length == 0) return (from, sizeBytes - from);
        return TryNumber(parts[1], out var to) && to >= from ? (from, Math.Min(to, sizeBytes - 1) - from + 1) : null;
    }

    static bool TryNumber(string text, out long number)
        => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
