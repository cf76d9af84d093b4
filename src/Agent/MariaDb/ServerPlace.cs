using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Sources;
using BackupDr.Sources.MariaDb;

namespace BackupDr.Agent.MariaDb;

/// <summary>The server that a source means, as it can be reached now.</summary>
static class ServerPlace
{
    /// <summary>Reads what the source leaves to the data folder, and the password.</summary>
    /// <exception cref="SourceException">The data folder is none, or no server runs in it.</exception>
    /// <exception cref="BadInputException">The password file or the option file cannot be read.</exception>
    public static MariaDbAddress Of(MariaDbSpec spec)
    {
        var host = spec.Host;
        if (spec.DataFolder is { } folder && host is null)
        {
            var found = MariaDbDiscovery.In(folder.ToString()) ?? throw new SourceException("mariadb.no_server",
                $"{folder} is no data folder of MariaDB, or this agent may not read it.",
                "Name the folder that 'select @@datadir' tells; the agent runs as root or as the server's user.");
            if (!found.IsRunning) throw new SourceException("mariadb.stopped", $"No server runs in {folder}.", "Start it.");
            if (found.Endpoint.Length > 0) host = found.Endpoint;
        }
        if (spec.OptionFile is { } options && !File.Exists(options.ToString()))
            throw new BadInputException("optionFile", $"There is no option file {options} that this agent may read.",
                "Write user and password under [client] into it on the agent's host, readable by the agent alone.");
        return new MariaDbAddress
        {
            Host = host ?? MariaDbSpec.DefaultHost,
            Port = spec.Port ?? MariaDbSpec.DefaultPort,
            User = spec.User,
            Password = spec.PasswordFile is { } file ? PasswordFile.Read(file.ToString()) : null,
            OptionFile = spec.OptionFile?.ToString(),
        };
    }

    /// <summary>Looks at the server before anything is done with it.</summary>
    public static Task<IReadOnlyList<Finding>> Look(MariaDbSpec spec, MariaDbAddress address, bool receivesLog, CancellationToken ct)
        => MariaDbPreflight.Run(address, null, ct, receivesLog, spec.DataFolder?.ToString());

    /// <summary>Refuses a server that cannot be backed up, or whose log cannot be received, with every statement that mends it; gives what
    /// is worth a remark.</summary>
    /// <exception cref="SourceException">Something stands in the way.</exception>
    public static async Task<IReadOnlyList<Finding>> Check(MariaDbSpec spec, MariaDbAddress address, bool receivesLog,
        CancellationToken ct)
    {
        var findings = await Look(spec, address, receivesLog, ct);
        var blocking = findings.Where(finding => finding.Severity == FindingSeverity.Blocking).ToList();
        if (blocking.Count == 0) return findings;
        throw new SourceException("mariadb.preflight", string.Join(' ', blocking.Select(finding => finding.Message)),
            string.Join('\n', blocking.Select(finding => finding.Remedy).Where(remedy => remedy is not null)));
    }
}
