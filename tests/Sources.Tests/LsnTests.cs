using BackupDr.Sources.PostgreSql;

namespace BackupDr.Sources.Tests;

public sealed class LsnTests
{
    [Theory]
    [InlineData("0/4140DE0", 0x4140DE0UL)]
    [InlineData("1A/FF000028", 0x1AFF000028UL)]
    [InlineData("FFFFFFFF/FFFFFFFF", ulong.MaxValue)]
    public void A_position_is_read_and_written_as_the_server_does(string text, ulong value)
    {
        Assert.Equal(value, Lsn.Parse(text).Value);
        Assert.Equal(text, Lsn.Parse(text).ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("4140DE0")]
    [InlineData("0/")]
    [InlineData("/1")]
    [InlineData("0/123456789")]
    [InlineData("0/-1")]
    [InlineData("0/ 1")]
    public void What_is_no_position_is_refused(string text) => Assert.False(Lsn.TryParse(text, out _));

    [Theory]
    [InlineData(16 << 20, 0x1_0000_0000UL, "000000030000000100000000")]
    [InlineData(16 << 20, 0xFF00_0000UL, "0000000300000000000000FF")]
    [InlineData(64 << 20, 0x1_0400_0000UL, "000000030000000100000001")]
    [InlineData(1 << 30, 0xC000_0000UL, "000000030000000000000003")]
    public void A_segment_is_named_by_its_size(int segmentBytes, ulong lsn, string name)
    {
        var segment = WalSegment.Of(3, new Lsn(lsn), segmentBytes);

        Assert.Equal(name, segment.Name(segmentBytes));
        Assert.True(WalSegment.TryParse(name, segmentBytes, out var read));
        Assert.Equal(segment, read);
        Assert.Equal(lsn, segment.Start(segmentBytes).Value);
    }

    [Theory]
    [InlineData("0000000300000000000000ff")]
    [InlineData("00000003000000000000010")]
    [InlineData("000000030000000000000100")]
    [InlineData("000000000000000000000001")]
    [InlineData("000000030000000000000001.partial")]
    public void What_is_no_segment_of_16_MiB_is_refused(string name) => Assert.False(WalSegment.TryParse(name, 16 << 20, out _));

    [Fact]
    public void A_history_tells_which_timeline_the_log_is_on()
    {
        var history = TimelineHistory.Parse(3,
            "1\t0/3000000\tno recovery target specified\n\n# a remark\n2\t0/5000000\tat restore point \"x\"\n");

        Assert.Equal([1u, 1u, 2u, 3u], new[] { 0x2FFFFFFUL, 0UL, 0x3000000UL, 0x5000000UL }.Select(lsn
            => history.TimelineAt(new Lsn(lsn))));
        Assert.True(history.Contains(1, new Lsn(0x3000000)));
        Assert.False(history.Contains(1, new Lsn(0x3000001)));
        Assert.True(history.Contains(2, new Lsn(0x4000000)));
        Assert.False(history.Contains(4, new Lsn(0x4000000)));
    }

    [Theory]
    [InlineData("1")]
    [InlineData("x\t0/3000000\tno")]
    [InlineData("3\t0/3000000\tits own parent")]
    [InlineData("1\tnowhere\tno")]
    public void A_line_that_is_none_is_named(string text)
        => Assert.Contains(text.Split('\t')[0], Assert.Throws<SourceException>(() => TimelineHistory.Parse(3, text)).Message,
            StringComparison.Ordinal);
}
