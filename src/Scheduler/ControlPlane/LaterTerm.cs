using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Scheduler.ControlPlane;

/// <summary>A later control plane of this installation, by which this one is an old one.</summary>
/// <param name="Own">Our term.</param>
/// <param name="Term">Its term.</param>
/// <param name="SeenIn">Where that was seen, for example "the location Far".</param>
/// <param name="SeenAt">When it was seen first.</param>
public sealed record LaterTerm(long Own, long Term, string SeenIn, DateTimeOffset SeenAt)
{
    /// <summary>What to do about it.</summary>
    public const string Way = "Use the newer one, and stop the nodes of this one.";

    /// <summary>What is so, in two sentences.</summary>
    public string Sentence => string.Create(CultureInfo.InvariantCulture, $"This control plane is of term {Own}, and term {Term} of this "
        + $"installation has begun: it was seen in {SeenIn} at {SeenAt.UtcDateTime:yyyy-MM-dd HH:mm} UTC. Nothing is started, removed or "
        + $"changed here any more.");

    /// <summary>For whoever wants something changed here.</summary>
    internal ConflictException Refusal() => new(AgentProtocol.Superseded, Sentence, Way);
}
