using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using Host = BackupDr.Contracts.Api.Host;

namespace BackupDr.Scheduler.Health;

/// <summary>Can we restore? One sentence, from the age of what was proven.</summary>
public sealed class ShowSafety(Postgres db, ListItems listItems, ListHosts listHosts)
{
    /// <summary>Answers.</summary>
    public async Task<Safety> Handle(Caller caller, ShowSafetyRequest request, CancellationToken ct)
    {
        caller.MustSomewhere(Right.SafetyRead);
        return await Of(await listItems.Handle(caller, new ListItemsRequest(), ct),
            await listHosts.Handle(caller, new ListHostsRequest(), ct), ct);
    }

    /// <summary>The same for a page that has read items and hosts already.</summary>
    public async Task<Safety> Of(IReadOnlyList<Item> items, IReadOnlyList<Host> hosts, CancellationToken ct)
    {
        var now = await db.Scalar<DateTimeOffset>("select clock()", [], ct);
        return SafetyRule.Of(items, now) with
        {
            NextRunAt = await PolicyTable.NextRunAt(db, ct),
            Hosts = hosts.Count(host => host.State is not (HostState.Retired or HostState.Waiting)),
            HostsOnline = hosts.Count(host => host.State == HostState.Online),
        };
    }
}

/// <summary>The answer of the home page. Pure.</summary>
public static class SafetyRule
{
    const int MostReasons = 3;

    /// <summary>Unknown before No before Mostly before Yes: the worst that is true.</summary>
    public static Safety Of(IReadOnlyList<Item> all, DateTimeOffset now)
    {
        var items = all.Where(item => item.State != ItemState.Off).ToList();
        var proven = items.Count(item => item.State == ItemState.Proven);
        var unknown = items.Where(item => item.State == ItemState.Unknown).ToList();
        var broken = items.Where(item => item.State is ItemState.Overdue or ItemState.Failed).ToList();
        var rest = items.Where(item => item.State is ItemState.Incomplete or ItemState.Unproven or ItemState.New).ToList();
        var (answer, sentence) = (items.Count, unknown.Count, broken.Count, rest.Count) switch
        {
            (0, _, _, _) => (SafetyAnswer.Empty, "Nothing is protected yet."),
            (_, > 0, _, _) => (SafetyAnswer.Unknown, $"We do not know. {Count(unknown.Count, "item")} cannot be judged because its host "
                + $"is silent: {Names(unknown)}."),
            (_, _, > 0, _) => (SafetyAnswer.No, $"No. {broken.Count} of {Count(items.Count, "item")} cannot be restored inside "
                + $"{(broken.Count == 1 ? "its" : "their")} objective: {Names(broken)}."),
            (1, _, _, > 0) => (SafetyAnswer.Mostly, $"Mostly. The one protected item is not proven: {Names(rest)}."),
            (_, _, _, > 0) => (SafetyAnswer.Mostly, $"Mostly. {proven} of {Count(items.Count, "item")} {(proven == 1 ? "is" : "are")} "
                + $"proven; {Names(rest)} {(rest.Count == 1 ? "is" : "are")} not."),
            _ => (SafetyAnswer.Yes, items.Count == 1 ? "Yes. The one protected item can be restored."
                : $"Yes. All {items.Count} items can be restored."),
        };
        return new Safety
        {
            Answer = answer,
            Sentence = sentence,
            Items = items.Count,
            Proven = proven,
            AsOf = now,
            Reasons = [.. unknown.Concat(broken).Concat(rest).Take(MostReasons)
                .Select(item => new SafetyReason(item.Id, item.Name, item.State, item.StateReason))],
            OldestProofAt = items.Where(item => item.State == ItemState.Proven).Min(item => item.LastProofAt),
            LargestLoss = items.Where(item => item.LastPointAt is not null).Select(item => (TimeSpan?)(now - item.LastPointAt!.Value))
                .Max(),
        };
    }

    static string Count(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";

    static string Names(List<Item> items) => string.Join(", ", items.Take(MostReasons).Select(item => item.Name))
        + (items.Count > MostReasons ? $" and {items.Count - MostReasons} more" : "");
}
