using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts.Rules.Evidence;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class HashChainTests
{
    [Fact]
    public void A_link_is_the_hash_of_the_canonical_record_with_its_number_and_its_predecessor()
    {
        const string record = """{"actor":"ann","previous":"0000000000000000000000000000000000000000000000000000000000000000","seq":"1"}""";

        var hash = HashChain.Link(HashChain.Start, 1, [new("actor", "ann")]);

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(record))), hash);
    }

    [Theory]
    [InlineData("bob", 1)]
    [InlineData("ann", 2)]
    public void Another_member_or_number_makes_another_link(string actor, long seq)
        => Assert.NotEqual(HashChain.Link(HashChain.Start, 1, [new("actor", "ann")]),
            HashChain.Link(HashChain.Start, seq, [new("actor", actor)]));

    [Fact]
    public void A_moment_is_written_in_UTC_with_microseconds()
        => Assert.Equal("2026-11-21T04:05:06.123456Z", HashChain.Moment(new DateTimeOffset(2026, 11, 21, 6, 5, 6, TimeSpan.FromHours(2))
            .AddTicks(1234567)));
}
