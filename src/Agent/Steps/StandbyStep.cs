using System.Globalization;
using BackupDr.Agent.Clusters;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.Sources.PostgreSql;
using BackupDr.Sources.Tools;

namespace BackupDr.Agent.Steps;

/// <summary>Makes a standby of a server of this host that was a primary. Where its data is and which service it is stands in root's file.
/// </summary>
/// <param name="wanted">What the runbook says.</param>
/// <param name="place">What root says: data folder and service.</param>
/// <param name="systemctl">Talks to the service manager; gives its exit code and what it said.</param>
/// <param name="clock">The time.</param>
sealed class StandbyStep(HostStandby wanted, (string Data, string Unit) place,
    Func<IReadOnlyList<string>, CancellationToken, Task<(int Exit, IReadOnlyList<string> Lines)>> systemctl, TimeProvider clock)
{
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(500);

    readonly ServerAddress _own = ClusterAddress.Of(wanted.Cluster), _upstream = ClusterAddress.Of(wanted.From);

    /// <summary>What root says of a server: "host:port data-folder service".</summary>
    /// <exception cref="StepRefusedException">Nothing, or something else.</exception>
    public static (string Data, string Unit) PlaceOf(AllowedSteps allowed, HostStandby wanted)
    {
        var address = ClusterAddress.Of(wanted.Cluster);
        var entry = string.Create(CultureInfo.InvariantCulture, $"{address.Host}:{address.Port}");
        return allowed.Entry(AllowedSteps.Standbys, entry, "database server", "DATA-FOLDER SERVICE") is [var data, var unit]
            && data.StartsWith('/') && new HostUnit(unit, ServiceVerb.Start).IsUnit() ? (data, unit)
            : throw new StepRefusedException("step.not_listed",
                $"What {AllowedSteps.Standbys} says of {entry} is no data folder and service.",
                $"For example '{entry} /var/lib/postgresql/15/main postgresql@15-main.service'.");
    }

    /// <summary>Looks whether it could be done.</summary>
    public async Task<HostStepReport> Look(CancellationToken ct)
    {
        var rebuild = new StandbyRebuild(place.Data, _upstream, clock);
        if (rebuild.IsRunning)
            return await Standing(ct) switch
            {
                { IsStandby: false } => Failed($"{_own} takes writes: it is not fenced. Stop it, and what writes to it, first."),
                { IsReceiving: true } => Done($"{_own} is a standby already, and follows."),
                null => Failed($"A server runs in {place.Data}, and does not answer at {_own}."),
                _ => Done($"{_own} is a standby and follows nobody now."),
            };
        return Judge(await rebuild.Look(ct));
    }

    /// <summary>Does it.</summary>
    public async Task<HostStepReport> Run(CancellationToken ct)
    {
        var looked = await Look(ct);
        var rebuild = new StandbyRebuild(place.Data, _upstream, clock);
        if (looked.State != HostStepState.Done || (rebuild.IsRunning && await Standing(ct) is { IsReceiving: true })) return looked;
        if (rebuild.IsRunning) await Service("stop", ct);
        var own = await rebuild.Look(ct);
        if (Judge(own) is { State: not HostStepState.Done } refused) return refused;   // it was a standby, and nobody looked yet
        string? aside = null;
        if (wanted.Way == ReprotectWay.Copy) aside = await rebuild.Copy(ct);
        else if (own.Fork is not null) await rebuild.Rewind(ct);
        await Service("start", ct);
        while (await Standing(ct) is not { IsStandby: true, IsReceiving: true }) await Task.Delay(LookEvery, clock, ct);
        return Done($"{_own} is a standby of {_upstream} now, and follows.{(aside is null ? "" : $" What it was lies in {aside}.")}",
            own);
    }

    Task<ServerStanding?> Standing(CancellationToken ct) => ServerRole.TryLook(_own, ct);

    async Task Service(string verb, CancellationToken ct)
    {
        var (exit, lines) = await systemctl([verb, "--", place.Unit], ct);
        if (exit != 0) throw new StepRefusedException("step.service", $"systemctl {verb} {place.Unit} ended with {exit}: "
            + ToolProcess.LastOf(lines), "Look at the service's log on the host.");
    }

    HostStepReport Judge(OwnCommits own) => own switch
    {
        { Fork: null } => Done($"{place.Data} is on the timeline of {_upstream}: it only has to follow.", own),
        { Commits: 0 } => Done($"{place.Data} has nothing that {_upstream} has not.", own),
        _ when wanted.IsLossSeen => Done($"{place.Data} has {Words(own)} of its own, which are given up: somebody looked at them.", own),
        _ => Failed($"{place.Data} has {Words(own)} of its own, which {_upstream} never had: behind {own.Fork} on timeline "
            + $"{own.Timeline}. Look at them (start a copy of the folder where nobody reaches it), and say isLossSeen: true when they may "
            + "be given up.", own),
    };

    static string Words(OwnCommits own) => own.Commits is { } commits
        ? string.Create(CultureInfo.InvariantCulture, $"{commits} transaction{(commits == 1 ? "" : "s")}")
        : "a number of transactions that its log does not tell any more";

    static HostStepReport Done(string text, OwnCommits? own = null)
        => new() { State = HostStepState.Done, Text = text, Facts = Facts(own) };

    static HostStepReport Failed(string text, OwnCommits? own = null)
        => new() { State = HostStepState.Failed, Text = text, Facts = Facts(own) };

    static Dictionary<string, string> Facts(OwnCommits? own)
    {
        var facts = new Dictionary<string, string>();
        if (own?.Fork is { } fork) facts["fork"] = fork.ToString();
        if (own?.Commits is { } commits) facts["ownCommits"] = commits.ToString(CultureInfo.InvariantCulture);
        return facts;
    }
}
