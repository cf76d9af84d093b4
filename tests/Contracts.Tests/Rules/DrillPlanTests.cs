using BackupDr.Contracts.Rules.Proof;

namespace BackupDr.Contracts.Tests.Rules;

/// <summary>Which test restores start, played over weeks of a clock that only the test moves.</summary>
public sealed class DrillPlanTests
{
    static readonly DateTimeOffset Start = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly TimeSpan Week = TimeSpan.FromDays(7);

    /// <summary>A fleet whose test restores take their time; a step is five minutes.</summary>
    sealed class World(int items, int hosts, TimeSpan every, Func<int, TimeSpan> takes, int seed = 1)
    {
        static readonly TimeSpan Step = TimeSpan.FromMinutes(5);

        readonly HostId[] _hosts = [.. Ids(hosts, seed).Select(id => new HostId(id))];
        readonly ItemId[] _items = [.. Ids(items, -seed).Select(id => new ItemId(id))];
        readonly DateTimeOffset[] _last = [.. Enumerable.Repeat(Start, items)];
        readonly Dictionary<HostId, Made> _running = [];
        readonly List<Made> _made = [];

        public sealed record Made(int Item, HostId Host, DateTimeOffset Begun, DateTimeOffset Ends);

        public DateTimeOffset Now { get; private set; } = Start;
        public IReadOnlyList<Made> All => _made;
        public IReadOnlyList<HostId> Hosts => _hosts;
        /// <summary>The longest that an item went without one, in units of its time.</summary>
        public double Latest { get; private set; }

        public IReadOnlyList<DrillCandidate> Items => [.. _items.Select((id, at) => new DrillCandidate
        {
            Item = id,
            Hosts = _hosts,
            Last = _last[at],
            Every = every,
            Estimate = takes(at),
            IsBusy = _running.Values.Any(made => made.Item == at),
        })];

        public World Play(TimeSpan time)
        {
            for (var until = Now + time; Now < until; Now += Step) Tick();
            return this;
        }

        void Tick()
        {
            foreach (var made in _running.Values.Where(made => made.Ends == Now).ToList())
            {
                _running.Remove(made.Host);
                _last[made.Item] = Now;
            }
            Latest = Math.Max(Latest, (Now - _last.Min()) / every);
            if (_running.Count == _hosts.Length) return;
            foreach (var planned in DrillPlan.Make(Items, [.. _hosts.Select(Host)], Now))
            {
                var at = Array.IndexOf(_items, planned.Item);
                var made = new Made(at, planned.Host, Now, Now + takes(at));
                _made.Add(made);
                _running.Add(planned.Host, made);   // one at a time
            }
        }

        DrillHost Host(HostId id)
        {
            var own = _made.AsEnumerable().Reverse().TakeWhile(made => made.Ends > Now.AddDays(-2))
                .Where(made => made.Host == id).ToList();
            var spent = own.Sum(made => Math.Max(0, (Min(made.Ends, Now) - Max(made.Begun, Now.AddDays(-1))).Ticks));
            var newest = own.Count > 0 ? own[0] : _made.FindLast(made => made.Host == id);
            return new DrillHost(id, _running.ContainsKey(id) ? 1 : 0, TimeSpan.FromTicks(spent), newest?.Begun,
                newest is null ? default : Min(newest.Ends, Now) - newest.Begun);
        }

        static IEnumerable<Guid> Ids(int count, int seed)
        {
            var random = new Random(seed);
            var bytes = new byte[16];
            for (var at = 0; at < count; at++)
            {
                random.NextBytes(bytes);
                yield return new Guid(bytes);
            }
        }

        static DateTimeOffset Min(DateTimeOffset a, DateTimeOffset b) => a < b ? a : b;
        static DateTimeOffset Max(DateTimeOffset a, DateTimeOffset b) => a > b ? a : b;
    }

