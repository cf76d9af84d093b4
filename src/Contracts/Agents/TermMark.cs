namespace BackupDr.Contracts.Agents;

/// <summary>A term of an installation's control plane, as nodes tell it to agents, and agents to other nodes.</summary>
/// <param name="Term">From 1; raised by each rebuild. 0 where an agent was told none yet.</param>
/// <param name="Seal">Made with the recovery key, which all control planes of an installation share and agents do not have: no host can
/// end a control plane by naming a term that never began. Empty with 0.</param>
public sealed record TermMark(long Term, string Seal)
{
    /// <summary>Of an agent that was told none yet.</summary>
    public static TermMark None { get; } = new(0, "");
}
