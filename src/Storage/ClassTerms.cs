namespace BackupDr.Storage;

/// <summary>What a storage class costs and demands, roughly: list prices in US dollars, without tax and traffic.</summary>
/// <remarks>Of AWS in us-east-1 and Azure in East US with local redundancy; days and hours from their documentation on storage classes and
/// access tiers. docs/operate/tiers.md repeats them. Other regions, and others with the same words for their classes, differ.</remarks>
/// <param name="Class">The store's word.</param>
/// <param name="MinimumDays">Days that are charged at least.</param>
/// <param name="MonthlyPrice">For one GiB and month.</param>
/// <param name="Thaw">How it is read again; null where it answers at once.</param>
public sealed record ClassTerms(string Class, int MinimumDays, double MonthlyPrice, ThawTerms? Thaw = null)
{
    static readonly ClassTerms[] Known =
    [
        new("STANDARD_IA", 30, 0.0125),
        new("ONEZONE_IA", 30, 0.01),
        new("GLACIER_IR", 90, 0.004),
        new("GLACIER", 90, 0.0036, new ThawTerms("3 to 5 hours", 0.01, 0.05)),
        new("DEEP_ARCHIVE", 180, 0.00099, new ThawTerms("up to 12 hours", 0.02, 0.10)),
        new("Cool", 30, 0.01),
        new("Cold", 90, 0.0036),
        new("Archive", 180, 0.002, new ThawTerms("up to 15 hours", 0.022, 0.55)),
    ];

    /// <summary>Those of S3.</summary>
    public static IReadOnlyList<ClassTerms> OfS3 { get; } = Known[..5];

    /// <summary>Those of Azure.</summary>
    public static IReadOnlyList<ClassTerms> OfAzure { get; } = Known[5..];

    /// <summary>The terms of a class; null where we know none.</summary>
    public static ClassTerms? Of(string storageClass) => Array.Find(Known, terms => terms.Class == storageClass);

    /// <summary>Days of the minimum that an object in this class has still to go, from 0.</summary>
    /// <param name="since">Since when it lies there.</param>
    /// <param name="now">The time.</param>
    public double DaysLeft(DateTimeOffset since, DateTimeOffset now) => Math.Max(0, MinimumDays - (now - since).TotalDays);
}

/// <summary>A thaw by the provider's standard way.</summary>
/// <param name="Time">How long it takes, in words.</param>
/// <param name="PriceOfGiB">US dollars for each GiB.</param>
/// <param name="PriceOfThousand">US dollars for each 1,000 requests.</param>
public sealed record ThawTerms(string Time, double PriceOfGiB, double PriceOfThousand);
