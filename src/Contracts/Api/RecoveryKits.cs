namespace BackupDr.Contracts.Api;

/// <summary>GET recovery-kit: whether the kit that was written last still holds everything.</summary>
public sealed record ShowRecoveryKitRequest;

/// <summary>Whether somebody has, outside of this installation, what restores without it.</summary>
public sealed record RecoveryKitState
{
    /// <summary>When the last kit was written; null for never.</summary>
    public DateTimeOffset? WrittenAt { get; init; }
    /// <summary>Who asked for it.</summary>
    public string? WrittenBy { get; init; }
    /// <summary>Repositories that there are to restore from.</summary>
    public int Repositories { get; init; }
    /// <summary>What the last kit does not hold, a sentence for each repository; none where it is whole.</summary>
    public required IReadOnlyList<string> Lacks { get; init; }
}

/// <summary>POST recovery-kit: writes a new one. Audited.</summary>
public sealed record WriteRecoveryKitRequest;

/// <summary>Everything that restores without this installation, in clear.</summary>
/// <param name="FileName">For the file, for example "backupdr-recovery-kit-2026-11-21.txt".</param>
/// <param name="Text">To be printed, or kept in a password safe.</param>
public sealed record RecoveryKit(string FileName, string Text)
{
    /// <summary>Shows no secret.</summary>
    public override string ToString() => FileName;
}
