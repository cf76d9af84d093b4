namespace BackupDr.Contracts.Jobs;

/// <summary>Packs that a restore needs and that cannot be read before a thaw.</summary>
public sealed record ArchivedPacks
{
    /// <summary>Packs.</summary>
    public required int Packs { get; init; }
    /// <summary>Of these, packs whose thaw was asked for.</summary>
    public int Thawing { get; init; }
    /// <summary>Their bytes: a pack is thawed whole.</summary>
    public long Bytes { get; init; }
    /// <summary>The classes they lie in.</summary>
    public IReadOnlyList<string> Classes { get; init; } = [];
    /// <summary>How long a thaw takes, in words; null where we do not know the class.</summary>
    public string? Time { get; init; }
    /// <summary>Roughly what the thaw of those costs that were not asked for, in US dollars or the currency of the price; null where we
    /// know no price.</summary>
    public double? Cost { get; init; }
    /// <summary>All in words.</summary>
    public required string Words { get; init; }
}
