using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runs;

namespace BackupDr.Simulation.Tests.Firing;

/// <summary>Bugs that a world can be given, to see that its rules find them.</summary>
public enum PlantedBug
{
    None,
    /// <summary>A firing is not guarded by its nominal time.</summary>
    NoFiringKey,
    /// <summary>Only the newest firing is remembered, as a mark that never goes back.</summary>
    OnlyNewestFiring,
    /// <summary>A claim does not ask the hours again.</summary>
    HoursAskedOnce,
    /// <summary>Firings do not join a run that waits.</summary>
    PilesUp,
    /// <summary>Two nodes count what is under way before either of them writes.</summary>
    CapWithoutLock,
}

/// <summary>Nodes that crash and freeze, a database whose clock jumps, hosts that go away and messages that are lost, from one seed. When
/// something fires, starts and ends is decided by the code that decides it in a node; this is the table that it works on.</summary>
public sealed class FiringWorld
{
    const int StepMinutes = 10, ChaosDays = 3, QuietDays = 4, Cap = 2;
    static readonly TimeSpan Step = TimeSpan.FromMinutes(StepMinutes), Lease = TimeSpan.FromMinutes(25);

    sealed class Policy(ScheduleSpec spec, DateTimeOffset since)
    {
        public ScheduleSpec Spec => spec;
        public StartTimes Times { get; } = StartTimes.Of(spec);
        public DateTimeOffset Since => since;
        public HashSet<DateTimeOffset> Fired { get; } = [];
        public DateTimeOffset Mark { get; set; }
    }

    sealed class Run(Policy policy, ItemId item, int host, DateTimeOffset nominal)
    {
        public Policy Policy => policy;
        public ItemId Item => item;
        public int Host => host;
        public DateTimeOffset Nominal => nominal;
        public RunState State { get; private set; } = RunState.Queued;
        public long Epoch { get; set; }
        public DateTimeOffset DueAt { get; set; }
        public DateTimeOffset LeaseUntil { get; set; }

        public void Move(RunTrigger on) => State = RunStates.TryMove(State, on, out var to) ? to
            : throw new InvalidOperationException($"{State} has no move on {on}.");
    }

    readonly Random _random;
    readonly PlantedBug _bug;
    readonly List<Policy> _policies = [];
    readonly List<(Policy Policy, ItemId Item, int Host)> _items = [];
    readonly List<Run> _runs = [], _open = [];
    readonly int[] _downUntil = new int[3], _awayUntil = new int[4];
    readonly List<(Policy Policy, DateTimeOffset Nominal, int At)> _frozen = [];
    readonly Dictionary<ItemId, DateTimeOffset> _begun = [];
    DateTimeOffset _clock;
    int _step;

    public FiringWorld(int seed, PlantedBug bug = PlantedBug.None)
    {
        (_random, _bug) = (new Random(seed), bug);
        // Anywhere in the year of two changes of the clock and a 29 February.
        _clock = new DateTimeOffset(2028, 1, 1, 0, 0, 0, TimeSpan.Zero).AddMinutes(_random.Next(366 * 24 * 60));
        for (var number = 0; number < 2; number++)
        {
            var policy = new Policy(Schedule(), _clock);
            _policies.Add(policy);
            for (var item = 0; item < 2; item++) _items.Add((policy, ItemId.From(NewGuid()), _random.Next(_awayUntil.Length)));
        }
    }

    /// <summary>What was broken, with its moment; null where every rule held.</summary>
    public string? Broken { get; private set; }
    public int Coalesced { get; private set; }
    public int Skipped { get; private set; }
    public int Held { get; private set; }
    public int Expired { get; private set; }
    public int Capped { get; private set; }
    public int Jumps { get; private set; }

    /// <summary>Everything that ended, in order: the same seed gives the same story.</summary>
    public string Story => string.Join(' ', _runs.Select(run => $"{run.Nominal:MMddHHmm}/{run.State}/{run.Epoch}"));

    ScheduleSpec Schedule()
    {
        string[] zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"];
        string[] crons = ["30 2 * * *", "15 */3 * * *", "0 * * * *", "45 1,13 * * 1-5"];
        string[] windows = ["22:00-06:00", "01:30-03:30", "Mon-Fri 08:00-18:00"];
        return new ScheduleSpec
        {
            Every = TimeSpan.FromMinutes(30 * _random.Next(1, 49)),
            Cron = _random.Next(2) == 0 ? crons[_random.Next(crons.Length)] : null,
            TimeZone = zones[_random.Next(zones.Length)],
            Windows = _random.Next(2) == 0 ? [HoursText.Window(windows[_random.Next(windows.Length)])] : [],
            Blackouts = _random.Next(4) == 0 ? [HoursText.Blackout("Sun 00:00-12:00")] : [],
            Spread = _random.Next(2) == 0 ? null : TimeSpan.FromMinutes(_random.Next(10)),
            CatchUp = _random.Next(4) == 0 ? CatchUp.Skip : CatchUp.Once,
        };
    }

