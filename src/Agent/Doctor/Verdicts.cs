using System.Globalization;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent.Doctor;

/// <summary>What measured values mean. Pure.</summary>
static class Verdicts
{
    static readonly TimeSpan SkewRemark = TimeSpan.FromSeconds(30), SkewBad = TimeSpan.FromMinutes(5), EndsSoon = TimeSpan.FromDays(7);
    const long LeastFree = 100L << 20, LittleFree = 1L << 30;
    const int ReadAnything = 2, DacOverride = 1, Administer = 21;

    /// <param name="ahead">How far this host's clock is ahead of the node's.</param>
    public static Finding Clock(TimeSpan ahead)
    {
        var off = ahead.Duration();
        var words = $"{Words(off)} {(ahead > TimeSpan.Zero ? "ahead of" : "behind")} the node's";
        const string remedy = "Let the host's clock be set by NTP, for example: timedatectl set-ntp true";
        return off < SkewRemark ? new Finding("clock", Health.Good, $"within {SkewRemark.TotalSeconds:0} s of the node's")
            : off < SkewBad ? new Finding("clock", Health.Remark, words, remedy)
            : new Finding("clock", Health.Bad, $"{words}: certificates look as if they had ended, or not begun", remedy);
    }

    public static Finding Certificate(DateTimeOffset from, DateTimeOffset until, DateTimeOffset now)
    {
        const string again = "Make a new token on the host's page with 'Replace this machine', and join again.";
        if (now < from) return new Finding("certificate", Health.Bad, $"begins only at {from:u}", "Set the host's clock right.");
        if (now >= until) return new Finding("certificate", Health.Bad, $"ended at {until:u}", again);
        return until - now < EndsSoon ? new Finding("certificate", Health.Remark,
            $"ends at {until:u}, and was not renewed at half its time", "See that the agent runs and reaches a node: it renews by itself.")
            : new Finding("certificate", Health.Good, $"until {until:u}; renewed by itself");
    }

    /// <param name="folder">The state folder.</param>
    /// <param name="free">Bytes that are free there.</param>
    public static Finding Disk(string folder, long free)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{free / 1048576.0:#,0} MiB free for {folder}");
        const string remedy = "Free some, or move the folder. What may go at any time: its subfolder cache.";
        return free < LeastFree ? new Finding("disk", Health.Bad, text, remedy)
            : free < LittleFree ? new Finding("disk", Health.Remark, text, remedy) : new Finding("disk", Health.Good, text);
    }

    /// <param name="capabilities">The effective ones, as in /proc/self/status.</param>
    public static Finding Rights(ulong capabilities)
    {
        bool Has(int capability) => (capabilities >> capability & 1) == 1;
        const string remedy = "Run the agent as root, as its systemd unit does.";
        if (!Has(ReadAnything) && !Has(DacOverride))
            return new Finding("rights", Health.Remark, "it reads only what its user may read: other files are told as missing", remedy);
        return Has(Administer) ? new Finding("rights", Health.Good, "it reads every file, and isolates drills")
            : new Finding("rights", Health.Remark, "it reads every file, but cannot isolate drills or take snapshots of file systems",
                remedy);
    }

    /// <param name="path">A private file or folder.</param>
    /// <param name="mode">Its rights.</param>
    public static Finding Private(string path, UnixFileMode mode)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead
            | UnixFileMode.OtherWrite;
        return (mode & others) == 0 ? new Finding("key", Health.Good, $"{path} is this user's alone")
            : new Finding("key", Health.Bad, $"{path} can be read or written by others",
                $"chmod go-rwx '{path}', and if somebody may have read it: replace the machine's identity with a new token.");
    }

    /// <param name="kept">What this host may do while no node answers, and why that cannot be read; both null where nothing is
    /// kept.</param>
    /// <param name="answeredAt">When a node answered last; null where that was never noted.</param>
    /// <param name="queue">Runs that were made alone and not told yet, and files of such that are damaged.</param>
    /// <param name="now">This moment.</param>
    public static Finding Alone((AlonePlan? Plan, string? Problem) kept, DateTimeOffset? answeredAt, (int Waiting, int Damaged) queue,
        DateTimeOffset now)
    {
        const string ask = "A node that answers tells it within minutes; the connections below say whether one does.";
        if (kept.Problem is { } problem)
            return new Finding("alone", Health.Remark, $"the plan for times without a node cannot be opened: {problem}", ask);
        if (kept.Plan is not { } plan || answeredAt is not { } answered)
            return new Finding("alone", Health.Remark, "no node has told yet what this host may back up while none is reachable", ask);
        if (queue.Damaged > 0)
            return new Finding("alone", Health.Remark, $"{queue.Damaged} file(s) of backups that were made alone are damaged",
                "They end with .damaged. Their snapshots are found by a look through the repository, from its page in the console.");
        var waiting = queue.Waiting == 0 ? "" : $"; {queue.Waiting} backup(s) made alone wait to be told";
        if (plan.Parts.Count == 0)
            return new Finding("alone", Health.Good, $"nothing is backed up while no node is reachable{Why(plan)}{waiting}");
        var until = answered + plan.Lasts;
        var items = string.Create(CultureInfo.InvariantCulture, $"{plan.Parts.Count} item(s) of "
            + $"{plan.Parts.Select(part => part.Policy).Distinct().Count()} policies");
        return until <= now
            ? new Finding("alone", Health.Remark, $"no node has answered since {answered:u}: nothing is backed up alone any more{waiting}",
                ask)
            : new Finding("alone", Health.Good, $"{items} are backed up until {until:u} where no node answers for {Words(plan.After)}; one "
                + $"answered {Words(now - answered)} ago{Why(plan)}{waiting}");
    }

    static string Why(AlonePlan plan) => plan.LeftOut.Count == 0 ? "" : $"; not in it: {string.Join(" ", plan.LeftOut)}";

    static string Words(TimeSpan time) => time.TotalDays >= 2 ? $"{time.TotalDays:0} days"
        : time.TotalHours >= 2 ? $"{time.TotalHours:0} hours"
        : time.TotalMinutes >= 2 ? $"{time.TotalMinutes:0} minutes" : $"{time.TotalSeconds:0} s";
}
