using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Proof;

namespace BackupDr.Contracts.Tests.Rules;

/// <summary>The one function that says what can be said of an item.</summary>
public sealed class ItemStatesTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    static readonly ItemFacts Good = new()
    {
        IsHostOnline = true,
        LastSeenAt = Now,
        CreatedAt = Now.AddDays(-30),
        Rpo = TimeSpan.FromHours(24),
        ProofAge = TimeSpan.FromDays(35),
        DrillEvery = TimeSpan.FromDays(30),
        LastCompleteAt = Now.AddHours(-2),
        LastPointAt = Now.AddHours(-2),
        Proof = ProofResult.Proven,
        ProofAt = Now.AddDays(-3),
        ProofHost = "host b",
    };

    // What may be so of an item, apart from each other.
    enum Point { Inside, AtTheEdge, Late, None }
    enum Log { None, Inside, Late, Missing }
    enum Proven { Young, DrillOverdue, TooOld, Failed, Never }

    sealed record Case(bool Off, bool Online, bool New, Point Point, Log Log, bool NewerIncomplete, bool Gone, bool Damaged, Proven Proof)
    {
        /// <summary>Whether the newest moment that can be restored to is inside the objective.</summary>
        public bool IsInside => Log == Log.Inside || Point is Point.Inside or Point.AtTheEdge;

        public ItemFacts Facts => Good with
        {
            IsOff = Off,
            IsHostOnline = Online,
            CreatedAt = New ? Now.AddHours(-1) : Now.AddDays(-30),
            LastCompleteAt = Complete,
            LastPointAt = NewerIncomplete ? Now : Complete,
            ReceivesLog = Log != Log.None,
            LogUntil = Log switch { Log.Inside => Now.AddMinutes(-1), Log.Late => Now.AddHours(-90), _ => null },
            IsNewestGone = Gone,
            Damage = Damaged ? "pack 9f: it is in the index, but not in the store." : null,
            Proof = Proof switch { Proven.Failed => ProofResult.Failed, Proven.Never => null, _ => ProofResult.Proven },
            ProofAt = Proof switch
            {
                Proven.Never => null,
                Proven.TooOld => Now.AddDays(-36),
                Proven.DrillOverdue => Now.AddDays(-32),
                _ => Now.AddDays(-3),
            },
        };

        DateTimeOffset? Complete => Point switch
        {
            Point.Inside => Now.AddHours(-2),
            Point.AtTheEdge => Now.AddHours(-24),
            Point.Late => Now.AddHours(-24).AddSeconds(-1),
            _ => null,
        };
    }

    /// <summary>The decision as a table: the first line that fits, decides.</summary>
    static readonly (string Line, Func<Case, bool> Fits, ItemState State)[] Table =
    [
        ("switched off", one => one.Off, ItemState.Off),
        ("the newest is gone", one => one.Gone && !one.IsInside, ItemState.Overdue),
        ("nothing yet", one => one is { New: true, Point: Point.None, NewerIncomplete: false, Online: true }, ItemState.New),
        ("nothing yet, silent", one => one is { New: true, Point: Point.None, NewerIncomplete: false }, ItemState.Unknown),
        ("late", one => !one.IsInside, ItemState.Overdue),
        ("damaged", one => one.Damaged, ItemState.Failed),
        ("proof failed", one => one.Proof == Proven.Failed, ItemState.Failed),
        ("silent", one => !one.Online, ItemState.Unknown),
        ("newest incomplete", one => one.NewerIncomplete, ItemState.Incomplete),
        ("never proven", one => one.Proof == Proven.Never, ItemState.Unproven),
        ("proof too old", one => one.Proof == Proven.TooOld, ItemState.Unproven),
        ("drill overdue", one => one.Proof == Proven.DrillOverdue, ItemState.Unproven),
        ("all well", _ => true, ItemState.Proven),
    ];

    static IEnumerable<Case> All()
    {
        bool[] both = [false, true];
        return from off in both
               from online in both
               from isNew in both
               from incomplete in both
               from gone in both
               from damaged in both
               from point in Enum.GetValues<Point>()
               from log in Enum.GetValues<Log>()
               from proof in Enum.GetValues<Proven>()
               where log == Log.None || point != Point.None   // a log counts from its base backup on
               select new Case(off, online, isNew, point, log, incomplete, gone, damaged, proof);
    }

    [Fact]
    public void Each_combination_of_facts_has_the_state_of_the_first_line_that_fits()
    {
        var hit = new HashSet<string>();
        foreach (var one in All())
        {
            var line = Table.First(line => line.Fits(one));
            hit.Add(line.Line);

            var (state, reason) = ItemStates.Of(one.Facts, Now);

            Assert.True(line.State == state, $"{one} is {state}, and '{line.Line}' says {line.State}.");
            Assert.True(reason.EndsWith('.') && char.IsUpper(reason[0]), $"{one}: '{reason}'");
        }
        Assert.Equal(Table.Select(line => line.Line), Table.Select(line => line.Line).Where(hit.Contains));
    }

    public static TheoryData<ItemFacts, string> Reasons => new()
    {
        { Good, "Restored and checked 3 d ago on host b. The newest recovery point is 2 h old." },
        { Good with { ProofHost = null }, "Restored and checked 3 d ago. The newest recovery point is 2 h old." },
        { Good with { ReceivesLog = true, LogUntil = Now.AddSeconds(-12) },
            "Restored and checked 3 d ago on host b. The newest moment that can be restored to is 12 s old." },
        { Good with { Proof = null, ProofAt = null }, "It was never test-restored. The newest recovery point is 2 h old." },
        { Good with { ProofAt = Now.AddDays(-36) },
            "The last test restore is 36 d old, and one counts for 35 d. The newest recovery point is 2 h old." },
        { Good with { DrillEvery = TimeSpan.FromDays(7), ProofAt = Now.AddDays(-9) },
            "Its test restore is overdue by 2 d: restored and checked 9 d ago on host b, wanted every 7 d. "
            + "The newest recovery point is 2 h old." },
        { Good with { LastPointAt = Now },
            "The newest recovery point is incomplete; the newest complete one is 2 h old, inside the objective of 24 h." },
        { Good with { LastCompleteAt = Now.AddHours(-30), LastPointAt = Now.AddHours(-30) },
            "The newest complete recovery point is 30 h old; the objective is 24 h." },
        { Good with { Rpo = TimeSpan.FromMinutes(5), ReceivesLog = true, LogUntil = Now.AddMinutes(-6) },
            "The newest moment that can be restored to is 6 min old; the objective is 5 min. Its log is not stored as it is written." },
        { Good with { Damage = "pack 9f is missing." }, "A check of its repository found damage: pack 9f is missing." },
        { Good with { Proof = ProofResult.Failed, ProofReason = "2 files differ" }, "The last test restore failed: 2 files differ." },
        { Good with { IsHostOnline = false, LastSeenAt = Now.AddMinutes(-26) },
            "Its host has been silent for 26 min. The newest recovery point is 2 h old." },
    };

    [Theory]
    [MemberData(nameof(Reasons))]
    public void The_reason_says_what_was_proven_when_and_where_and_how_old_the_newest_is(ItemFacts facts, string reason)
        => Assert.Equal(reason, ItemStates.Of(facts, Now).Reason);

    [Theory]
    [InlineData(7, 7.69, ItemState.Proven)]      // a tenth of a week later
    [InlineData(7, 7.71, ItemState.Unproven)]
    [InlineData(30, 30.99, ItemState.Proven)]    // a day later at most
    [InlineData(30, 31.01, ItemState.Unproven)]
    [InlineData(0, 34.9, ItemState.Proven)]      // none by schedule
    [InlineData(0, 35.1, ItemState.Unproven)]    // but the proof does not count any more
    public void A_test_restore_is_overdue_a_little_after_it_is_due(double every, double days, ItemState expected)
        => Assert.Equal(expected, ItemStates.Of(Good with
        {
            DrillEvery = TimeSpan.FromDays(every),
            ProofAt = Now.AddDays(-days),
        }, Now).State);

    [Fact]
    public void Every_state_has_its_place_among_the_worse_and_the_better()
    {
        Assert.Equal(Enum.GetValues<ItemState>().Order(), ItemStates.WorstFirst.Order());
        Assert.Equal(ItemState.Failed, ItemStates.Worse(ItemState.Overdue, ItemState.Failed));
        Assert.Equal(ItemState.Proven, ItemStates.Worse(ItemState.Proven, ItemState.Off));
        Assert.Equal(ItemState.New, ItemStates.Worse(null, ItemState.New));
    }

    [Theory]
    [InlineData(5, "5 s")]
    [InlineData(3599, "59 min")]
    [InlineData(7800, "2 h 10 min")]
    [InlineData(172800, "2 d")]
    [InlineData(-5, "0 s")]
    public void A_duration_is_told_in_two_units_at_most(int seconds, string words)
        => Assert.Equal(words, ItemStates.Words(TimeSpan.FromSeconds(seconds)));
}
