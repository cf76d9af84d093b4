using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests;

public sealed class PolicyTemplateTests
{
    public static TheoryData<string, bool> Each => [.. PolicyTemplate.All.SelectMany(one => new[] { (one.Name, false), (one.Name, true) })];

    [Theory, MemberData(nameof(Each))]
    public void A_template_is_a_policy_that_may_be_and_is_known_again(string name, bool hasLog)
    {
        var template = PolicyTemplate.Find(name.ToLowerInvariant())!;
        var own = new PolicySpec
        {
            Schedule = new ScheduleSpec { Cron = "0 3 * * *", TimeZone = "Europe/Berlin" },
            Hooks = new HooksSpec { Before = "stop-shop" },
            Proof = new ProofSpec { Assertions = ["select true"], DrillEvery = TimeSpan.Zero },
        };

        var filled = template.Over(own, hasLog);

        Assert.Empty(DueTimes.Problems(filled, hasLog));
        Assert.Equal(template, PolicyTemplate.Of(filled, hasLog));
        Assert.Equal(("Europe/Berlin", null), (filled.Schedule.TimeZone, filled.Schedule.Cron));
        Assert.Equal(("stop-shop", "select true"), (filled.Hooks?.Before, filled.Proof.Assertions.Single()));
        Assert.Null(PolicyTemplate.Of(filled with { Rto = TimeSpan.FromMinutes(7) }, hasLog));
    }

    [Fact]
    public void Standard_is_every_default_and_Gold_keeps_more_than_Bronze()
    {
        Assert.Equal(PolicyTemplate.Standard, PolicyTemplate.Of(new PolicySpec()));
        Assert.True(PolicyTemplate.Gold.Spec.Rto < PolicyTemplate.Standard.Spec.Rto);
        Assert.True(PolicyTemplate.Standard.Spec.Rto < PolicyTemplate.Bronze.Spec.Rto);
        Assert.True(PolicyTemplate.Gold.Spec.Retention.KeepDaily > PolicyTemplate.Bronze.Spec.Retention.KeepDaily);
        Assert.Null(PolicyTemplate.Find("Platinum"));
    }
}
