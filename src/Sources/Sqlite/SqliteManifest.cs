using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.Sqlite;

/// <summary>What a backup of a database file says of itself: <c>/.backupdr/manifest.json</c> of its snapshot.</summary>
public sealed record SqliteManifest
{
    /// <summary>Tag of the snapshots.</summary>
    public const string Tag = "sqlite";

    const int LargestBytes = 16 << 20;
    static readonly FilePath Place = FilePath.FromText("/.backupdr/manifest.json");

    /// <summary>Version of this shape.</summary>
    public int Format { get; init; } = 1;
    /// <summary>Always "sqlite".</summary>
    public string Engine { get; init; } = "sqlite";
    /// <summary>Where the database lay.</summary>
    public required string Database { get; init; }
    /// <summary>Version of the library that copied it.</summary>
    public required string LibraryVersion { get; init; }
    /// <summary>"wal", "delete" and so on; the copy keeps it.</summary>
    public required string JournalMode { get; init; }
    /// <summary>Bytes of a page.</summary>
    public required int PageBytes { get; init; }
    /// <summary>Pages.</summary>
    public required long Pages { get; init; }
    /// <summary>The application's own number of its schema (<c>user_version</c>).</summary>
    public int UserVersion { get; init; }
    /// <summary>When the copy's content was fixed, this host's clock.</summary>
    public required DateTimeOffset CopiedAt { get; init; }
    /// <summary>What is wrong in the database itself, in SQLite's words; the first hundred lines.</summary>
    public IReadOnlyList<string> Broken { get; init; } = [];
    /// <summary>Whether it was looked through; false where an extension is needed that is not here.</summary>
    public bool IsChecked { get; init; } = true;
    /// <summary>Rows of each table that could be counted in time.</summary>
    public IReadOnlyDictionary<string, long> Rows { get; init; } = new Dictionary<string, long>();
    /// <summary>Program that took it.</summary>
    public string Program { get; init; } = "";

    internal byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, SqliteJson.Default.SqliteManifest);

    /// <summary>The manifest of a snapshot.</summary>
    /// <exception cref="NotFoundException">It has none: no backup of a database file.</exception>
    /// <exception cref="RepositoryException">Damaged.</exception>
    internal static async Task<SqliteManifest> Of(TreeBrowser browser, BlobReader reader, Snapshot snapshot, CancellationToken ct)
    {
        var node = await browser.Find(snapshot, Place, ct)
            ?? throw new NotFoundException($"A manifest in snapshot {snapshot.ShortId}");
        if (node.SizeBytes > LargestBytes) throw RepositoryException.Damaged("manifest", $"{node.SizeBytes} bytes are too many.");
        var bytes = await StoredBytes.Of(reader, node, ct);
        try
        {
            return JsonSerializer.Deserialize(bytes, SqliteJson.Default.SqliteManifest) is { Engine: "sqlite" } manifest
                ? manifest : throw RepositoryException.Damaged("manifest", $"snapshot {snapshot.ShortId} holds another kind of database.");
        }
        catch (JsonException e) { throw RepositoryException.Damaged("manifest", $"snapshot {snapshot.ShortId}: {e.Message}"); }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 8)]
[JsonSerializable(typeof(SqliteManifest))]
sealed partial class SqliteJson : JsonSerializerContext;
