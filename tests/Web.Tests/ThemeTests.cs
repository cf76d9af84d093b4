using BackupDr.Web.Layout;

namespace BackupDr.Web.Tests;

public sealed class ThemeTests
{
    [Theory]
    [InlineData("/policies?tab=a", "/policies?tab=a")]
    [InlineData("//evil.example", "/")]
    [InlineData("/\\evil.example", "/")]
    [InlineData("https://evil.example/", "/")]
    [InlineData("/a\nSet-Cookie: b", "/")]
    [InlineData(null, "/")]
    public void A_form_can_lead_back_only_into_this_console(string? back, string expected) => Assert.Equal(expected, Theme.Local(back));
}
