using System.Globalization;

namespace BackupDr.Sources.MariaDb;

/// <summary>What a server says of itself.</summary>
sealed record MariaDbFacts
{
    // What a copy needs to be started with, beside what lies in its files.
    static readonly string[] Kept =
    [
        "character_set_server", "collation_server", "default_storage_engine", "explicit_defaults_for_timestamp", "ft_min_word_len",
        "gtid_domain_id", "innodb_data_file_path", "innodb_ft_min_token_size", "innodb_log_file_size", "innodb_page_size",
        "innodb_undo_tablespaces", "lower_case_table_names", "max_allowed_packet", "server_id", "sql_mode",
    ];

    static readonly string[] Asked =
    [
        "aria_encrypt_tables", "basedir", "binlog_expire_logs_seconds", "binlog_format", "datadir", "encrypt_binlog", "gtid_strict_mode",
        "hostname", "innodb_encrypt_tables", "innodb_flush_log_at_trx_commit", "log_bin", "log_bin_basename", "log_bin_compress",
            "pid_file",
        "plugin_dir", "port", "server_uid", "sync_binlog", "system_time_zone", "time_zone", "tmpdir", "version", "version_comment",
    ];

    readonly IReadOnlyDictionary<string, string> _variables;

    MariaDbFacts(IReadOnlyDictionary<string, string> variables) => _variables = variables;

    public required DateTimeOffset Clock { get; init; }

    public string Version => Variable("version");
    public int VersionNumber => MariaDbTools.Number(Version);
    public bool IsMariaDb => Version.Contains("MariaDB", StringComparison.OrdinalIgnoreCase)
        || Variable("version_comment").Contains("MariaDB", StringComparison.OrdinalIgnoreCase);
    public string DataFolder => Path.TrimEndingDirectorySeparator(Variable("datadir"));
    public bool HasBinlog => Variable("log_bin") is "ON" or "1";

    /// <summary>Names the server in a repository: its host and port, as its administrators do; its folder where it has no port. Servers
    /// have no number that would be theirs
    /// alone and would stay: server_id is often a copy's, and server_uid changes with the network card.</summary>
    public string Name => $"{Variable("hostname")}:{(Number("port") > 0 ? Variable("port") : DataFolder.Trim('/').Replace('/', '_'))}";

    /// <summary>Settings for a copy.</summary>
    public Dictionary<string, string> Settings => _variables.Where(entry => Kept.Contains(entry.Key))
        .ToDictionary(entry => entry.Key, entry => entry.Value);

    public string Variable(string name) => _variables.GetValueOrDefault(name, "");

    public long Number(string name) => long.TryParse(Variable(name), CultureInfo.InvariantCulture, out var number) ? number : 0;

    public static async Task<MariaDbFacts> Read(MariaDbClient client, CancellationToken ct)
    {
        var names = string.Join(", ", Kept.Concat(Asked).Select(name => $"'{name}'"));
        var results = await client.Results([$"show global variables where Variable_name in ({names})", "select utc_timestamp(6)"], ct);
        return new MariaDbFacts(results[0].ToDictionary(row => row[0]!, row => row[1] ?? "", StringComparer.OrdinalIgnoreCase))
        {
            Clock = Time(results[1][0][0]),
        };
    }

    /// <summary>A time that the server wrote in UTC.</summary>
    public static DateTimeOffset Time(string? text) => DateTimeOffset.Parse(text!, CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal);

    /// <summary>The names of all InnoDB tables, "shop/orders"; only what the right PROCESS shows.</summary>
    public static async Task<List<string>> Tables(MariaDbClient client, CancellationToken ct)
        => [.. (await client.Rows("select name from information_schema.innodb_sys_tables where space <> 0 order by name", ct))
            .Select(row => row[0]!)];
}
