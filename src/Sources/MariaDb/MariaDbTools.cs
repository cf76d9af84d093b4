using System.Globalization;
using System.Text.RegularExpressions;
using BackupDr.Sources.Tools;

namespace BackupDr.Sources.MariaDb;

/// <summary>Finds the server's programs. Each has its name of MySQL's time as well.</summary>
static partial class MariaDbTools
{
    static readonly string[] Folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/libexec"];

    public const string Client = "mariadb", Backup = "mariadb-backup", Binlog = "mariadb-binlog", Dump = "mariadb-dump",
        Server = "mariadbd",
        Check = "mariadb-check";

    static readonly Dictionary<string, string> FormerNames = new()
    {
        [Client] = "mysql",
        [Backup] = "mariabackup",
        [Binlog] = "mysqlbinlog",
        [Dump] = "mysqldump",
        [Server] = "mysqld",
        [Check] = "mysqlcheck",
    };

    /// <summary>Absolute path of a program; null where it is not there.</summary>
    public static string? TryFind(string name, string? folder)
        => (folder is null ? Folders : [folder]).SelectMany(where => (string[])[Path.Combine(where, name),
            Path.Combine(where, FormerNames[name])]).FirstOrDefault(Disk.Exists);

    /// <exception cref="SourceException">It is not installed.</exception>
    public static string Find(string name, string? folder) => TryFind(name, folder) ?? throw new SourceException("mariadb.programs_missing",
        $"{name} is not there{(folder is null ? "" : $" in {folder}")}.",
        $"Install the package {PackageOf(name)}, or name the folder of the programs with --programs.");

    /// <summary>Debian's package of a program.</summary>
    public static string PackageOf(string name) => name switch
    {
        Backup => "mariadb-backup",
        Server => "mariadb-server",
        _ => "mariadb-client",
    };

    [GeneratedRegex(@"(\d+)\.(\d+)\.(\d+)")]
    private static partial Regex Numbers { get; }

    /// <summary>The version of the backup program, as it writes it.</summary>
    public static async Task<string> BackupVersion(string? folder, CancellationToken ct)
    {
        var (_, lines) = await ToolProcess.Run(Find(Backup, folder), ["--version"], null, ct);
        return lines.Select(line => Numbers.Match(line)).FirstOrDefault(match => match.Success)?.Value ?? "";
    }

    /// <summary>A version as the server counts, for example 101119 of "10.11.19-MariaDB-log"; 0 where it is none.</summary>
    public static int Number(string version)
    {
        var match = Numbers.Match(version);
        return match.Success ? int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) * 10_000
            + int.Parse(match.Groups[2].Value, CultureInfo.InvariantCulture) * 100
            + int.Parse(match.Groups[3].Value, CultureInfo.InvariantCulture) : 0;
    }
}
