using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Proof;

namespace BackupDr.Web.Items;

/// <summary>The order of a list of items, as the address names it: "worst", or "-worst" for the other way round. Pure.</summary>
public sealed class ItemSort
{
    static readonly Dictionary<string, Func<Item, DateTimeOffset, IComparable?>> Keys = new(StringComparer.Ordinal)
    {
        ["item"] = (item, _) => item.Name,
        ["state"] = (item, _) => ItemStates.Rank(item.State),
        ["policy"] = (item, _) => item.PolicyName,
        ["now"] = (item, now) => item.NewestMoment is { } at ? (at - now) / item.Rpo : double.NegativeInfinity,
        ["worst"] = (item, _) => item.AchievedRpo is { } worst ? -(worst / item.Rpo) : double.NegativeInfinity,
        ["rto"] = (item, _) => item.RestoreEstimate is { } estimate ? -(estimate.Time / item.Rto) : double.NegativeInfinity,
        ["proof"] = (item, _) => item.LastProofAt ?? DateTimeOffset.MinValue,
        ["size"] = (item, _) => -item.Bytes,
    };

    readonly string _key;
    readonly bool _isReversed;

    ItemSort(string key, bool isReversed) => (_key, _isReversed) = (key, isReversed);

    /// <summary>Reads it; what is none is the order by state, which begins with what needs somebody.</summary>
    public static ItemSort Of(string? text) => text?.TrimStart('-') is { } key && Keys.ContainsKey(key)
        ? new ItemSort(key, text[0] == '-') : new ItemSort("state", false);

    /// <summary>The items in this order, those that are equal in it by their names. Each begins with what misses its objective most, or is
    /// oldest, or largest.</summary>
    public IReadOnlyList<Item> Sorted(IEnumerable<Item> items, DateTimeOffset now)
    {
        var of = Keys[_key];
        var sorted = _isReversed ? items.OrderByDescending(item => of(item, now)) : items.OrderBy(item => of(item, now));
        return [.. sorted.ThenBy(item => item.Name, StringComparer.Ordinal).ThenBy(item => item.Id.Value)];
    }

    /// <summary>The address of the list in the order of a column, or the other way round where it has it already.</summary>
    public string Url(string key) => $"/items?tab=protected&sort={(key == _key && !_isReversed ? "-" : "")}{key}";

    /// <summary>For the column's heading; null where another column decides.</summary>
    public string? Aria(string key) => key != _key ? null : _isReversed ? "descending" : "ascending";
}
