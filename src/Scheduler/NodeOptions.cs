using System.Net;
using BackupDr.Contracts.Rules.Placement;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Telemetry;

namespace BackupDr.Scheduler;

/// <summary>All settings of a node; each property is a section of the settings file. appsettings.sample.json explains every key.</summary>
public sealed record NodeSettings
{
    public DatabaseOptions Database { get; init; } = new();
    public ConsoleOptions Console { get; init; } = new();
    public AgentsOptions Agents { get; init; } = new();
    public SecretsOptions Secrets { get; init; } = new();
    public BootstrapOptions Bootstrap { get; init; } = new();
    public ControlPlaneOptions ControlPlane { get; init; } = new();
    public NodeOptions Node { get; init; } = new();
    public ChecksOptions Checks { get; init; } = new();
    public LogOptions Log { get; init; } = new();
    public TelemetryOptions Telemetry { get; init; } = new();
}

/// <summary>PostgreSQL.</summary>
public sealed record DatabaseOptions : IChecked
{
    /// <summary>As Npgsql writes it; several hosts are allowed, the primary among them is used.</summary>
    public string ConnectionString { get; init; } = "";

    public IEnumerable<string> Problems()
    {
        if (ConnectionString.Length == 0)
        {
            yield return "Database:ConnectionString is not set; for example Host=db1,db2;Username=backupdr;Password=…;Database=backupdr.";
            yield break;
        }
        string? problem = null;
        try { _ = new Npgsql.NpgsqlConnectionStringBuilder(ConnectionString); }
        catch (ArgumentException e) { problem = $"Database:ConnectionString cannot be read: {e.Message}"; }
        if (problem is not null) yield return problem;
    }
}

/// <summary>The listener of console and public API.</summary>
public sealed record ConsoleOptions : IChecked
{
    /// <summary>Where it listens. Plain http only on loopback or behind <see cref="TrustedProxies"/>. Port 0 is any free port.</summary>
    public string Url { get; init; } = "http://127.0.0.1:8420";

    /// <summary>How people reach it, through a load balancer as a rule: what messages begin their links with. Empty for messages that name
    /// the path alone.</summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>PEM file with the certificate and its chain, for https.</summary>
    public string CertificateFile { get; init; } = "";

    /// <summary>PEM file with the certificate's private key.</summary>
    public string CertificateKeyFile { get; init; } = "";

    /// <summary>Addresses of the load balancers whose X-Forwarded-For and X-Forwarded-Proto are believed.</summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    public IEnumerable<string> Problems()
    {
        if (!Listeners.TryParse(Url, out var uri, out var address) || uri.Scheme is not ("http" or "https"))
        {
            yield return $"Console:Url is '{Url}'; it must be http:// or https:// with an address and a port, for example "
                + $"http://127.0.0.1:8420.";
            yield break;
        }
        if (uri.Scheme == "http" && !IPAddress.IsLoopback(address) && TrustedProxies.Count == 0)
            yield return $"Console:Url is {Url}: passwords would cross the network in clear. Use https with Console:CertificateFile, "
                + $"listen on 127.0.0.1, or name the proxies in Console:TrustedProxies.";
        if (uri.Scheme == "https" && (CertificateFile.Length == 0 || CertificateKeyFile.Length == 0))
            yield return "Console:Url is https, so Console:CertificateFile and Console:CertificateKeyFile must name PEM files.";
        foreach (var file in new[] { ("CertificateFile", CertificateFile), ("CertificateKeyFile", CertificateKeyFile) })
            if (file.Item2.Length > 0 && !File.Exists(file.Item2)) yield return $"Console:{file.Item1} is {file.Item2}, which does not "
                + $"exist.";
        if (PublicUrl.Length > 0 && !(Uri.TryCreate(PublicUrl, UriKind.Absolute, out var known) && known.Scheme is "http" or "https"
            && known.AbsolutePath == "/" && known.Query.Length == 0 && known.Fragment.Length == 0 && known.UserInfo.Length == 0))
            yield return $"Console:PublicUrl is '{PublicUrl}'; it must be https:// or http://, a name or address, and a port if it is "
                + "not the usual one, for example https://backup.example.com.";
        foreach (var proxy in TrustedProxies)
            if (!IPAddress.TryParse(proxy, out _)) yield return $"Console:TrustedProxies has '{proxy}', which is no IP address.";
    }
}

/// <summary>The listener of the agents.</summary>
public sealed record AgentsOptions : IChecked
{
    /// <summary>Where it listens: https with the certificate of the built-in CA. Port 0 is any free port.</summary>
    public string Url { get; init; } = "https://0.0.0.0:8421";

