using BackupDr.Contracts.Rules.Evidence;

namespace BackupDr.Contracts.Tests.Rules;

public sealed class CanonicalJsonTests
{
    [Fact]
    public void The_example_of_RFC_8785_comes_out_as_the_RFC_prints_it()
    {
        const string input = """
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """;

        const string expected =
            """{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}""";
        Assert.Equal(expected, CanonicalJson.Write(input));
    }

    [Theory]
    [InlineData("0", "0")]
    [InlineData("-0.0", "0")]
    [InlineData("1", "1")]
    [InlineData("100", "100")]
    [InlineData("-1.50", "-1.5")]
    [InlineData("1e20", "100000000000000000000")]
    [InlineData("1e21", "1e+21")]
    [InlineData("123456789012345680000", "123456789012345680000")]
    [InlineData("1e-6", "0.000001")]
    [InlineData("1e-7", "1e-7")]
    [InlineData("9007199254740993", "9007199254740992")]
    [InlineData("5e-324", "5e-324")]
    [InlineData("1.7976931348623157e308", "1.7976931348623157e+308")]
    public void Numbers_are_written_as_ECMAScript_does(string number, string canonical)
        => Assert.Equal(canonical, CanonicalJson.Write(number));

    [Fact]
    public void Members_are_ordered_by_UTF_16_code_units()
        => Assert.Equal("{\"\\r\":1,\"1\":2,\"\u0080\":3,\"ö\":4,\"€\":5,\"😀\":6,\"\ufb33\":7}",
            CanonicalJson.Write("{\"€\":5,\"\\r\":1,\"\ufb33\":7,\"1\":2,\"😀\":6,\"\u0080\":3,\"ö\":4}"));

    [Fact]
    public void An_object_with_a_name_twice_has_no_canonical_form()
        => Assert.Throws<ArgumentException>(() => CanonicalJson.Write("""{"a":1,"a":2}"""));
}
