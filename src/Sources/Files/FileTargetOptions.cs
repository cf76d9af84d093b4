using BackupDr.Contracts.Specs;

namespace BackupDr.Sources.Files;

/// <summary>How a restore writes into a folder.</summary>
public sealed record FileTargetOptions
{
    /// <summary>What happens to what is there already.</summary>
    public OverwritePolicy Overwrite { get; init; } = OverwritePolicy.Never;
    /// <summary>False for a test restore that is thrown away: it need not wait for the disk.</summary>
    public bool IsDurable { get; init; } = true;
    /// <summary>Who owns what is restored.</summary>
    public OwnerRules Owners { get; init; } = OwnerRules.AsStored;
    /// <summary>Whether blocks of zeros become holes. Otherwise every byte is written, and a file occupies its whole length.</summary>
    public bool MakesHoles { get; init; } = true;
}
