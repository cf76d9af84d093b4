using System.Globalization;
using BackupDr.Agent.Clusters;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Sources.PostgreSql;

namespace BackupDr.Agent.Steps;

/// <summary>What runbooks want of a database server of this host.</summary>
static class DatabaseStep
{
    /// <summary>Does it.</summary>
    /// <exception cref="BackupDrException">It could not be done.</exception>
    public static async Task<HostStepReport> Run(HostDatabase database, TimeSpan limit, TimeProvider clock, CancellationToken ct)
    {
        var address = ClusterAddress.Of(database.Cluster);
        return database.Verb == DatabaseVerb.Promote
            ? Promoted(address, await ServerRole.Promote(address, limit, database.IsLossless, ct), clock)
            : Judge(database, await ServerRole.Ask(address, database.Query ?? "", limit, ct), clock);
    }

    /// <summary>Looks whether it could be done now.</summary>
    public static async Task<HostStepReport> Look(HostDatabase database, TimeProvider clock, CancellationToken ct)
    {
        var address = ClusterAddress.Of(database.Cluster);
        var standing = await ServerRole.Look(address, ct);
        if (database.Verb != DatabaseVerb.Promote)
            return new HostStepReport { State = HostStepState.Done, Text = $"{address} answers." };
        return new HostStepReport
        {
            State = standing is { IsStandby: true } ? HostStepState.Done : HostStepState.Failed,
            Text = standing switch
            {
                { IsStandby: false } => $"{address} is a primary: there is nothing to promote.",
                { IsReceiving: false } => $"{address} is a standby and receives nothing now; {Newest(standing, clock)}.",
                _ => $"{address} is a standby and follows; {Newest(standing, clock)}.",
            },
            Facts = Facts(standing, clock),
        };
    }

    static HostStepReport Promoted(ServerAddress address, ServerStanding before, TimeProvider clock) => new()
    {
        State = HostStepState.Done,
        Text = before.IsStandby ? $"{address} is the primary now; {Newest(before, clock)}." : $"{address} was a primary already.",
        Facts = Facts(before, clock),
    };

    static string Newest(ServerStanding standing, TimeProvider clock) => standing.ReplayedAt is { } at
        ? string.Create(CultureInfo.InvariantCulture, $"its newest transaction is of {at:yyyy-MM-dd HH:mm:ss} UTC, {Age(at, clock)} s ago")
        : "when its newest transaction was made is not known";

    static string Age(DateTimeOffset at, TimeProvider clock)
        => Math.Max(0, (clock.GetUtcNow() - at).TotalSeconds).ToString("0.0", CultureInfo.InvariantCulture);

    static Dictionary<string, string> Facts(ServerStanding standing, TimeProvider clock)
    {
        var facts = new Dictionary<string, string> { ["wasStandby"] = standing.IsStandby ? "true" : "false" };
        if (standing.ReplayedAt is not { } at) return facts;
        facts["newest"] = at.ToString("O", CultureInfo.InvariantCulture);
        facts["ageSeconds"] = Age(at, clock);
        if (standing.NotReplayedBytes is { } bytes) facts["notReplayedBytes"] = bytes.ToString(CultureInfo.InvariantCulture);
        return facts;
    }

    static HostStepReport Judge(HostDatabase database, string? value, TimeProvider clock)
    {
        var facts = new Dictionary<string, string> { ["value"] = value ?? "" };
        if (database.MaxAge is not { } allowed)
            return new HostStepReport
            {
                State = value is "t" or "true" ? HostStepState.Done : HostStepState.Failed,
                Text = value is "t" or "true" ? "It is so." : $"It is not so: the query gave '{value ?? "nothing"}' instead of true.",
                Facts = facts,
            };
        if (!DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var newest))
            return new HostStepReport
            {
                State = HostStepState.Failed,
                Text = $"The query gave '{value ?? "nothing"}', which is no time.",
                Facts = facts,
            };
        var age = clock.GetUtcNow() - newest;
        facts["newest"] = newest.ToString("O", CultureInfo.InvariantCulture);
        facts["ageSeconds"] = Age(newest, clock);
        return new HostStepReport
        {
            State = age <= allowed ? HostStepState.Done : HostStepState.Failed,
            Text = $"The newest is of {newest.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC, "
                + $"{Age(newest, clock)} s ago; allowed are {allowed.TotalSeconds.ToString("0", CultureInfo.InvariantCulture)} s.",
            Facts = facts,
        };
    }
}
