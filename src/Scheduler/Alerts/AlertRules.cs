using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Proof;

namespace BackupDr.Scheduler.Alerts;

/// <summary>What is known of an item when alerts are looked for; times by the database's clock.</summary>
public sealed record WatchedItem
{
    /// <summary>The item.</summary>
    public required Item Item { get; init; }
    /// <summary>When a proof no longer counts.</summary>
    public required TimeSpan ProofAge { get; init; }
    /// <summary>Whether its policy makes test restores by itself.</summary>
    public bool WantsProof { get; init; } = true;
    /// <summary>When it got its first complete point; null before.</summary>
    public DateTimeOffset? FirstPointAt { get; init; }
    /// <summary>Its newest backup that ended.</summary>
    public RunId? Backup { get; init; }
    /// <summary>How that ended.</summary>
    public RunState? BackupState { get; init; }
    /// <summary>Why it failed.</summary>
    public string? BackupProblem { get; init; }
    /// <summary>The code of that.</summary>
    public string? BackupCode { get; init; }
    /// <summary>The newest test restore that said something.</summary>
    public RunId? Drill { get; init; }
    /// <summary>Whether a check found what is stored of it damaged.</summary>
    public bool IsDamaged { get; init; }
    /// <summary>What the receiver of its log says; null where all is well, or there is none.</summary>
    public string? LogAlarm { get; init; }
    /// <summary>Whether a log is to be received.</summary>
    public bool ReceivesLog { get; init; }
    /// <summary>When the receiver last spoke.</summary>
    public DateTimeOffset? LogReportedAt { get; init; }
    /// <summary>Where its backups go.</summary>
    public LocationId Location { get; init; }
    /// <summary>The name of that.</summary>
    public string LocationName { get; init; } = "";
}

/// <summary>A host.</summary>
public sealed record WatchedHost(HostId Id, string Name, HostState State, DateTimeOffset? LastSeenAt);

/// <summary>A further place of a repository that could not be made equal.</summary>
public sealed record WatchedReplica(LocationId Location, string LocationName, string Problem);

/// <summary>Everything that is looked at, at one moment.</summary>
public sealed record AlertFacts(IReadOnlyList<WatchedItem> Items, IReadOnlyList<WatchedHost> Hosts, IReadOnlyList<WatchedReplica> Replicas,
    DateTimeOffset Now);

/// <summary>Which alerts there are to be. Pure: the same facts give the same alerts, whoever looks.</summary>
public static class AlertRules
{
    /// <summary>How long an agent may be silent before people are told: a restart or an upgrade takes less.</summary>
    public static readonly TimeSpan SilentLimit = TimeSpan.FromMinutes(3);

    /// <summary>How long the receiver of a log may say nothing.</summary>
    public static readonly TimeSpan LogLimit = TimeSpan.FromMinutes(5);

    /// <summary>How long an item may wait for its first test restore after its first complete point.</summary>
    public static readonly TimeSpan FirstDrillLimit = TimeSpan.FromDays(1);

    const string StoreCode = "store.";

    /// <summary>Kinds that these rules raise and clear; others are raised and cleared where they happen.</summary>
    public static readonly IReadOnlyList<AlertKind> Looked =
    [
        AlertKind.ItemOverdue, AlertKind.BackupFailed, AlertKind.BackupIncomplete, AlertKind.DrillFailed, AlertKind.DrillOverdue,
        AlertKind.AgentSilent, AlertKind.LocationUnreachable, AlertKind.LogStalled,
    ];

    /// <summary>All that are to be open. What follows from a silent host or a location that is away is not told again for each
    /// item.</summary>
    public static IReadOnlyList<RaisedAlert> Of(AlertFacts facts)
    {
        var (now, watched) = (facts.Now, facts.Items.Where(one => one.Item.State != ItemState.Off).ToList());
        var silent = facts.Hosts.Where(host => host.State == HostState.Silent && host.LastSeenAt is { } seen && now - seen > SilentLimit)
            .ToList();
        var silentIds = silent.Select(host => host.Id).ToHashSet();
        var awake = watched.Where(one => !silentIds.Contains(one.Item.Host)).ToList();
        var away = awake.Where(IsStoreFailure).GroupBy(one => one.Location).ToList();
        var awayItems = away.SelectMany(group => group).Select(one => one.Item.Id).ToHashSet();
        return
        [
            .. silent.Select(host => Silent(host, [.. watched.Where(one => one.Item.Host == host.Id)], now)),
            .. Locations(away, facts.Replicas, now),
            .. awake.SelectMany(one => OfItem(one, awayItems.Contains(one.Item.Id), now)),
        ];
    }

