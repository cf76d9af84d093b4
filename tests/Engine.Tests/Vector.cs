using System.Text.Json;

namespace BackupDr.Engine.Tests;

/// <summary>The vector files that stock restic wrote.</summary>
static class Vector
{
    static readonly Lazy<JsonDocument> All = new(() => JsonDocument.Parse(System.IO.File.ReadAllBytes(PathOf("vectors.json"))));

    public static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "Vectors", name);
    public static JsonElement Of(string name) => All.Value.RootElement.GetProperty(name);
    public static JsonDocument Expected(string repository)
        => JsonDocument.Parse(System.IO.File.ReadAllBytes(PathOf($"expected-{repository}.json")));
    public static string Text(this JsonElement element, string name) => element.GetProperty(name).GetString()!;
    public static byte[] Hex(this JsonElement element, string name) => Convert.FromHexString(element.Text(name));
    public static byte[] Base64(this JsonElement element, string name) => element.GetProperty(name).GetBytesFromBase64();
    public static int Int(this JsonElement element, string name) => element.GetProperty(name).GetInt32();
}
