namespace BackupDr.Contracts.Specs;

/// <summary>How strictly a store keeps what is locked.</summary>
public enum LockMode
{
    /// <summary>Persons with a special right may lift it.</summary>
    Governance,
    /// <summary>Nobody can lift or shorten it.</summary>
    Compliance,
}

/// <summary>Object lock: what is put into a location cannot be deleted for some days, but for repository locks and our own notes.</summary>
/// <param name="Days">1 to <see cref="MostDays"/>, from the put on.</param>
/// <param name="Mode">How strictly.</param>
public sealed record LocationLock(int Days, LockMode Mode = LockMode.Governance)
{
    /// <summary>Most days.</summary>
    public const int MostDays = 36_500;
}

/// <summary>Packs with nothing but the content of files move into another class when they are old enough.</summary>
/// <param name="Class">The store's word: "STANDARD_IA", "Archive".</param>
/// <param name="AfterDays">Least days since a pack was stored, or moved last; 0 to <see cref="MostDays"/>.</param>
public sealed record TierRule(string Class, int AfterDays)
{
    /// <summary>Most days.</summary>
    public const int MostDays = 36_500;
}

/// <summary>That archived packs may be thawed, which costs.</summary>
/// <param name="Days">Days that they stay readable at least, 1 to <see cref="MostDays"/>. Azure moves them for good.</param>
/// <param name="PriceOfGiB">For the estimate; null for a list price.</param>
public sealed record ThawConsent(int Days = 7, double? PriceOfGiB = null)
{
    /// <summary>Most days.</summary>
    public const int MostDays = 3_650;
}
