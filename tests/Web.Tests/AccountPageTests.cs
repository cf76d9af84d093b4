using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>What a person sees of itself.</summary>
[Collection(Browser.OneVisitor)]
public sealed class AccountPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task One_of_several_sessions_is_ended_and_the_others_stay()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);
        await using var second = await browser.Visit(node.Url);
        await second.SignIn();
        await using var third = await browser.Visit(node.Url);
        await third.SignIn();

        await visit.Go("/account");
        Assert.Equal(3, await visit.Page.Locator("tbody tr").CountAsync());
        await visit.Shot("account");
        await visit.Press("End the session from", exact: false);
        await visit.Page.Locator("tbody tr").Nth(2).WaitForAsync(new() { State = Microsoft.Playwright.WaitForSelectorState.Detached });
        Assert.Equal(2, await visit.Page.Locator("tbody tr").CountAsync());
        await visit.Go("/");
        await visit.Sees("Home");
        var stillIn = 0;
        foreach (var other in (Visit[])[second, third])
        {
            await other.Go("/");
            if (await other.Page.GetByRole(Microsoft.Playwright.AriaRole.Button, new() { Name = "Sign out" }).CountAsync() > 0) stillIn++;
            other.IsClean();
        }
        Assert.Equal(1, stillIn);
        visit.IsClean();
    }
}
