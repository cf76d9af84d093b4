using System.Text.Json;

namespace BackupDr.Contracts.Tests;

public sealed class TypedIdTests
{
    [Fact]
    public void The_text_form_names_the_kind_and_reads_back()
    {
        var id = RunId.New(TimeProvider.System);

        Assert.StartsWith("run_", id.ToString(), StringComparison.Ordinal);
        Assert.Equal(id, RunId.Parse(id.ToString()));
        Assert.Equal($"\"{id}\"", JsonSerializer.Serialize(id));
        Assert.Equal(id, JsonSerializer.Deserialize<RunId>($"\"{id}\""));
    }

    [Theory]
    [InlineData("host_01940000000070008000000000000001")]
    [InlineData("run_0194000000007000800000000000001")]
    [InlineData("run-01940000000070008000000000000001")]
    [InlineData("run_0194000000007000800000000000000g")]
    [InlineData("01940000000070008000000000000001")]
    [InlineData("")]
    public void Another_kind_of_id_or_no_id_is_refused_with_an_example(string text)
    {
        var e = Assert.Throws<BadInputException>(() => RunId.Parse(text));

        Assert.Equal("run", e.Field);
        Assert.Contains("run_", e.Hint, StringComparison.Ordinal);
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<RunId>(JsonSerializer.Serialize(text)));
    }

    [Fact]
    public void Ids_sort_by_the_moment_they_were_made()
    {
        var earlier = TypedId.New<RunId>(new FixedClock(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)));
        var later = TypedId.New<RunId>(new FixedClock(new(2026, 1, 1, 0, 0, 1, TimeSpan.Zero)));

        Assert.True(string.CompareOrdinal(earlier.ToString(), later.ToString()) < 0);
    }

    [Fact]
    public void Every_kind_of_id_has_its_own_prefix()
    {
        var prefixes = typeof(RunId).Assembly.GetTypes()
            .Where(type => type.GetInterfaces().Any(face => face.IsGenericType && face.GetGenericTypeDefinition() == typeof(ITypedId<>))
            && type.IsValueType)
            .Select(type => (string)type.GetProperty("Prefix")!.GetValue(null)!).ToList();

        Assert.True(prefixes.Count >= 9);
        Assert.Equal(prefixes.Count, prefixes.Distinct().Count());
    }

    sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