    /// <summary>How hosts reach it, through a load balancer as a rule; empty for this machine's name and the listener's port.</summary>
    public string PublicUrl { get; init; } = "";

    /// <summary>The agent's archive that hosts download; its .sha256 lies beside it. Empty for ../agent/backupdr-agent-linux-x64.tar.gz
    /// from the program's folder.</summary>
    public string Archive { get; init; } = "";

    /// <summary>For how many seconds no node must have answered a host before it makes its due backups by itself, 5 to 86400; the same
    /// on all nodes.</summary>
    public int AloneAfterSeconds { get; init; } = 900;

    /// <summary>For how many days after the last answer of a node hosts make their due backups by themselves, 0 to 30; 0 for not at all.
    /// </summary>
    public int AloneDays { get; init; } = 7;

    public IEnumerable<string> Problems()
    {
        if (AloneAfterSeconds is < 5 or > 86_400)
            yield return $"Agents:AloneAfterSeconds is {AloneAfterSeconds}; it must be between 5 and 86400.";
        if (AloneDays is < 0 or > 30) yield return $"Agents:AloneDays is {AloneDays}; it must be between 0 and 30.";
        if (!Listeners.TryParse(Url, out var uri, out _) || uri.Scheme != "https")
            yield return $"Agents:Url is '{Url}'; it must be https:// with an address and a port, for example https://0.0.0.0:8421.";
        if (PublicUrl.Length > 0 && !Listeners.IsPublicUrl(PublicUrl))
            yield return $"Agents:PublicUrl is '{PublicUrl}'; it must be https://, a name or address, and a port if it is not 443, for "
                + $"example https://backup.example.com:8421.";
    }
}

/// <summary>Sealing of secrets.</summary>
public sealed record SecretsOptions : IChecked
{
    /// <summary>File of 32 random bytes, mode 0600, the same on all nodes. Made at the first start of the first node.</summary>
    public string KeyFile { get; init; } = "";

    public IEnumerable<string> Problems()
    {
        if (KeyFile.Length == 0) yield return "Secrets:KeyFile is not set; for example /var/lib/backupdr/secrets/sealing.key.";
        else if (!Path.IsPathRooted(KeyFile)) yield return $"Secrets:KeyFile is '{KeyFile}'; it must be an absolute path.";
    }
}

/// <summary>The first way in.</summary>
public sealed record BootstrapOptions
{
    /// <summary>File with an API key that the node admits as "bootstrap"; empty for none.</summary>
    public string ApiKeyFile { get; init; } = "";
}

/// <summary>What a node does.</summary>
public enum NodeRole
{
    /// <summary>Serves /api/v1 and the agents.</summary>
    Api,
    /// <summary>Fires policies and runs the loops.</summary>
    Loops,
    /// <summary>Serves the console's pages.</summary>
    Console,
}

/// <summary>This node.</summary>
public sealed record NodeOptions : IChecked
{
    /// <summary>Its name among the nodes; empty for the machine's name.</summary>
    public string Name { get; init; } = "";

    /// <summary>What it does. The console needs the program that has it.</summary>
    public IReadOnlyList<NodeRole> Roles { get; init; } = [NodeRole.Api, NodeRole.Loops, NodeRole.Console];

    /// <summary>How repository work is given to hosts with the role mover; the same on all nodes.</summary>
    public PlacementStrategy Placement { get; init; } = PlacementStrategy.LeastConnections;

    /// <summary>Whether it has the role.</summary>
    public bool Is(NodeRole role) => Roles.Contains(role);

    /// <summary>The name, or the machine's.</summary>
    public string NameOrMachine => Name.Length > 0 ? Name : Environment.MachineName;

    public IEnumerable<string> Problems()
    {
        if (Roles.Count == 0) yield return "Node:Roles is empty; a node has at least one of Api, Loops, Console.";
    }
}

/// <summary>How repositories are read back.</summary>
public sealed record ChecksOptions
{
    /// <summary>Whether the unmodified restic program looks through each repository once a week, where the host that checks it has
    /// it.</summary>
    public bool WithRestic { get; init; } = true;
}

/// <summary>How the log is written.</summary>
public enum LogFormat
{
    /// <summary>One line an event, for people.</summary>
    Text,
    /// <summary>One JSON object an event, for machines.</summary>
    Json,
}

/// <summary>The node's own log, on standard output.</summary>
public sealed record LogOptions
{
    /// <summary>Least level: Trace, Debug, Information, Warning, Error.</summary>
    public LogLevel Level { get; init; } = LogLevel.Information;

    /// <summary>Text or Json.</summary>
    public LogFormat Format { get; init; } = LogFormat.Text;
}