    [Theory]
    [InlineData(1)]
    [InlineData(15)]   // of which one host makes 10 % more of them than the other
    public void Five_hundred_items_with_weekly_drills_spread_over_two_hosts_within_their_time(int seed)
    {
        var world = new World(500, 2, Week, item => TimeSpan.FromMinutes(5 + item % 3 * 5), seed).Play(TimeSpan.FromDays(29));

        Assert.InRange(world.Latest, 0.9, 1.02);
        foreach (var host in world.Hosts)
        {
            var days = world.All.Where(made => made.Host == host && made.Begun < Start.AddDays(28))
                .GroupBy(made => (made.Begun - Start).Days)
                .Select(day => TimeSpan.FromTicks(day.Sum(made => (made.Ends - made.Begun).Ticks))).ToList();
            Assert.Equal(28, days.Count);
            Assert.All(days, day => Assert.InRange(day, TimeSpan.FromHours(4), DrillPlan.MostPerDay));
        }
        // Shared is the time, not the count: chance may give one host more of the short ones.
        var shares = world.All.GroupBy(made => made.Host).Select(made => made.Sum(own => (own.Ends - own.Begun).TotalHours)).ToList();
        Assert.True(shares.Min() > shares.Max() * 0.99, $"{shares[0]} h against {shares[1]} h.");
    }

    [Fact]
    public void With_too_little_time_the_oldest_proofs_go_first_and_no_item_is_forgotten()
    {
        var world = new World(300, 1, Week, _ => TimeSpan.FromMinutes(25));   // 18 hours a day, of which 8 are allowed
        Assert.Equal(17.9, Assert.Single(DrillPlan.TimePerDay(world.Items)).Value.TotalHours, 1);

        world.Play(TimeSpan.FromDays(34));

        Assert.InRange(world.Latest, 1.5, 2.4);   // 19 a day: an item's turn comes after 16 days
        var turns = world.All.GroupBy(made => made.Item).Select(made => made.Count()).ToList();
        Assert.Equal(300, turns.Count);
        Assert.True(turns.Max() - turns.Min() <= 1);
    }

    [Fact]
    public void The_drill_of_one_item_starts_when_it_is_due_or_a_little_before()
    {
        var world = new World(1, 1, Week, _ => TimeSpan.FromMinutes(10)).Play(TimeSpan.FromDays(15));

        Assert.Equal([0.98, 1.96], world.All.Select(made => Math.Round((made.Begun - Start) / Week, 2)));
    }

    static DrillCandidate Item(HostId host, DateTimeOffset? last) => new()
    {
        Item = ItemId.New(TimeProvider.System),
        Hosts = [host],
        Last = last,
        Every = Week,
        Estimate = TimeSpan.FromMinutes(10),
    };

    [Fact]
    public void What_was_never_proven_goes_first()
    {
        var host = HostId.New(TimeProvider.System);
        DrillCandidate[] items = [Item(host, Start - Week * 3), Item(host, null)];

        Assert.Equal(items[1].Item, Assert.Single(DrillPlan.Make(items, [new DrillHost(host, 0, default)], Start)).Item);
    }

    public static TheoryData<string> Reasons => ["busy", "paused", "host busy", "host elsewhere", "no time left"];

    [Theory]
    [MemberData(nameof(Reasons))]
    public void Nothing_starts(string reason)
    {
        var host = HostId.New(TimeProvider.System);
        var item = Item(host, null) with { IsBusy = reason == "busy", NotBefore = reason == "paused" ? Start.AddMinutes(1) : null };
        var of = reason == "host elsewhere" ? HostId.New(TimeProvider.System) : host;

        Assert.Empty(DrillPlan.Make([item],
            [new DrillHost(of, reason == "host busy" ? 1 : 0, reason == "no time left" ? DrillPlan.MostPerDay : default)], Start));
    }

    [Fact]
    public void One_that_takes_longer_than_a_days_time_begins_on_a_free_day()
    {
        var host = HostId.New(TimeProvider.System);
        var item = Item(host, Start - Week * 2) with { Estimate = TimeSpan.FromHours(30) };

        Assert.Empty(DrillPlan.Make([item], [new DrillHost(host, 0, TimeSpan.FromMinutes(1))], Start));
        Assert.Single(DrillPlan.Make([item], [new DrillHost(host, 0, TimeSpan.Zero)], Start));
    }
}
