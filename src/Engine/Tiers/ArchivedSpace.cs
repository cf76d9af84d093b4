using System.Globalization;
using BackupDr.Storage;

namespace BackupDr.Engine.Tiers;

/// <summary>Packs that cannot be read before a thaw.</summary>
public sealed record ArchivedSpace
{
    /// <summary>Packs.</summary>
    public int Packs { get; init; }
    /// <summary>Of these, packs whose thaw was asked for already.</summary>
    public int Thawing { get; init; }
    /// <summary>Their bytes: a pack is thawed whole.</summary>
    public long Bytes { get; init; }
    /// <summary>How long a thaw takes, in words; null where we do not know the class.</summary>
    public string? Time { get; init; }
    /// <summary>Roughly what the thaw costs in the currency of the price; null where we know no price.</summary>
    public double? Cost { get; init; }
    /// <summary>The classes they lie in.</summary>
    public IReadOnlyList<string> Classes { get; init; } = [];

    /// <summary>"12 packs (1.2 GiB) in GLACIER; a thaw takes 3 to 5 hours and costs about 0.02 USD".</summary>
    /// <param name="size">Words for a number of bytes.</param>
    public string Words(Func<long, string> size)
    {
        var words = $"{Packs} {(Packs == 1 ? "pack" : "packs")} ({size(Bytes)}) in {string.Join(", ", Classes)}";
        if (Thawing > 0) words += $", {(Thawing == Packs ? "all" : Thawing)} asked for already";
        if (Time is not null) words += $"; a thaw takes {Time}";
        if (Cost is { } cost)
            words += string.Create(CultureInfo.InvariantCulture, $"{(Time is null ? "; a thaw" : " and")} costs about {cost:0.00} USD");
        return words;
    }

    internal static ArchivedSpace Of(IReadOnlyCollection<ArchivedPack> packs, double? priceOfGiB)
    {
        var terms = packs.Select(pack => (Pack: pack, ClassTerms.Of(pack.Class)?.Thaw)).ToList();
        double? cost = null;
        foreach (var (pack, thaw) in terms.Where(one => !one.Pack.IsThawing))
            if ((priceOfGiB ?? thaw?.PriceOfGiB) is { } price)
                cost = (cost ?? 0) + pack.Bytes / (double)(1 << 30) * price + (priceOfGiB is null ? thaw!.PriceOfThousand / 1000 : 0);
        return new ArchivedSpace
        {
            Packs = packs.Count,
            Thawing = packs.Count(pack => pack.IsThawing),
            Bytes = packs.Sum(pack => pack.Bytes),
            Classes = [.. packs.Select(pack => pack.Class).Distinct().Order(StringComparer.Ordinal)],
            Time = terms.Select(one => one.Thaw).OfType<ThawTerms>().MaxBy(thaw => thaw.PriceOfGiB)?.Time,
            Cost = cost,
        };
    }
}
