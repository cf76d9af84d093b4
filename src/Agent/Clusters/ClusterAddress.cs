using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Sources;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Clusters;

/// <summary>The server that a source means, as it can be reached now.</summary>
static class ClusterAddress
{
    /// <summary>Reads what the source leaves to the data folder, and the password.</summary>
    /// <exception cref="SourceException">The data folder holds no cluster, or no server runs in it.</exception>
    /// <exception cref="BadInputException">The password file cannot be read.</exception>
    public static ServerAddress Of(PostgreSqlSpec spec)
    {
        var (host, port) = (spec.Host, spec.Port);
        if (spec.DataFolder is { } folder && (host is null || port is null))
        {
            var found = ClusterDiscovery.In(folder.ToString()) ?? throw new SourceException("postgres.no_cluster",
                $"{folder} is no data folder of PostgreSQL, or this agent may not read it.",
                "Name the folder that 'show data_directory' tells; the agent runs as root or as the server's user.");
            if (!found.IsRunning) throw new SourceException("postgres.stopped", $"No server runs in {folder}.", "Start it.");
            (host, port) = (host ?? (found.Endpoint.Length > 0 ? found.Endpoint : null), port ?? found.Port);
        }
        return new ServerAddress
        {
            Host = host ?? PostgreSqlSpec.DefaultHost,
            Port = port ?? PostgreSqlSpec.DefaultPort,
            User = spec.User,
            Database = spec.Database,
            Password = spec.PasswordFile is { } file ? PasswordFile.Read(file.ToString()) : null,
        };
    }

    /// <summary>Refuses a server that cannot be backed up, with every statement that mends it; gives what is worth a remark.</summary>
    /// <param name="spec">The source.</param>
    /// <param name="address">Its server.</param>
    /// <param name="slot">The slot by which its log is received; null where it is not.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="SourceException">Something stands in the way.</exception>
    public static async Task<IReadOnlyList<Finding>> Check(PostgreSqlSpec spec, ServerAddress address, string? slot, CancellationToken ct)
    {
        var findings = await ClusterPreflight.Run(address,
            new ClusterPreflightOptions { Slot = slot, DataFolder = spec.DataFolder?.ToString() }, ct);
        var blocking = findings.Where(finding => finding.Severity == FindingSeverity.Blocking).ToList();
        if (blocking.Count == 0) return findings;
        throw new SourceException("postgres.preflight", string.Join(' ', blocking.Select(finding => finding.Message)),
            string.Join('\n', blocking.Select(finding => finding.Remedy).Where(remedy => remedy is not null)));
    }

    /// <summary>The server's version in words: 15.4.</summary>
    public static string Version(int number) => string.Create(CultureInfo.InvariantCulture, $"{number / 10_000}.{number % 10_000}");
}
