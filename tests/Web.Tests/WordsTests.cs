using BackupDr.Web.Parts;

namespace BackupDr.Web.Tests;

public sealed class WordsTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1024, "1 KiB")]
    [InlineData(1_536, "1.5 KiB")]
    [InlineData(1_717_986_918, "1.6 GiB")]
    [InlineData(44_112_332_211, "41.1 GiB")]
    [InlineData(1_023_999_999_999, "954 GiB")]
    public void A_size_has_three_digits_that_matter(long bytes, string text) => Assert.Equal(text, Words.Size(bytes));

    [Theory]
    [InlineData(0.4, "under 1 s")]
    [InlineData(59, "59 s")]
    [InlineData(60, "1 min")]
    [InlineData(3_700, "1 h 1 min")]
    [InlineData(86_400, "24 h")]
    [InlineData(180_000, "2 d 2 h")]
    public void A_duration_has_at_most_two_units(double seconds, string text)
        => Assert.Equal(text, Words.Duration(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(-2, "just now")]
    [InlineData(-90, "1 min ago")]
    [InlineData(7_300, "in 2 h")]
    [InlineData(-259_200, "3 d ago")]
    public void An_age_says_on_which_side_of_now_it_lies(int seconds, string text)
    {
        var now = new DateTimeOffset(2026, 11, 21, 3, 0, 0, TimeSpan.Zero);

        Assert.Equal(text, Words.Ago(now.AddSeconds(seconds), now));
    }

    [Theory]
    [InlineData(2026, "Sat 21 Feb, 03:00")]
    [InlineData(2027, "Sat 21 Feb 2026, 03:00")]
    public void A_moment_of_another_year_says_which(int nowYear, string text)
        => Assert.Equal(text, Words.Moment(new DateTimeOffset(2026, 2, 21, 3, 0, 0, TimeSpan.Zero),
            new DateTimeOffset(nowYear, 11, 21, 3, 0, 0, TimeSpan.Zero)));

    [Fact]
    public void One_thing_is_singular_and_many_have_separators()
    {
        Assert.Equal("1 file", Words.Count(1, "file"));
        Assert.Equal("12,345 entries", Words.Count(12_345, "entry", "entries"));
    }
}
