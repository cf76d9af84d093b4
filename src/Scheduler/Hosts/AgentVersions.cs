using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Scheduler.Hosts;

/// <summary>Which agents a node works with: those of its own protocol and of the one before.</summary>
static class AgentVersions
{
    /// <summary>Goes on with an agent that this node understands.</summary>
    /// <param name="protocol">What the agent speaks.</param>
    /// <param name="program">The agent's program version; empty where it does not say.</param>
    /// <exception cref="ConflictException">"agent.version": it is too old, or newer than this node.</exception>
    public static void Check(int protocol, string program)
    {
        if (protocol is <= AgentProtocol.Version and >= AgentProtocol.Version - 1 and >= 1) return;
        var who = program.Length is > 0 and <= 40 ? $"The agent {program}" : "The agent";
        throw protocol > AgentProtocol.Version
            ? new ConflictException("agent.version", $"{who} is newer than this node: it speaks protocol {protocol}, and the node "
                + $"{AgentProtocol.Version}.", "Bring the nodes to the agent's version first, or install the agent that this node offers.")
            : new ConflictException("agent.version", $"{who} is too old: it speaks protocol {protocol}, and this node "
                + $"{AgentProtocol.Version} and the one before.",
                "Install the agent that this node offers; what it protects stays as it is.");
    }
}
