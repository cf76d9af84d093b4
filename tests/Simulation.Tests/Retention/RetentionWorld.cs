using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Retention;
using BackupDr.Contracts.Specs;

namespace BackupDr.Simulation.Tests.Retention;

/// <summary>A hundred and twenty days of one item: backups, some incomplete, some not made; test restores; legal holds; days without a
/// node; and from some day on a host that somebody took over, which floods its repository with points, or encrypts what it backs up. The
/// planner and the eye for the unusual are those of the product.</summary>
sealed class RetentionWorld
{
    const int Days = 120, Flood = 12;
    static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    sealed class Point(int number, DateTimeOffset at, BackupResult result)
    {
        public int Number => number;
        public DateTimeOffset At => at;
        public BackupResult Result => result;
        public bool IsComplete { get; init; }
        public bool IsProven { get; set; }
        public bool IsHeld { get; set; }
        public DateTimeOffset? TrashUntil { get; set; }
        public DateTimeOffset? TakenOutUntil { get; set; }
        public bool IsGone { get; set; }

        public KeptPoint AsKept() => new()
        {
            ReceivedAt = At,
            IsComplete = IsComplete,
            IsProven = IsProven,
            IsHeld = IsHeld,
            TakenOutUntil = TakenOutUntil,
            IsGone = IsGone,
        };
    }

    readonly Random _random;
    readonly KeepRules _rules;
    readonly int _floor, _takenOverOn;
    readonly TimeSpan _trash;
    readonly bool _encrypts;
    readonly List<Point> _points = [];
    bool _isOnHold;
    DateTimeOffset? _alarmAt, _takenOverAt;

    public RetentionWorld(int seed)
    {
        _random = new Random(seed);
        // Rules that fit no point: what stays then stays by the other guards alone.
        _rules = seed % 8 == 7 ? new KeepRules { Tags = [["other"]] } : new KeepRules
        {
            Last = _random.Next(3),
            Daily = _random.Next(1, 15),
            Weekly = _random.Next(8),
            Monthly = _random.Next(6),
        };
        _floor = _random.Next(1, 6);
        _trash = TimeSpan.FromDays(_random.Next(1, 15));
        _takenOverOn = _random.Next(2) == 0 ? _random.Next(20, 110) : int.MaxValue;
        _encrypts = _random.Next(2) == 0;
        if (seed % 8 == 7) _takenOverOn = int.MaxValue;
    }

    public string? Broken { get; private set; }
    public int Gone => _points.Count(point => point.IsGone);
    public bool HasAlarm => _alarmAt is not null;
    public bool IsEncrypted => _encrypts && _takenOverAt is not null;
    public string Story => string.Join(' ', _points.Select(point => $"{point.Number}{(point.IsGone ? "-" : "")}"));

    public RetentionWorld Play()
    {
        for (var day = 0; day < Days && Broken is null; day++)
        {
            var morning = Start.AddDays(day);
            if (day == _takenOverOn) _takenOverAt = morning;
            var backups = day >= _takenOverOn ? _encrypts ? 1 : Flood : _random.Next(10) == 0 ? 0 : _random.Next(1, 4);
            for (var number = 0; number < backups; number++) Backup(morning.AddMinutes(1 + number * (1_400 / (backups + 1))));
            foreach (var point in _points.Where(point => !point.IsGone && _random.Next(150) == 0)) Touch(point, morning);
            if (_random.Next(8) > 0) Plan(morning.AddHours(23).AddMinutes(50));   // else no node was there that day
        }
        return this;
    }

    void Backup(DateTimeOffset at)
    {
        var isBad = _encrypts && at >= _takenOverAt;
        var result = new BackupResult
        {
            SnapshotId = "",
            TakenAt = at,
            ParentId = _points.Count == 0 ? null : "",
            Files = 1_000,
            FilesChanged = isBad ? 990 : _random.Next(50),
            Bytes = 1L << 30,
            BytesNew = isBad ? 1L << 30 : 20 << 20,
            BytesIncompressible = isBad ? 1L << 30 : 2 << 20,
        };
        var past = _points.Where(point => point is { IsComplete: true, IsGone: false }).OrderByDescending(point => point.At)
            .Take(10).Select(point => point.Result).ToList();
        if (!_isOnHold && Anomalies.Of(result, past, new AnomalySpec()).Count > 0) (_isOnHold, _alarmAt) = (true, at);
        _points.Add(new Point(_points.Count, at, result) { IsComplete = _random.Next(12) > 0 });
    }

    void Touch(Point point, DateTimeOffset now)
    {
        switch (_random.Next(4))
        {
            case 0: point.IsHeld = !point.IsHeld; break;
            case 1 when point.TrashUntil is not null:
                (point.TrashUntil, point.TakenOutUntil) = (null, now.AddDays(7));
                break;
            default: point.IsProven = point.IsComplete; break;
        }
    }

    void Plan(DateTimeOffset now)
    {
        var there = _points.Where(point => !point.IsGone).ToList();
        var verdicts = KeepPlan.Make([.. there.Select(point => point.AsKept())],
            new KeepTerms { Rules = _rules, Floor = _floor, IsOnHold = _isOnHold }, now);
        var complete = there.Count(point => point.IsComplete);
        for (var at = 0; at < there.Count; at++)
        {
            var point = there[at];
            if (verdicts[at].Keeps) point.TrashUntil = null;
            else if (point.TrashUntil is null) point.TrashUntil = now + _trash;
            else if (point.TrashUntil <= now) point.IsGone = true;
            if (point.IsGone && (point.IsHeld || point.TakenOutUntil > now)) Broken = $"{point.Number} is held and gone";
            if (point.IsGone && _isOnHold) Broken = $"{point.Number} goes while the item is on hold";
        }
        Look(now, complete);
    }

    void Look(DateTimeOffset now, int completeBefore)
    {
        var left = _points.Where(point => point is { IsGone: false }).ToList();
        var complete = left.Where(point => point.IsComplete).ToList();
        if (complete.Count < Math.Min(_floor, completeBefore)) Broken = $"{complete.Count} complete points are left, the floor is {_floor}";
        if (_points.Where(point => point.IsComplete).MaxBy(point => point.At) is { IsGone: true }) Broken = "the newest complete is gone";
        if (_points.Where(point => point.IsProven).MaxBy(point => point.At) is { IsGone: true }) Broken = "the newest proven is gone";
        // However many points a day brings, it takes one day of the rule: a flood cannot push out the days before it.
        var days = _points.Where(point => point.IsComplete && point.At <= now).Select(point => point.At.Date).Distinct()
            .OrderDescending().Take(_rules.Daily).ToList();
        foreach (var day in days.Where(day => !complete.Exists(point => point.At.Date == day))) Broken = $"nothing is left of {day:d}";
        if (_alarmAt is { } alarm && _points.Exists(point => point.IsGone && point.TrashUntil > alarm))
            Broken = "something went after the alarm";
    }
}