    Guid NewGuid()
    {
        var bytes = new byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes);
    }

    /// <summary>Chaos, then quiet days in which everything must come right.</summary>
    public FiringWorld Play()
    {
        var chaos = ChaosDays * 24 * 60 / StepMinutes;
        for (_step = 0; _step < chaos && Broken is null; _step++)
        {
            Faults();
            Turn();
        }
        Array.Clear(_downUntil);
        Array.Clear(_awayUntil);
        var quiet = _clock;
        for (; _step < chaos + QuietDays * 24 * 60 / StepMinutes && Broken is null; _step++) Turn(isQuiet: true);
        Broken ??= Ended(quiet);
        return this;
    }

    void Turn(bool isQuiet = false)
    {
        _clock += Step;
        Nodes(isQuiet);
        Agents(isQuiet);
        Broken ??= Rules();
    }

    void Faults()
    {
        if (_random.Next(100) == 0) Array.Fill(_downUntil, _step + _random.Next(100));
        if (_random.Next(40) == 0) _downUntil[_random.Next(_downUntil.Length)] = _step + _random.Next(30);
        if (_random.Next(60) == 0) _awayUntil[_random.Next(_awayUntil.Length)] = _step + _random.Next(200);
        if (_random.Next(150) != 0) return;
        Jumps++;
        _clock += TimeSpan.FromMinutes(_random.Next(-600, 600));
    }

    /// <summary>Each node looks; one that freezes between its look and its write writes much later.</summary>
    void Nodes(bool isQuiet)
    {
        foreach (var late in _frozen.Where(one => one.At <= _step).ToList())
        {
            _frozen.Remove(late);
            Fire(late.Policy, late.Nominal);
        }
        foreach (var policy in _policies)
        {
            if (policy.Times.Due(policy.Since, _clock) is not { } nominal || Knows(policy, nominal)) continue;
            // All see the same before any of them writes.
            for (var nodes = _downUntil.Count(until => until <= _step); nodes > 0; nodes--)
                if (!isQuiet && _random.Next(6) == 0) _frozen.Add((policy, nominal, _step + 1 + _random.Next(50)));
                else Fire(policy, nominal);
        }
    }

    bool Knows(Policy policy, DateTimeOffset nominal)
        => _bug == PlantedBug.OnlyNewestFiring ? nominal <= policy.Mark : policy.Fired.Contains(nominal);

    /// <summary>The transaction of a firing.</summary>
    void Fire(Policy policy, DateTimeOffset nominal)
    {
        if (_bug == PlantedBug.OnlyNewestFiring && nominal <= policy.Mark) return;
        if (!policy.Fired.Add(nominal) && _bug != PlantedBug.NoFiringKey) return;
        policy.Mark = nominal;
        SkipMissed(policy);
        foreach (var (_, item, host) in _items.Where(one => one.Policy == policy))
        {
            if (_bug != PlantedBug.PilesUp && _open.Exists(run => run.Item == item)) { Coalesced++; continue; }
            if (_runs.Exists(run => run.Item == item && run.Nominal == nominal)) Broken ??= $"{_clock:u}: two runs for {nominal:u}";
            var run = new Run(policy, item, host, nominal)
            {
                DueAt = policy.Times.Plan(nominal, item, _clock)?.At ?? _clock.AddDays(1),
            };
            _runs.Add(run);
            _open.Add(run);
        }
        SkipMissed(policy);
    }

    void SkipMissed(Policy policy)
    {
        foreach (var run in _open.Where(run => run.Policy == policy && IsWaiting(run)
            && policy.Times.IsMissed(run.Nominal, run.Item, _clock)).ToList()) Skip(run);
    }

    static bool IsWaiting(Run run) => run.State == RunState.Queued && run.Epoch == 0;

    void Skip(Run run)
    {
        run.Move(RunTrigger.Cancelled);
        _open.Remove(run);
        Skipped++;
    }

    int UnderWay => _open.Count(run => run.State != RunState.Queued);

    void Agents(bool isQuiet)
    {
        foreach (var run in _open.Where(run => run.State != RunState.Queued).ToList())
        {
            var isThere = _awayUntil[run.Host] <= _step;
            if (isThere && (isQuiet || _random.Next(4) != 0)) Report(run, isQuiet);
            else if (run.LeaseUntil <= _clock) Expire(run);
        }
        var room = Cap - UnderWay;   // what two nodes see that look at the same moment
        foreach (var host in Enumerable.Range(0, _awayUntil.Length).OrderBy(_ => _random.Next()))
            if (_awayUntil[host] <= _step) Claim(host, room);
    }

    void Report(Run run, bool isQuiet)
    {
        if (run.LeaseUntil <= _clock) { Expire(run); return; }
        if (run.State == RunState.Leased) run.Move(RunTrigger.Started);
        run.LeaseUntil = _clock + Lease;
        if (_random.Next(isQuiet ? 2 : 5) != 0) return;
        run.Move(_random.Next(8) == 0 ? RunTrigger.Broke : RunTrigger.Completed);
        _open.Remove(run);
    }

    void Expire(Run run)
    {
        Expired++;
        run.Move(RunStates.OfExpiry(false, run.Epoch));
        run.DueAt = _clock + RunStates.BackOff(run.Epoch);
        if (RunStates.IsOver(run.State)) _open.Remove(run);
    }

    /// <summary>The transaction of a claim.</summary>
    void Claim(int host, int roomSeen)
    {
        foreach (var run in _open.Where(run => run.Host == host && run.State == RunState.Queued && run.DueAt <= _clock)
            .OrderBy(run => run.DueAt).ToList())
        {
            if (_open.Exists(other => other.Item == run.Item && other.State != RunState.Queued)) continue;
            if (_bug == PlantedBug.CapWithoutLock ? roomSeen <= 0 : UnderWay >= Cap) { Capped++; continue; }
            var times = run.Policy.Times;
            if (IsWaiting(run) && times.IsMissed(run.Nominal, run.Item, _clock)) { Skip(run); continue; }
            if (IsWaiting(run) && !times.Hours.IsOpen(_clock) && _bug != PlantedBug.HoursAskedOnce)
            {
                Held++;
                run.DueAt = times.Plan(run.Nominal, run.Item, _clock)?.At ?? _clock.AddDays(1);
                continue;
            }
            if (IsWaiting(run) && !times.Hours.IsOpen(_clock)) Broken ??= $"{_clock:u}: a run of {run.Nominal:u} began out of hours";
            run.Move(RunTrigger.Claimed);
            run.Epoch++;
            run.LeaseUntil = _clock + Lease;
            _begun[run.Item] = _clock;
            return;
        }
    }

    /// <summary>What holds at every moment.</summary>
    string? Rules()
    {
        if (UnderWay > Cap) return $"{_clock:u}: {UnderWay} under way, the cap is {Cap}";
        foreach (var (_, item, _) in _items)
            if (_open.Count(run => run.Item == item) > 1) return $"{_clock:u}: runs of an item pile up";
        return _runs.Find(run => run.Epoch > RunStates.MaximumLeases) is { } tried ? $"{_clock:u}: {tried.Epoch} leases of one run" : null;
    }

    /// <summary>What holds once the faults are over.</summary>
    string? Ended(DateTimeOffset quiet)
    {
        foreach (var policy in _policies)
        {
            for (var at = policy.Times.NextNominal(quiet); at <= _clock - Step; at = policy.Times.NextNominal(at.Value))
                if (!policy.Fired.Contains(at.Value)) return $"the firing of {at:u} was lost";
            if (policy.Spec.CatchUp == CatchUp.Skip || SecondChance(policy.Times, quiet) > _clock.AddHours(-12)) continue;
            foreach (var (_, item, _) in _items.Where(one => one.Policy == policy))
                if (!_begun.TryGetValue(item, out var begun) || begun < quiet) return $"an item did not begin again after {quiet:u}";
        }
        return null;
    }

    /// <summary>By when whatever waited must have begun: what a clock that was ahead for a time put off waits for the opening after
    /// the next.</summary>
    static DateTimeOffset SecondChance(StartTimes times, DateTimeOffset quiet)
    {
        if (times.Next(quiet) is not { } first || times.Next(first) is not { } second) return DateTimeOffset.MaxValue;
        return times.Hours.Closing(first) is not { } closing ? second
            : times.Hours.Opening(closing) is { } opening ? times.Next(opening) ?? DateTimeOffset.MaxValue : DateTimeOffset.MaxValue;
    }
}
