using BackupDr.Agent.Leasing;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Engine;

namespace BackupDr.Agent.Jobs;

/// <summary>What every kind of drill works with.</summary>
/// <param name="Repository">Open, to read.</param>
/// <param name="Run">The run.</param>
/// <param name="Job">What is restored.</param>
/// <param name="State">Of the agent; the sandbox is made there or named there.</param>
/// <param name="Looks">What the policy wants to know.</param>
/// <param name="Reporter">Told what happens.</param>
sealed record DrillScene(Repository Repository, RunId Run, DrillJob Job, AgentState State, DrillLooks Looks, RunReporter Reporter)
{
    /// <summary>Full id.</summary>
    public string SnapshotId => Job.SnapshotId;
    /// <summary>As people quote it.</summary>
    public string ShortId => SnapshotId[..8];
    /// <summary>Where copies of database servers are started unless their source names another folder.</summary>
    public static readonly FilePath UsualScratch = FilePath.FromText("/var/tmp");
}
