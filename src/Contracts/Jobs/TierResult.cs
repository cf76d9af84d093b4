namespace BackupDr.Contracts.Jobs;

/// <summary>What was moved into cooler classes.</summary>
public sealed record TierResult
{
    /// <summary>One for each place whose location has a rule.</summary>
    public IReadOnlyList<TieredPlaceResult> Places { get; init; } = [];
    /// <summary>Seconds from start to end.</summary>
    public double Seconds { get; init; }
}

/// <summary>What was moved at one place. Sizes in stored bytes.</summary>
public sealed record TieredPlaceResult
{
    /// <summary>The location.</summary>
    public required LocationId Location { get; init; }
    /// <summary>The class that packs move to.</summary>
    public required string Class { get; init; }
    /// <summary>Why it was not done; null where it was.</summary>
    public string? Problem { get; init; }
    /// <summary>Packs moved.</summary>
    public int Moved { get; init; }
    /// <summary>Their bytes.</summary>
    public long MovedBytes { get; init; }
    /// <summary>Packs that lie in the class already.</summary>
    public int There { get; init; }
    /// <summary>Packs that are younger than the rule asks for.</summary>
    public int Young { get; init; }
    /// <summary>Packs that stay because the days that their class charges at least are not over.</summary>
    public int Early { get; init; }
    /// <summary>Packs that stay because they would have to be thawed first.</summary>
    public int Archived { get; init; }
    /// <summary>Packs with folders in them, which are never moved.</summary>
    public int WithFolders { get; init; }
}
