using System.Text.Json.Serialization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent;

/// <summary>The folder in which an agent keeps what must outlive it. Owned by the agent's user, mode 0700.</summary>
/// <param name="folder">Absolute path.</param>
public sealed class AgentState(string folder)
{
    /// <summary>Where it is unless told otherwise.</summary>
    public const string DefaultFolder = "/var/lib/backupdr-agent";

    /// <summary>The folder.</summary>
    public string Folder { get; } = Path.GetFullPath(folder);
    /// <summary>Held while an agent runs.</summary>
    public string LockFile => Path.Combine(Folder, "lock");
    /// <summary>Who we are and where the nodes are.</summary>
    public string MembershipFile => Path.Combine(Folder, "agent.json");
    /// <summary>Private key, PEM, 0600.</summary>
    public string KeyFile => Path.Combine(Folder, "agent.key");
    /// <summary>Certificate, PEM.</summary>
    public string CertificateFile => Path.Combine(Folder, "agent.crt");
    /// <summary>The authority's certificate, PEM.</summary>
    public string AuthorityFile => Path.Combine(Folder, "authority.crt");
    /// <summary>Where drills restore to; emptied at every start.</summary>
    public string SandboxFolder => Path.Combine(Folder, "sandbox");

    /// <summary>Log of clusters that was received and is not stored yet, a folder for each item.</summary>
    public string JournalFolder => Path.Combine(Folder, "journal");

    /// <summary>What runbooks wanted of this host, and what came of it.</summary>
    public string StepsFolder => Path.Combine(Folder, "steps");

    /// <summary>What this host may do while no node is reachable, and what it did then.</summary>
    public string AloneFolder => Path.Combine(Folder, "alone");

    /// <summary>What may be deleted at any time: indexes of repositories.</summary>
    public string CacheFolder => Path.Combine(Folder, "cache");

    /// <summary>Makes the folder.</summary>
    /// <exception cref="BadInputException">It cannot be made.</exception>
    public void Make()
    {
        try { Directory.CreateDirectory(Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("state",
            $"The state folder {Folder} cannot be made: {e.Message}", "Run as root, or give a folder of your own with --state.");
        }
    }
}

/// <summary>Which installation this host belongs to.</summary>
/// <param name="Host">Our id there.</param>
/// <param name="HostName">Our name there; also the host name of snapshots.</param>
/// <param name="Urls">Addresses of the agents' listeners, tried in turn: those that nodes told, then the one that joining used.</param>
/// <param name="Told">How many of them nodes told.</param>
/// <param name="Mark">The mark of the list that nodes told; empty for none yet.</param>
/// <param name="Term">The highest term of a control plane that a node told; null for none yet.</param>
public sealed record Membership(HostId Host, string HostName, IReadOnlyList<string> Urls, int Told = 0, string Mark = "",
    TermMark? Term = null)
{
    /// <summary>The same with the list that a node told now.</summary>
    /// <param name="told">Addresses of the agents' listeners; what is no https address is left out.</param>
    /// <param name="mark">The list's mark.</param>
    public Membership With(IReadOnlyList<string> told, string mark)
    {
        string[] now = [.. told.Where(url => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps)
            .Select(url => new Uri(url).ToString()).Distinct(StringComparer.Ordinal)];
        // What brought us here stays as the last resort: the nodes' own addresses may not be reachable from this network.
        string[] others = [.. Urls.Skip(Told).Except(now, StringComparer.Ordinal)];
        return this with { Urls = [.. now, .. others], Told = now.Length, Mark = mark };
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(Membership))]
sealed partial class StateJson : JsonSerializerContext;