    static bool IsStoreFailure(WatchedItem one) => one.BackupState == RunState.Failed
        && one.BackupCode?.StartsWith(StoreCode, StringComparison.Ordinal) == true;

    static RaisedAlert Silent(WatchedHost host, IReadOnlyList<WatchedItem> items, DateTimeOffset now)
    {
        var (severity, effect, deadline) = Reach(items, now);
        return new RaisedAlert
        {
            Cause = $"host:{host.Id}",
            Kind = AlertKind.AgentSilent,
            Severity = severity,
            Title = $"The agent on {host.Name} is silent since {Time(host.LastSeenAt!.Value)}.",
            Effect = items.Count == 0 ? "Nothing is protected on it." : effect,
            Items = Named(items),
            DeadlineAt = deadline,
            Action = "Look whether the machine and its agent run.",
            ActionUrl = $"/agents/{host.Id}",
        };
    }

    static IEnumerable<RaisedAlert> Locations(List<IGrouping<LocationId, WatchedItem>> away, IReadOnlyList<WatchedReplica> replicas,
        DateTimeOffset now)
    {
        foreach (var group in away)
        {
            var items = group.ToList();
            var (severity, effect, deadline) = Reach(items, now);
            yield return Location(group.Key, items[0].LocationName, items[0].BackupProblem ?? "", severity, effect, deadline, Named(items));
        }
        foreach (var replica in replicas.DistinctBy(one => one.Location).Where(one => away.All(group => group.Key != one.Location)))
            yield return Location(replica.Location, replica.LocationName, replica.Problem, AlertSeverity.Warning,
                "What it should hold as well lies in fewer places than wanted; the other places are not affected.", null, []);
    }

    static RaisedAlert Location(LocationId id, string name, string problem, AlertSeverity severity, string effect, DateTimeOffset? deadline,
        IReadOnlyList<AlertItem> items) => new()
        {
            Cause = $"location:{id}",
            Kind = AlertKind.LocationUnreachable,
            Severity = severity,
            Title = $"The location {name} cannot be used: {problem}",
            Effect = effect,
            Items = items,
            DeadlineAt = deadline,
            Action = "Test the location, then its credentials.",
            ActionUrl = $"/storage/locations/{id}",
        };

    static IEnumerable<RaisedAlert> OfItem(WatchedItem one, bool isToldWithItsLocation, DateTimeOffset now)
    {
        var item = one.Item;
        if (item.State == ItemState.Overdue && !isToldWithItsLocation)
            yield return Of(one, "overdue", AlertKind.ItemOverdue, AlertSeverity.Broken, $"{item.Name} is behind its objective.",
                (item.NewestMoment is { } newest ? $"A restore now would give the state of {Time(newest)}."
                    : "There is nothing that could be restored.")
                + (one.BackupState == RunState.Failed ? $" The last backup failed: {one.BackupProblem}" : ""), null,
                one.Backup is null ? "Look at its runs." : "Look at the last backup.", one.Backup is { } last ? $"/runs/{last}"
                    : $"/items/{item.Id}");
        else if (one.BackupState is RunState.Failed && !isToldWithItsLocation)
            yield return Of(one, "backup", AlertKind.BackupFailed, AlertSeverity.Warning, $"The last backup of {item.Name} failed.",
                $"{one.BackupProblem} {Inside(one)}".Trim(), Deadline(one), "Look at the run.", $"/runs/{one.Backup}");
        else if (one.BackupState is RunState.Incomplete)
            yield return Of(one, "backup", AlertKind.BackupIncomplete, AlertSeverity.Warning,
                $"The last backup of {item.Name} left something out.",
                $"An incomplete recovery point does not count for the objective. {Inside(one)}", Deadline(one), "Look at what is missing.",
                $"/runs/{one.Backup}");
        if (item.State == ItemState.Failed)
            yield return one.IsDamaged
                ? Of(one, "proof", AlertKind.DrillFailed, AlertSeverity.Broken, $"What is stored of {item.Name} is damaged.",
                    $"It is not sure that it can be restored. {item.StateReason}", null, "Look at its repository.",
                    $"/storage/{item.Repository}")
                : Of(one, "proof", AlertKind.DrillFailed, AlertSeverity.Broken, $"The last test restore of {item.Name} failed.",
                    $"It is not sure that it can be restored. {item.StateReason}".Trim(), null, "Look at the test restore.",
                    one.Drill is { } drill ? $"/runs/{drill}" : $"/items/{item.Id}");
        else if (ProofDue(one) is { } due && due < now)
            yield return Of(one, "proof", AlertKind.DrillOverdue, AlertSeverity.Warning, item.LastProofAt is not { } last
                ? $"{item.Name} was never test-restored." : last + one.ProofAge < now
                ? $"The last test restore of {item.Name} is too old to count."
                : $"The test restore of {item.Name} was due at {Time(item.DrillDueAt)}.",
                "That it can be restored is believed, not known.", null, "Test-restore its newest point.",
                item.LastPoint is { } point ? $"/points/{point}" : $"/items/{item.Id}");
        if (one.LogAlarm is { } alarm || one is { ReceivesLog: true, LogReportedAt: { } told } && (alarm = "Its receiver says nothing.")
            is not null && now - told > LogLimit)
            yield return Of(one, "log", AlertKind.LogStalled, AlertSeverity.Warning,
                $"The log of {item.Name} is not stored as it is written.",
                $"{alarm} {Inside(one)}", Deadline(one), "Look at its log.", $"/items/{item.Id}");
    }

