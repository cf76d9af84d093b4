using System.Text.Json;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests;

/// <summary>What an older version stored is read with the defaults of this one.</summary>
public sealed class StoredJsonTests
{
    [Fact]
    public void Members_that_a_text_leaves_out_keep_their_defaults()
    {
        var spec = StoredJson.Read<PolicySpec>("""{"rpo":"01:00:00","retention":{"keepLast":5},"proof":{}}""");

        Assert.Equal(TimeSpan.FromHours(1), spec.Rpo);
        Assert.Equal(new PolicySpec().Rto, spec.Rto);
        Assert.Equal((5, new RetentionSpec().KeepHourly, new RetentionSpec().Floor, new RetentionSpec().Trash),
            (spec.Retention.KeepLast, spec.Retention.KeepHourly, spec.Retention.Floor, spec.Retention.Trash));
        Assert.Equal(new ProofSpec().MaximumAge, spec.Proof.MaximumAge);
        Assert.True(spec.Proof.DrillAfterFirst);
        Assert.Equal(new ScheduleSpec().Every, spec.Schedule.Every);
    }

    [Fact]
    public void What_this_version_stores_is_read_as_it_was()
    {
        var source = new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } };
        var spec = new PolicySpec { Retention = new RetentionSpec { KeepDaily = 0, Floor = 7 } };

        Assert.Equal(Text(spec), Text(StoredJson.Read<PolicySpec>(Text(spec))));
        Assert.Equal(JsonSerializer.Serialize(source, WireJson.Default.SourceSpec), JsonSerializer.Serialize(
            StoredJson.Read<SourceSpec>(JsonSerializer.Serialize(source, WireJson.Default.SourceSpec)), WireJson.Default.SourceSpec));

        static string Text(PolicySpec spec) => JsonSerializer.Serialize(spec, WireJson.Default.PolicySpec);
    }

    [Theory]
    [InlineData("null")]
    [InlineData("{")]
    [InlineData("""{"rpo":[]}""")]
    public void What_is_no_such_text_is_refused(string json) => Assert.ThrowsAny<JsonException>(() => StoredJson.Read<PolicySpec>(json));
}
