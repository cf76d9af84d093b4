using System.Diagnostics;
using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Capacity;

/// <summary>So many agents at rest, then with so many runs a second.</summary>
static class AgentLoad
{
    static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(15), Patience = TimeSpan.FromMinutes(5);

    public static async Task Run(string app, string folder, int count, IReadOnlyList<int> rates, int seconds, CancellationToken ct)
    {
        await using var node = await Installation.Start(app, folder, ct);
        var begun = Stopwatch.GetTimestamp();
        await using var fleet = await Fleet.Join(node, count, ct);
        var joined = Stopwatch.GetElapsedTime(begun);
        fleet.Begin();
        await Task.Delay(WarmUp, ct);
        var calm = await fleet.Calm(Patience, ct);
        Say($"| {count} agents | runs/s | {Usage.Columns} | p50 ms | p99 ms | ended/s | failed calls |");
        Say("|---|---|---|---|---|---|---|---|---|---|---|");
        var before = node.Used();
        await Task.Delay(TimeSpan.FromSeconds(seconds), ct);
        Say($"| at rest (joined in {joined.TotalSeconds:0} s, all connected after {WarmUp.TotalSeconds + calm.TotalSeconds:0} s) | 0 "
            + $"| {node.Used().Since(before)} | | | | {fleet.Failures} |");
        await fleet.Protect(node, ct);
        await Fleet.Quiet(node, Patience, ct);
        foreach (var rate in rates)
        {
            var (since, failed) = (await node.Ask<DateTime>("select clock()", ct), fleet.Failures);
            if (Installation.TellsStatements) await node.ForgetStatements(ct);
            before = node.Used();
            var asked = await Ask(node, fleet, rate, seconds, ct);
            var used = node.Used();
            await Fleet.Quiet(node, Patience, ct);
            var after = $"from run where kind = 'Backup' and created_at >= '{since:O}'::timestamptz";
            var (p50, p99) = (await node.Ask<double>($"{Late(0.5)} {after}", ct), await node.Ask<double>($"{Late(0.99)} {after}", ct));
            var ended = await node.Ask<double>(
                $"select count(*) / extract(epoch from max(finished_at) - min(created_at))::float8 {after}", ct);
            Say($"| asked for {asked} | {rate} | {used.Since(before)} | {p50:0} | {p99:0} | {ended:0.0} | {fleet.Failures - failed} |");
            if (Installation.TellsStatements) foreach (var line in await node.Statements(ct)) Say(line);
        }
        Say($"load average {File.ReadAllText("/proc/loadavg").Trim()}");
    }

    static string Late(double part) => string.Create(CultureInfo.InvariantCulture,
        $"select 1000 * percentile_cont({part}) within group (order by extract(epoch from started_at - created_at)::float8)");

    static void Say(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    static void Say(string line) => Console.WriteLine(line);

    /// <summary>Starts policies one after another, evenly, without waiting for the answers.</summary>
    static async Task<int> Ask(Installation node, Fleet fleet, int rate, int seconds, CancellationToken ct)
    {
        using var api = node.Api();
        var calls = rate * seconds / 10;   // a policy has ten items
        var (under, begun, made) = (new List<Task>(), Stopwatch.GetTimestamp(), 0);
        for (var call = 0; call < calls; call++)
        {
            var wait = TimeSpan.FromSeconds(10.0 * call / rate) - Stopwatch.GetElapsedTime(begun);
            if (wait > TimeSpan.Zero) await Task.Delay(wait, ct);
            under.Add(One(fleet.Policies[call % fleet.Policies.Count]));
        }
        await Task.WhenAll(under);
        return made;

        async Task One(PolicyId policy)
        {
            try { Interlocked.Add(ref made, (await api.RunPolicy(policy, ct)).Runs.Count); }
            catch (UnavailableException) { Interlocked.Increment(ref fleet.Failures); }   // counted; the figure says what was made
        }
    }
}
