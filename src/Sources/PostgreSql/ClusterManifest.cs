using System.Text.Json;
using System.Text.Json.Serialization;
using BackupDr.Contracts;
using BackupDr.Engine;
using BackupDr.Engine.Blobs;
using BackupDr.Engine.Browse;
using BackupDr.Engine.Format;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What a base backup says of itself: the file <c>/.backupdr/manifest.json</c> of its snapshot.</summary>
public sealed record ClusterManifest
{
    /// <summary>Tag of the snapshots of base backups.</summary>
    public const string BaseTag = "postgresql-base";
    /// <summary>Tag of the snapshots of the log.</summary>
    public const string WalTag = "postgresql-wal";

    const int LargestBytes = 16 << 20;
    static readonly FilePath Place = FilePath.FromText("/.backupdr/manifest.json");

    /// <summary>Version of this shape.</summary>
    public int Format { get; init; } = 1;
    /// <summary>Always "postgresql".</summary>
    public string Engine { get; init; } = "postgresql";
    /// <summary>How the files were taken: "files" or "stream".</summary>
    public string Method { get; init; } = "files";
    /// <summary>The number that initdb gave the cluster.</summary>
    public required string SystemIdentifier { get; init; }
    /// <summary>In the server's counting, for example 150020.</summary>
    public required int ServerVersion { get; init; }
    /// <summary>Where the cluster lay.</summary>
    public required string DataFolder { get; init; }
    /// <summary>Timeline at the start.</summary>
    public required uint Timeline { get; init; }
    /// <summary>Where recovery begins to read the log.</summary>
    public required string StartLsn { get; init; }
    /// <summary>Where a recovery is consistent at the earliest.</summary>
    public required string StopLsn { get; init; }
    /// <summary>The server's clock before the start call.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>The server's clock after the stop call: the earliest time that can be restored to.</summary>
    public required DateTimeOffset StoppedAt { get; init; }
    /// <summary>This host's clock when the backup began: files changed later are read by the next one.</summary>
    public required DateTimeOffset ReadFrom { get; init; }
    /// <summary>When every file was last read, this host's clock.</summary>
    public required DateTimeOffset FullReadAt { get; init; }
    /// <summary>Bytes of a segment of the log.</summary>
    public required int SegmentBytes { get; init; }
    /// <summary>Bytes of a page.</summary>
    public required int BlockBytes { get; init; }
    /// <summary>Bytes of the chunks that relations are cut into; later backups keep it.</summary>
    public required int ChunkBytes { get; init; }
    /// <summary>Whether pages have checksums, which then were compared.</summary>
    public required bool HasChecksums { get; init; }
    /// <summary>Whether the server was a standby.</summary>
    public required bool FromStandby { get; init; }
    /// <summary>Pages compared.</summary>
    public long PagesChecked { get; init; }
    /// <summary>Pages that are broken in the cluster itself.</summary>
    public IReadOnlyList<BrokenPage> BrokenPages { get; init; } = [];
    /// <summary>Tablespaces beside the default ones.</summary>
    public IReadOnlyList<TablespaceEntry> Tablespaces { get; init; } = [];
    /// <summary>Databases that accept connections, with the number of rows in pg_class.</summary>
    public IReadOnlyList<DatabaseEntry> Databases { get; init; } = [];
    /// <summary>Whether those numbers were the same at the start and at the end, so that a restore to the end shows them again.</summary>
    public bool IsCatalogSettled { get; init; }
    /// <summary>The role that initdb made: the one superuser that is always there.</summary>
    public string Superuser { get; init; } = "postgres";
    /// <summary>Number of roles.</summary>
    public int Roles { get; init; }
    /// <summary>Settings from its files, in their base units, for a restore without those files.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();
    /// <summary>Segments of the log in the snapshot, enough to be consistent without anything else.</summary>
    public IReadOnlyList<string> Wal { get; init; } = [];
    /// <summary>The program that wrote it.</summary>
    public string Program { get; init; } = "";

    internal Lsn Start => Lsn.Parse(StartLsn);
    internal Lsn Stop => Lsn.Parse(StopLsn);

    internal byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, ClusterJson.Default.ClusterManifest);

    /// <exception cref="RepositoryException">Damaged: it is no manifest of ours.</exception>
    internal static ClusterManifest Read(ReadOnlySpan<byte> json, string where)
    {
        try
        {
            if (JsonSerializer.Deserialize(json, ClusterJson.Default.ClusterManifest) is { Format: 1, Engine: "postgresql" } manifest
                && Lsn.TryParse(manifest.StartLsn, out _) && Lsn.TryParse(manifest.StopLsn, out _)
                && manifest is { SegmentBytes: >= 1 << 20, BlockBytes: >= 1 << 10, ChunkBytes: >= 16 << 10, Timeline: > 0 })
                return manifest;
        }
        catch (JsonException e) { throw RepositoryException.Damaged(where, $"its manifest cannot be read: {e.Message}"); }
        throw RepositoryException.Damaged(where, "its manifest is of a kind that this version does not know.");
    }

    /// <summary>Reads the manifest of a base backup's snapshot.</summary>
    /// <exception cref="NotFoundException">It is none.</exception>
    /// <exception cref="RepositoryException">Damaged.</exception>
    internal static async Task<ClusterManifest> Of(TreeBrowser browser, BlobReader reader, Snapshot snapshot, CancellationToken ct)
    {
        var node = await browser.Find(snapshot, Place, ct);
        if (node is not { Type: NodeType.File, SizeBytes: < LargestBytes })
            throw RepositoryException.Damaged($"snapshot {snapshot.ShortId}", "it has no manifest.");
        return Read(await StoredBytes.Of(reader, node, ct), $"snapshot {snapshot.ShortId}");
    }
}

/// <summary>A page whose checksum is wrong in the cluster itself.</summary>
/// <param name="File">Its file below the data folder.</param>
/// <param name="Block">Its number in the relation.</param>
/// <param name="Relation">Database and name of the relation; null where the catalog does not tell.</param>
public sealed record BrokenPage(string File, uint Block, string? Relation);

/// <summary>A tablespace.</summary>
/// <param name="Oid">Number; names the link and the folder in the snapshot.</param>
/// <param name="Name">Name.</param>
/// <param name="Path">Folder that it lay in.</param>
public sealed record TablespaceEntry(uint Oid, string Name, string Path);

/// <summary>A database.</summary>
/// <param name="Name">Name.</param>
/// <param name="Relations">Rows of its pg_class.</param>
/// <param name="Extensions">Names of its extensions.</param>
public sealed record DatabaseEntry(string Name, long Relations, IReadOnlyList<string> Extensions);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, MaxDepth = 16)]
[JsonSerializable(typeof(ClusterManifest))]
sealed partial class ClusterJson : JsonSerializerContext;
