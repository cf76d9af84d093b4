using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.MariaDb;

/// <summary>What a backup of a server says of itself: <c>/.backupdr/manifest.json</c> of its snapshot.</summary>
public sealed record MariaDbManifest
{
    /// <summary>Tag of the snapshots of base backups.</summary>
    public const string BaseTag = "mariadb-base";
    /// <summary>Tag of the snapshots of the binary log.</summary>
    public const string BinlogTag = "mariadb-binlog";
    /// <summary>Tag of the snapshots of dumps.</summary>
    public const string DumpTag = "mariadb-dump";

    const int LargestBytes = 16 << 20;

    /// <summary>Its path in the snapshot.</summary>
    public const string Place = "/.backupdr/manifest.json";

    /// <summary>Version of this shape.</summary>
    public int Format { get; init; } = 1;
    /// <summary>Always "mariadb".</summary>
    public string Engine { get; init; } = "mariadb";
    /// <summary>Names the server: "db1:3306".</summary>
    public required string Server { get; init; }
    /// <summary>As the server writes it: "10.11.19-MariaDB-log".</summary>
    public required string ServerVersion { get; init; }
    /// <summary>Version of mariadb-backup.</summary>
    public required string ToolVersion { get; init; }
    /// <summary>Where the data lay.</summary>
    public required string DataFolder { get; init; }
    /// <summary>Name of the owner of the data folder.</summary>
    public string Owner { get; init; } = "";
    /// <summary>The server's clock before it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>The server's clock after it ended: from then on any time can be restored to.</summary>
    public required DateTimeOffset StoppedAt { get; init; }
    /// <summary>The file of the binary log that goes on from here; "" where the server keeps none.</summary>
    public string BinlogFile { get; init; } = "";
    /// <summary>Where in that file.</summary>
    public long BinlogPosition { get; init; }
    /// <summary>When that file was begun: the time in its first event, in seconds since 1970; null where it could not be read.</summary>
    public uint? BinlogCreatedAt { get; init; }
    /// <summary>The last transactions in the backup, one for each domain: "0-1-9".</summary>
    public string Gtid { get; init; } = "";
    /// <summary>Position in the redo log up to which it was copied.</summary>
    public string LastLsn { get; init; } = "";
    /// <summary>Bytes of the chunks that page files are cut into; later backups keep it.</summary>
    public required int ChunkBytes { get; init; }
    /// <summary>Plain bytes of all files.</summary>
    public long Bytes { get; init; }
    /// <summary>InnoDB tables, "shop/orders".</summary>
    public IReadOnlyList<string> Tables { get; init; } = [];
    /// <summary>Whether those were the same before and after, so that a restore to the end shows them again.</summary>
    public bool IsCatalogSettled { get; init; }
    /// <summary>Settings that a copy needs to be started.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();
    /// <summary>The program with its arguments, secrets being in none.</summary>
    public IReadOnlyList<string> Command { get; init; } = [];
    /// <summary>Program that took it.</summary>
    public string Program { get; init; } = "";

    internal byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, MariaDbJson.Default.MariaDbManifest);

    /// <summary>Reads the manifest of a base backup's snapshot.</summary>
    /// <exception cref="RepositoryException">Damaged: it has none that we know.</exception>
    internal static async Task<MariaDbManifest> Of(TreeBrowser browser, BlobReader reader, Snapshot snapshot, CancellationToken ct)
    {
        var where = $"snapshot {snapshot.ShortId}";
        if (await browser.Find(snapshot, FilePath.FromText(Place), ct) is not { Type: NodeType.File, SizeBytes: < LargestBytes } node)
            throw RepositoryException.Damaged(where, "it has no manifest.");
        using var bytes = new MemoryStream();
        foreach (var id in node.Content) bytes.Write(await reader.Read(BlobType.Data, id, ct));
        try
        {
            if (JsonSerializer.Deserialize(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), MariaDbJson.Default.MariaDbManifest)
                is { Format: 1, Engine: "mariadb", ChunkBytes: >= 16 << 10, BinlogPosition: >= 0 } manifest)
                return manifest;
        }
        catch (JsonException e) { throw RepositoryException.Damaged(where, $"its manifest cannot be read: {e.Message}"); }
        throw RepositoryException.Damaged(where, "its manifest is of a kind that this version does not know.");
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 16)]
[JsonSerializable(typeof(MariaDbManifest))]
[JsonSerializable(typeof(RestoredMark))]
sealed partial class MariaDbJson : JsonSerializerContext;
