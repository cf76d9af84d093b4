namespace BackupDr.Engine.Garbage;

/// <summary>The three rules that the proof of the collector rests on. A test takes one away to see that the simulator finds it.</summary>
sealed record GarbageRules
{
    /// <summary>A writer counts a blob as there only if some pack without a mark has it.</summary>
    public bool WritersHeedMarks { get; init; } = true;
    /// <summary>A sweep waits until everybody is gone who was at work when the mark was made.</summary>
    public bool SweepAwaitsWitnesses { get; init; } = true;
    /// <summary>A sweep lists the snapshots again.</summary>
    public bool SweepReadsSnapshotsAgain { get; init; } = true;
}
