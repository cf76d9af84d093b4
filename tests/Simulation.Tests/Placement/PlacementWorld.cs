using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Placement;

namespace BackupDr.Simulation.Tests.Placement;

/// <summary>Movers at two sites that fall silent and come back, and runs that have to be done by one of them. Whoever places a run knows
/// what the hosts last said; a run that a dead host held waits until its lease is over, and is placed again.</summary>
sealed class PlacementWorld
{
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(30), Beat = TimeSpan.FromSeconds(25), Chaos = TimeSpan.FromMinutes(40);

    sealed class Host(HostId id, string site)
    {
        public HostId Id => id;
        public string Site => site;
        public bool IsUp { get; set; } = true;
        public TimeSpan SeenAt { get; set; }
        public int Begun { get; set; }
    }

    sealed record Work(RunId Id, string? Site)
    {
        public Host? On { get; set; }
        public TimeSpan Until { get; set; }
        public TimeSpan DoneAt { get; set; }
        public bool IsDone { get; set; }
        public int Times { get; set; }
    }

    readonly Random _random;
    readonly PlacementStrategy _strategy;
    readonly List<Host> _hosts;
    readonly List<Work> _work;
    TimeSpan _now;
    long _turn;

    public PlacementWorld(int seed)
    {
        _random = new Random(seed);
        _strategy = (PlacementStrategy)(seed % 4);
        _hosts = [.. Enumerable.Range(0, _random.Next(1, 6))
            .Select(number => new Host(HostId.From(Number()), number % 2 == 0 ? "a" : "b"))];
        _work = [.. Enumerable.Range(0, 60).Select(_ => new Work(RunId.From(Number()), _random.Next(3) switch { 0 => "a", 1 => "b",
            _ => null }))];
    }

    public string? Broken { get; private set; }
    public int Waited { get; private set; }
    public int PlacedAgain { get; private set; }
    public int Away { get; private set; }
    public string Story => string.Join(' ', _hosts.Select(host => host.Begun)) + $" {_now} {_turn}";

    Guid Number()
    {
        var bytes = new byte[16];
        _random.NextBytes(bytes);
        return new Guid(bytes);
    }

    public PlacementWorld Play()
    {
        while (Broken is null && _work.Exists(work => !work.IsDone))
        {
            _now += TimeSpan.FromSeconds(_random.Next(1, 6));
            if (_now > Chaos * 3) Broken = "it never comes to an end";
            foreach (var host in _hosts) Live(host);
            foreach (var work in _work.Where(work => !work.IsDone)) Advance(work);
        }
        return this;
    }

    void Live(Host host)
    {
        if (_now > Chaos) host.IsUp = true;
        else if (_random.Next(60) == 0) host.IsUp = !host.IsUp;
        if (host.IsUp && _now - host.SeenAt >= Beat) host.SeenAt = _now;
    }

    void Advance(Work work)
    {
        if (work.On is { } holder)
        {
            if (holder.IsUp && _now >= work.DoneAt && _now < work.Until) { (work.On, work.IsDone) = (null, true); return; }
            if (holder.IsUp && _now < work.Until) work.Until = _now + Lease;
            if (_now < work.Until) return;
            work.On = null;
        }
        if (_random.Next(4) > 0) return;   // nobody looked just now
        var placed = MoverPlacement.Choose(_strategy, _hosts.Select(Seen), work.Site, work.Id, _turn);
        if (placed.Host is not { } id)
        {
            Waited++;
            if (string.IsNullOrEmpty(placed.WaitsFor)) Broken = $"nobody knows what {work.Id} waits for";
            if (_hosts.Exists(host => IsHealthy(host) && Held(host) < MoverPlacement.MostHeld && IsNear(host, work)))
                Broken = $"{work.Id} waits for {placed.WaitsFor}, and a host is free";
            return;
        }
        var chosen = _hosts.Single(host => host.Id == id);
        _turn++;
        if (!IsHealthy(chosen)) Broken = $"{work.Id} goes to a host of which nothing was heard for {_now - chosen.SeenAt}";
        if (Held(chosen) >= MoverPlacement.MostHeld) Broken = $"{work.Id} goes to a host that holds {Held(chosen)}";
        if (work.Site is { } site && chosen.Site != site)
        {
            Away++;
            if (_hosts.Exists(host => host.Site == site && IsHealthy(host))) Broken = $"{work.Id} leaves {site}, where a host is";
        }
        if (_strategy == PlacementStrategy.LeastConnections && _hosts.Exists(host => IsHealthy(host) && IsNear(host, work)
            && host.Site == chosen.Site && Held(host) < Held(chosen))) Broken = $"{work.Id} goes to a host that holds more than another";
        if (work.Times++ > 0) PlacedAgain++;
        (work.On, work.Until, work.DoneAt) = (chosen, _now + Lease, _now + TimeSpan.FromSeconds(_random.Next(5, 90)));
        chosen.Begun++;
    }

    bool IsHealthy(Host host) => _now - host.SeenAt < MoverPlacement.Out;
    bool IsNear(Host host, Work work) => work.Site is null || host.Site == work.Site
        || !_hosts.Exists(other => other.Site == work.Site && IsHealthy(other));
    int Held(Host host) => _work.Count(work => work.On == host);

    Mover Seen(Host host) => new()
    {
        Host = host.Id,
        Name = host.Site,
        Silence = _now - host.SeenAt,
        Held = Held(host),
        Site = host.Site,
        Processors = 4,
    };
}
