using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;

namespace BackupDr.Contracts.Tests;

public sealed class FilePathTests
{
    // Any bytes but NUL, with the awkward ones more often: backslash, slash, invalid UTF-8, the letters of escapes.
    static readonly Arbitrary<byte[]> Names = Gen.ArrayOf(Gen.Frequency(
        (3, Gen.Elements((byte)'\\', (byte)'/', (byte)'x', (byte)'0', (byte)'\n', (byte)0xc3, (byte)0xa9, (byte)0xff)),
        (2, Gen.Choose(1, 255).Select(value => (byte)value)))).ToArbitrary();

    [Fact]
    public void Any_bytes_survive_the_text_form()
        => Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000),
        Prop.ForAll(Names, bytes => FilePath.Parse(new FilePath(bytes).ToString()).Bytes.SequenceEqual(bytes)));

    [Fact]
    public void Any_bytes_survive_json()
        => Check.One(Config.QuickThrowOnFailure.WithMaxTest(500), Prop.ForAll(Names, bytes =>
            JsonSerializer.Deserialize<FilePath>(JsonSerializer.Serialize(new FilePath(bytes))).Bytes.SequenceEqual(bytes)));

    [Fact]
    public void Different_bytes_never_share_a_text()
        => Check.One(Config.QuickThrowOnFailure.WithMaxTest(2_000), Prop.ForAll(Names, Names, (one, other) =>
            one.AsSpan().SequenceEqual(other) == (new FilePath(one).ToString() == new FilePath(other).ToString())));

    [Theory]
    [InlineData("/srv/data", "/srv/data")]
    [InlineData(@"/a\b", @"/a\\b")]
    [InlineData("/Ünïcode", "/Ünïcode")]
    [InlineData("a\nb", "a\nb")]
    public void Ordinary_text_stays_readable(string typed, string shown) => Assert.Equal(shown, FilePath.FromText(typed).ToString());

    [Fact]
    public void A_byte_that_is_no_text_is_shown_in_hex() => Assert.Equal(@"caf\xe9", new FilePath([.. "caf"u8, 0xe9]).ToString());

    [Theory]
    [InlineData(@"/a\b")]
    [InlineData(@"/a\")]
    [InlineData(@"/a\xg0")]
    [InlineData(@"/a\x1")]
    public void A_backslash_that_starts_no_escape_is_refused(string text)
        => Assert.Equal("path", Assert.Throws<BadInputException>(() => FilePath.Parse(text)).Field);

    [Fact]
    public void A_NUL_byte_is_refused_also_as_an_escape()
    {
        Assert.Throws<BadInputException>(() => FilePath.FromText("a\0b"));
        Assert.Throws<BadInputException>(() => FilePath.Parse(@"a\x00b"));
    }

    [Theory]
    [InlineData("/", "a", "/a")]
    [InlineData("/srv", "a", "/srv/a")]
    [InlineData("/srv/", "a", "/srv/a")]
    [InlineData("", "a", "a")]
    public void Joining_puts_one_slash_between(string folder, string name, string joined)
        => Assert.Equal(joined, FilePath.FromText(folder).Join(FilePath.FromText(name).Bytes).ToString());

    [Fact]
    public void Parts_leave_out_what_names_nothing()
        => Assert.Equal(["srv", "..", "a"], FilePath.FromText("//srv/./../a/").Parts().Select(part => part.ToString()));

    [Fact]
    public void The_name_is_what_follows_the_last_slash()
    {
        Assert.Equal("b", FilePath.FromText("/a/b").Name.ToString());
        Assert.Equal("b", FilePath.FromText("b").Name.ToString());
        Assert.True(FilePath.FromText("/a/").Name.IsEmpty);
    }

    [Fact]
    public void Equality_is_by_bytes()
    {
        Assert.True(FilePath.FromText("/é") == FilePath.Parse(@"/\xc3\xa9"));
        Assert.Equal(FilePath.FromText("/é").GetHashCode(), FilePath.Parse(@"/\xc3\xa9").GetHashCode());
        Assert.True(default == FilePath.FromText(""));
    }
}
