using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Database;
using BackupDr.Storage;
using BackupDr.Storage.Probing;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Object lock and storage classes of a location: what is taken, and how it is kept.</summary>
public sealed partial class LocationRules(TimeProvider clock)
{
    /// <summary>Of a location l.</summary>
    internal const string Columns = "l.lock_days, l.lock_mode, l.tier_class, l.tier_after_days";

    [GeneratedRegex("^[A-Za-z0-9_.-]{1,64}$")]
    private static partial Regex ClassWord { get; }

    /// <summary>The lock of a row with <see cref="Columns"/>.</summary>
    internal static LocationLock? Lock(Row row)
        => row.IsNull("lock_days") ? null : new LocationLock(row.Int("lock_days"), row.Word<LockMode>("lock_mode"));

    /// <summary>The rule about classes of a row with <see cref="Columns"/>.</summary>
    internal static TierRule? Tier(Row row)
        => row.TextOrNull("tier_class") is { } named ? new TierRule(named, row.Int("tier_after_days")) : null;

    /// <summary>Options with which an agent opens the store, of a row with options and <see cref="Columns"/>.</summary>
    internal static IReadOnlyList<string> Options(Row row) => Lock(row) is not { } rule ? row.Texts("options")
        : [.. row.Texts("options"), FormattableString.Invariant($"s3.retention-days={rule.Days}"),
            $"s3.retention-mode={(rule.Mode == LockMode.Compliance ? "compliance" : "governance")}"];

    /// <summary>Checks what can be told without asking the store.</summary>
    /// <exception cref="BadInputException">The kind of place cannot, or a number or word is none.</exception>
    internal static void Check(LocationKind kind, LocationLock? rule, TierRule? tier)
    {
        if (rule is not null && kind != LocationKind.S3)
            throw new BadInputException("lock", $"A location of the kind {kind} has no object lock that we could set.", kind switch
            {
                LocationKind.Azure => "Set an immutability policy on the container, at the account.",
                LocationKind.Gateway => "Leave it out: through a gateway agents add, and delete nothing.",
                _ => "Choose a bucket that was made with object lock.",
            });
        if (rule is not null && (rule.Days is < 1 or > LocationLock.MostDays || !Enum.IsDefined(rule.Mode)))
            throw new BadInputException("lock", $"{rule.Days} days are no lock.", $"Write 1 to {LocationLock.MostDays} days.");
        if (tier is null) return;
        if (kind is not (LocationKind.S3 or LocationKind.Azure))
            throw new BadInputException("tier", $"A location of the kind {kind} has no storage classes.", "Buckets and containers have.");
        if (rule is not null)
            throw new BadInputException("tier", "Packs that are locked are not moved: a move writes a new version, and the old one would "
                + "stay in its class until its lock is over.",
                "Let a lifecycle rule of the bucket move what begins with PREFIX/HOST/data/: it moves in place.");
        if (tier.AfterDays is < 0 or > TierRule.MostDays)
            throw new BadInputException("tier", $"{tier.AfterDays} days are no age.", $"Write 0 to {TierRule.MostDays} days.");
        if (kind == LocationKind.Azure && ClassTerms.OfAzure.All(terms => terms.Class != tier.Class))
            throw new BadInputException("tier", $"Azure has no cooler tier '{tier.Class}'.",
                $"One of {string.Join(", ", ClassTerms.OfAzure.Select(terms => terms.Class))}.");
        if (!ClassWord.IsMatch(tier.Class))
            throw new BadInputException("tier", $"'{tier.Class}' is no word for a storage class.", "For example STANDARD_IA.");
    }

    /// <summary>Sees whether a place can lock, where this node can go there. Leaves an object of 64 bytes that is locked for a
    /// minute.</summary>
    /// <param name="address">The location's.</param>
    /// <param name="options">Its options.</param>
    /// <param name="authorityPem">Who may vouch for it.</param>
    /// <param name="variables">Its credentials; null where each machine has its own, of which the node need have none.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="BadInputException">It cannot.</exception>
    internal async Task MustLock(string address, IReadOnlyList<string> options, string? authorityPem,
        IReadOnlyDictionary<string, string>? variables, CancellationToken ct)
    {
        var given = new StoreOptions(options) { Retry = ProbeOptions.Impatient, Clock = clock, AuthorityPem = authorityPem };
        if (variables is not null) given = given with { Environment = name => variables.GetValueOrDefault(name) };
        await using var store = StoreFactory.Open(address, given);
        var (ability, result, sentence, advice, _) = await StoreProbe.RunLock(store,
            new ProbeOptions { TryLock = true, Clock = clock }, ct);
        if (result == ProbeResult.Works) return;
        // Not even a plain object could be put. With credentials of its own each agent may: its first put proves the lock, or fails.
        if (ability == ProbedAbility.Write && variables is null) return;
        throw new BadInputException("lock", $"Nothing can be locked there: {sentence}", ability == ProbedAbility.Write ? advice
            : advice ?? "Make a new bucket with object lock, and give s3:PutObjectRetention and s3:GetObjectRetention.");
    }
}
