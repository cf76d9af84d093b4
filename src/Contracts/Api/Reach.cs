namespace BackupDr.Contracts.Api;

/// <summary>GET repositories/{id}/reach: who can read a repository, and who can delete in it.</summary>
public sealed record ShowRepositoryReachRequest(RepositoryId Id);

/// <summary>As what somebody reaches a repository.</summary>
public enum ReachAs
{
    /// <summary>The host whose backups go into it, or whose agent reaches an adopted one.</summary>
    Host,
    /// <summary>A host that is given repository work.</summary>
    Mover,
    /// <summary>A host that a policy names for drills.</summary>
    DrillHost,
    /// <summary>Stock restic, as the repository's own user of the gateway.</summary>
    GatewayUser,
    /// <summary>The nodes of the control plane.</summary>
    Nodes,
}

/// <summary>Somebody who reaches a repository.</summary>
/// <param name="As">As what.</param>
/// <param name="Host">The host, where it is one.</param>
/// <param name="Name">As people call it.</param>
/// <param name="CanDelete">Whether anything keeps it from deleting what is in the repository. It can read in any case.</param>
/// <param name="Why">How it comes to that, a sentence without its end.</param>
public sealed record RepositoryReach(ReachAs As, HostId? Host, string Name, bool CanDelete, string Why);
