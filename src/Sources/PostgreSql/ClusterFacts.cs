using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Sources.PostgreSql;

/// <summary>What a server says of its cluster. All of it can be asked by a role with pg_read_all_settings.</summary>
sealed record ClusterFacts
{
    public required string SystemIdentifier { get; init; }
    public required int Version { get; init; }
    public required string CatalogVersion { get; init; }
    public required bool IsStandby { get; init; }
    public required string Superuser { get; init; }
    public required IReadOnlyDictionary<string, string> All { get; init; }
    public required IReadOnlyDictionary<string, string> FromFiles { get; init; }
    public required IReadOnlyList<TablespaceEntry> Tablespaces { get; init; }

    public string DataFolder => Setting("data_directory");
    public int SegmentBytes => int.Parse(Setting("wal_segment_size"), CultureInfo.InvariantCulture);
    public int BlockBytes => int.Parse(Setting("block_size"), CultureInfo.InvariantCulture);
    public uint BlocksOfSegment => uint.Parse(Setting("segment_size"), CultureInfo.InvariantCulture);
    public bool HasChecksums => Setting("data_checksums") == "on";
    public string VersionFolder => $"PG_{Version / 10_000}_{CatalogVersion}";

    /// <summary>The server's log folder below the data folder; null where it lies elsewhere.</summary>
    public string? LogFolder
    {
        get
        {
            var folder = Setting("log_directory").TrimEnd('/');
            if (!folder.StartsWith('/')) return folder.Length == 0 ? null : folder;
            return folder.StartsWith(DataFolder + "/", StringComparison.Ordinal) ? folder[(DataFolder.Length + 1)..] : null;
        }
    }

    /// <summary>A setting; "" where the role may not see it.</summary>
    public string Setting(string name) => All.GetValueOrDefault(name, "");

    public static async Task<ClusterFacts> Read(ServerSession session, CancellationToken ct)
    {
        if (session.Version < 120_000)
            throw new SourceException("postgres.version", $"The server's version {session.Version / 10_000} is older than 12.",
                "Back it up with pg_dump, or upgrade it.");
        var settings = await session.Rows("select name, coalesce(setting, ''), source from pg_settings",
            row => (Name: row.GetString(0), Value: row.GetString(1), Source: row.GetString(2)), ct);
        var (system, catalog) = await session.Row("select system_identifier::text, catalog_version_no::text from pg_control_system()",
            row => (row.GetString(0), row.GetString(1)), ct);
        return new ClusterFacts
        {
            SystemIdentifier = system,
            CatalogVersion = catalog,
            Version = int.Parse(settings.First(setting => setting.Name == "server_version_num").Value, CultureInfo.InvariantCulture),
            Superuser = await session.Text("select rolname from pg_roles where oid = 10", ct),
            IsStandby = await session.Row("select pg_is_in_recovery()", row => row.GetBoolean(0), ct),
            All = settings.ToDictionary(setting => setting.Name, setting => setting.Value),
            FromFiles = settings.Where(setting => setting.Source == "configuration file")
                .ToDictionary(setting => setting.Name, setting => setting.Value),
            Tablespaces = await session.Rows("select oid::bigint, spcname, pg_tablespace_location(oid) from pg_tablespace "
                + "where spcname not in ('pg_default', 'pg_global') order by oid",
                row => new TablespaceEntry((uint)row.GetInt64(0), row.GetString(1), row.GetString(2)), ct),
        };
    }

    /// <summary>What the catalogs count, to be compared with a restored cluster.</summary>
    public static async Task<CatalogCounts> Count(ServerAddress address, ServerSession session, CancellationToken ct)
    {
        var names = await session.Rows("select datname from pg_database where datallowconn order by datname", row => row.GetString(0), ct);
        var databases = new List<DatabaseEntry>();
        var unseen = new List<string>();
        foreach (var name in names)
        {
            try
            {
                await using var inside = await ServerSession.Open(address, ct, name);
                databases.Add(new DatabaseEntry(name,
                    await inside.Row("select count(*) from pg_class where relpersistence <> 't'", row => row.GetInt64(0), ct),
                    await inside.Rows("select extname from pg_extension order by extname", row => row.GetString(0), ct)));
            }
            catch (BackupDrException e) when (e is DeniedException or ServerException) { unseen.Add(name); }
        }
        return new CatalogCounts(databases, await session.Row("select count(*) from pg_roles", row => (int)row.GetInt64(0), ct), unseen);
    }
}

/// <summary>What the catalogs count.</summary>
/// <param name="Databases">Those that let this role in.</param>
/// <param name="Roles">Number of roles.</param>
/// <param name="Unseen">Databases that do not let this role in.</param>
sealed record CatalogCounts(IReadOnlyList<DatabaseEntry> Databases, int Roles, IReadOnlyList<string> Unseen)
{
    public bool IsEqual(CatalogCounts other) => Roles == other.Roles && Databases.Count == other.Databases.Count
        && Databases.Zip(other.Databases).All(pair => pair.First.Name == pair.Second.Name
            && pair.First.Relations == pair.Second.Relations && pair.First.Extensions.SequenceEqual(pair.Second.Extensions));
}