    static RaisedAlert Of(WatchedItem one, string about, AlertKind kind, AlertSeverity severity, string title, string effect,
        DateTimeOffset? deadline, string action, string url) => new()
        {
            Cause = $"item:{one.Item.Id}:{about}",
            Kind = kind,
            Severity = severity,
            Title = title,
            Effect = effect,
            Items = Named([one]),
            DeadlineAt = deadline,
            Action = action,
            ActionUrl = url,
        };

    static DateTimeOffset? ProofDue(WatchedItem one) => !one.WantsProof && one.Item.LastProofAt is null ? null
        : one.Item.LastProofAt is { } proof ? Earlier(proof + one.ProofAge,
            one.Item.DrillDueAt is { } due ? ItemStates.DrillOverdueAt(proof, due - proof) : null)
        : one.FirstPointAt is { } first ? first + (one.ProofAge < FirstDrillLimit ? one.ProofAge : FirstDrillLimit) : null;

    static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset? other) => other < one ? other.Value : one;

    /// <summary>When its objective breaks if nothing more comes.</summary>
    static DateTimeOffset? Deadline(WatchedItem one) => one.Item.NewestMoment is { } newest ? newest + one.Item.Rpo : null;

    static string Inside(WatchedItem one) => Deadline(one) is { } deadline ? $"Its objective holds until {Time(deadline)}."
        : "It has no complete recovery point yet.";

    /// <summary>What a common cause means for several items.</summary>
    static (AlertSeverity Severity, string Effect, DateTimeOffset? Deadline) Reach(IReadOnlyList<WatchedItem> items, DateTimeOffset now)
    {
        var late = items.Count(one => Deadline(one) is not { } deadline || deadline < now);
        var next = items.Select(Deadline).Where(deadline => deadline >= now).Min();
        return (late > 0 ? AlertSeverity.Broken : AlertSeverity.Warning, (late, items.Count) switch
        {
            (0, _) => $"{Count(items.Count)} still inside {(items.Count == 1 ? "its objective" : "their objectives")} until {Time(next)}.",
            var (some, all) when some == all => $"{Count(all)} behind {(all == 1 ? "its objective" : "their objectives")}.",
            _ => $"{late} of {items.Count} items are behind their objectives, the next from {Time(next)} on.",
        }, next);
    }

    static string Count(int items) => items == 1 ? "1 item is" : $"{items} items are";

    static AlertItem[] Named(IReadOnlyList<WatchedItem> items) => [.. items.Select(one => new AlertItem(one.Item.Id, one.Item.Name))];

    static string Time(DateTimeOffset? at) => at?.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture) ?? "never";
}
