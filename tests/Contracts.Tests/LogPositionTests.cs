using BackupDr.Contracts.Agents;

namespace BackupDr.Contracts.Tests;

public sealed class LogPositionTests
{
    [Theory]
    [InlineData("0/4140DE0", true)]
    [InlineData("FFFFFFFF/FFFFFFFF", true)]
    [InlineData("bin.000017.1763782343:4711", true)]
    [InlineData("my-bin.with.dots.000017.1763782343:4", true)]
    [InlineData("", false)]
    [InlineData("0/", false)]
    [InlineData("/1", false)]
    [InlineData("1/2/3", false)]
    [InlineData("123456789/0", false)]
    [InlineData("0/x", false)]
    [InlineData("bin.000017:4711", false)]           // of which numbering?
    [InlineData(".000017.1763782343:4711", false)]
    [InlineData("bin.000017.1763782343:", false)]
    [InlineData("bin.0000000017.1763782343:4711", false)]
    public void A_position_is_one_of_a_known_kind(string text, bool isOne) => Assert.Equal(isOne, LogPosition.Is(text));

    [Fact]
    public void A_position_is_told_as_administrators_write_it()
    {
        Assert.Equal("bin.000017:4711", LogPosition.Words(LogPosition.OfBinlog("bin.000017", 1763782343, 4711)));
        Assert.Equal("0/4140DE0", LogPosition.Words("0/4140DE0"));
    }
}
