using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Objectives;
using BackupDr.Contracts.Rules.Proof;

namespace BackupDr.Web.Parts;

/// <summary>A day of an item, or the worst of a policy's items.</summary>
/// <param name="State">The worst state of it; null where nobody looked.</param>
/// <param name="Words">The same in words, with the reason.</param>
/// <param name="Runs">The page with the runs of that day.</param>
public readonly record struct StateCell(ItemState? State, string Words, string Runs);

/// <summary>A row of the map.</summary>
public sealed record StateRow(string Name, string Url, string? Under, IReadOnlyList<StateCell> Cells)
{
    /// <summary>"28 days proven, 2 broken": what the row says to who does not see it.</summary>
    public string Summary => string.Join(", ", Cells.GroupBy(cell => StateMap.Word(cell.State))
        .Select(same => $"{Words.Count(same.Count(), "day")} {same.Key.ToLowerInvariant()}"));
}

/// <summary>30 days of items or policies, one cell a day: the worst state of that day. Pure.</summary>
public sealed class StateMap
{
    /// <summary>Most items that have rows of their own on a page; where there are more, policies have.</summary>
    public const int MostItems = 12;

    /// <summary>Most rows.</summary>
    public const int MostRows = 40;

    const int LongestReason = 160;

    StateMap(IReadOnlyList<DateOnly> days, IReadOnlyList<StateRow> rows, int left, bool isOfPolicies)
        => (Days, Rows, Left, IsOfPolicies) = (days, rows, left, isOfPolicies);

    /// <summary>The days, oldest first; the last one is today.</summary>
    public IReadOnlyList<DateOnly> Days { get; }

    /// <summary>The worst now first.</summary>
    public IReadOnlyList<StateRow> Rows { get; }

    /// <summary>Rows that are not shown.</summary>
    public int Left { get; }

    /// <summary>Whether each row is a policy.</summary>
    public bool IsOfPolicies { get; }

    /// <summary>A row for each item, or where there are too many of them for each policy.</summary>
    /// <param name="items">The items.</param>
    /// <param name="days">What is known of their days.</param>
    /// <param name="now">Now: the present state counts for today.</param>
    public static StateMap Of(IReadOnlyList<Item> items, IReadOnlyList<ItemDay> days, DateTimeOffset now)
    {
        var first = AchievedRpo.FirstDay(now);
        DateOnly[] axis = [.. Enumerable.Range(0, (int)AchievedRpo.Window.TotalDays).Select(first.AddDays)];
        var known = days.ToDictionary(day => (day.Item, day.Day));
        var sorted = items.OrderBy(item => ItemStates.Rank(item.State)).ThenBy(item => item.Name, StringComparer.Ordinal).ToList();
        var isOfPolicies = items.Count > MostItems;
        var rows = isOfPolicies
            ? sorted.GroupBy(item => item.Policy).Select(group => OfPolicy([.. group], axis, known)).ToList()
            : [.. sorted.Select(item => new StateRow(item.Name, $"/items/{item.Id}", null, [.. axis.Select(day
                => Cell(day, axis[^1], item, known.GetValueOrDefault((item.Id, day)), $"item={item.Id}"))]))];
        return new StateMap(axis, [.. rows.Take(MostRows)], Math.Max(0, rows.Count - MostRows), isOfPolicies);
    }

    static StateRow OfPolicy(List<Item> items, DateOnly[] axis, Dictionary<(ItemId, DateOnly), ItemDay> known)
        => new(items[0].PolicyName, $"/policies/{items[0].Policy}", Words.Count(items.Count, "item"), [.. axis.Select(day =>
        {
            var of = $"policy={items[0].Policy}";
            var cells = items.Select(item => (item.Name, Cell: Cell(day, axis[^1], item, known.GetValueOrDefault((item.Id, day)), of)))
                .Where(one => one.Cell.State is not null).ToList();
            if (cells.Count == 0) return new StateCell(null, $"{Name(day)}: nothing was recorded", Runs(of, day));
            var worst = cells.Select(one => one.Cell.State!.Value).MinBy(ItemStates.Rank);
            var those = cells.Where(one => one.Cell.State == worst).Select(one => one.Name).ToList();
            return new StateCell(worst, $"{Name(day)}: {Word(worst)}, {those.Count} of {Words.Count(cells.Count, "item")}: "
                + $"{string.Join(", ", those.Take(3))}{(those.Count > 3 ? " and more" : "")}", Runs(of, day));
        })]);

    static StateCell Cell(DateOnly day, DateOnly today, Item item, ItemDay? known, string of)
    {
        var state = day == today ? ItemStates.Worse(known?.State, item.State) : known?.State;
        if (state is null) return new StateCell(null, $"{Name(day)}: nothing was recorded", Runs(of, day));
        var reason = known is not null && state == known.State ? known.Reason : item.StateReason;
        if (reason?.Length > LongestReason) reason = reason[..LongestReason] + "…";
        return new StateCell(state, $"{Name(day)}: {Word(state)}. {reason}".TrimEnd(), Runs(of, day));
    }

    static string Runs(string of, DateOnly day) => $"/jobs?{of}&day={day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}";

    /// <summary>"Sat 21 Nov".</summary>
    public static string Name(DateOnly day) => day.ToString("ddd d MMM", CultureInfo.InvariantCulture);

    /// <summary>The word of a state.</summary>
    public static string Word(ItemState? state) => state is { } some ? Tones.Of(some).Word : "Not recorded";

    /// <summary>How a cell looks; its shape differs as well as its colour.</summary>
    public static string Look(ItemState? state) => state switch
    {
        ItemState.Proven => "h-proven",
        ItemState.Unproven => "h-unproven",
        ItemState.Incomplete => "h-incomplete",
        ItemState.Overdue => "h-overdue",
        ItemState.Failed => "h-broken",
        ItemState.Unknown => "h-unknown",
        ItemState.New => "h-new",
        ItemState.Off => "h-off",
        _ => "h-none",
    };
}
