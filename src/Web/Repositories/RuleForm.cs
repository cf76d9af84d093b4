using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Storage;

namespace BackupDr.Web.Repositories;

/// <summary>The fields of a location's lock and classes as a form posts them.</summary>
public sealed class RuleForm
{
    /// <summary>What stands for a class that is typed.</summary>
    public const string Other = "other";

    public string? LockDays { get; set; }
    public string? LockMode { get; set; }
    public string? TierClass { get; set; }
    public string? OtherClass { get; set; }
    public string? AfterDays { get; set; }

    /// <summary>Fields filled with what a location has.</summary>
    public static RuleForm Of(Location location) => new()
    {
        LockDays = location.Lock?.Days.ToString(CultureInfo.InvariantCulture),
        LockMode = location.Lock?.Mode.ToString(),
        TierClass = location.Tier is not { } rule ? null
            : Classes(location.Kind).Any(terms => terms.Class == rule.Class) ? rule.Class : Other,
        OtherClass = location.Tier?.Class,
        AfterDays = location.Tier?.AfterDays.ToString(CultureInfo.InvariantCulture),
    };

    /// <summary>The classes that a kind of place is known to have.</summary>
    public static IReadOnlyList<ClassTerms> Classes(LocationKind kind) => kind switch
    {
        LocationKind.S3 => ClassTerms.OfS3,
        LocationKind.Azure => ClassTerms.OfAzure,
        _ => [],
    };

    /// <summary>The lock; null where none was filled in.</summary>
    /// <exception cref="BadInputException">The days are no number.</exception>
    public LocationLock? Lock() => LockDays?.Trim() is not { Length: > 0 } text ? null
        : new LocationLock(Number("lock", text), LockMode == nameof(Contracts.Specs.LockMode.Compliance)
            ? Contracts.Specs.LockMode.Compliance : Contracts.Specs.LockMode.Governance);

    /// <summary>The rule about classes; null where none was chosen.</summary>
    /// <exception cref="BadInputException">The days are no number.</exception>
    public TierRule? Tier() => (TierClass == Other ? OtherClass : TierClass)?.Trim() is not { Length: > 0 } named ? null
        : new TierRule(named, AfterDays?.Trim() is { Length: > 0 } text ? Number("tier", text) : 30);

    static int Number(string field, string text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var days) ? days
            : throw new BadInputException(field, $"'{text}' is no whole number of days.", "For example 30.");
}
