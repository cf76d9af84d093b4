using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace BackupDr.Web;

/// <summary>The console's style sheet, script and picture: embedded, named by their hash, compressed once.</summary>
public static class Embedded
{
    sealed record Asset(string Type, byte[] Plain, byte[] Brotli, string Version);

    static readonly Dictionary<string, Asset> All = new(StringComparer.Ordinal)
    {
        ["app.css"] = Load("app.css", "text/css; charset=utf-8"),
        ["live.js"] = Load("live.js", "text/javascript; charset=utf-8"),
        ["track.js"] = Load("track.js", "text/javascript; charset=utf-8"),
        ["icon.svg"] = Load("icon.svg", "image/svg+xml"),
    };

    /// <summary>The address of an asset; it changes with the content, so that a browser may keep it for ever.</summary>
    public static string Url(string name) => $"/assets/{name}?v={All[name].Version}";

    /// <summary>Serves them to everybody.</summary>
    public static void MapAssets(this IEndpointRouteBuilder routes) => routes.MapGet("/assets/{name}",
        Serve).AllowAnonymous().ExcludeFromDescription();

    static IResult Serve(string name, HttpContext http)
    {
        if (!All.TryGetValue(name, out var asset)) return Results.NotFound();
        var headers = http.Response.Headers;
        headers.CacheControl = http.Request.Query["v"] == asset.Version ? "public, max-age=31536000, immutable" : "no-cache";
        headers.Vary = HeaderNames.AcceptEncoding;
        var brotli = http.Request.Headers.AcceptEncoding.ToString().Contains("br", StringComparison.Ordinal);
        if (brotli) headers.ContentEncoding = "br";
        var tag = new EntityTagHeaderValue($"\"{asset.Version}{(brotli ? "-br" : "")}\"");
        return Results.Bytes(brotli ? asset.Brotli : asset.Plain, asset.Type, entityTag: tag);
    }

    static Asset Load(string name, string type)
    {
        using var stream = typeof(Embedded).Assembly.GetManifestResourceStream($"wwwroot/{name}")
            ?? throw new InvalidOperationException($"The asset {name} is not embedded.");
        using var plain = new MemoryStream();
        stream.CopyTo(plain);
        var bytes = plain.ToArray();
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.SmallestSize, leaveOpen: true)) brotli.Write(bytes);
        return new Asset(type, bytes, packed.ToArray(), Convert.ToHexStringLower(SHA256.HashData(bytes))[..16]);
    }
}
