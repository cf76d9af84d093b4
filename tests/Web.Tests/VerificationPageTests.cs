using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>What was proven and read back on one page, the same for a screen on a wall, and the way from a day to its runs.</summary>
[Collection(Browser.OneVisitor)]
public sealed class VerificationPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task What_is_late_is_tried_at_once_and_what_was_read_back_is_seen()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        var item = (await node.Protect(agent.Host, "/srv/data", "Documents")).Items[0];
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await node.Get<Postgres>().Execute("update recovery_point set proof_at = clock() - interval '32 days'", [], default);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        visit.Clicks = 0;
        await visit.Follow("Verification");
        await visit.Sees("Stored data read back");
        await visit.Reads("Late");
        await visit.Reads("not checked");
        await visit.Reads("not all was read yet");
        await visit.Shot("verification-late");
        await visit.Press($"Test restore now: {item.Name}");
        await visit.Sees($"Drill {item.Name}");
        Assert.Equal(2, visit.Clicks);
        await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Drill, State: RunState.Complete }) == 2);

        await visit.Go("/verification");
        Assert.Equal(0, await visit.Page.GetByText("Late", new() { Exact = true }).CountAsync());
        await visit.Press("Check now: web-1");
        await visit.Sees("Check the repository of web-1");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Check, FinishedAt: not null }));
        await visit.Go("/verification");
        await visit.Reads("Damaged");   // what the scripted agent finds
        await visit.Reads("1 error");
        await visit.Shot("verification-damaged");
        visit.IsClean();
    }

    [Fact]
    public async Task A_screen_on_the_wall_is_dark_and_large_and_a_day_leads_to_its_runs()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Protect(agent.Host, "/srv/data", "Documents");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Follow("For a screen on the wall");
        await visit.Reads("Yes. The one protected item can be restored.");
        await visit.Ready();
        Assert.Equal("dark", await visit.Page.GetAttributeAsync("html", "data-theme"));
        Assert.Matches("^[0-9]{2}:[0-9]{2} UTC$", await visit.Page.InnerTextAsync("time[data-clock]"));
        Assert.Equal(0, await visit.Page.Locator("button, input, select").CountAsync());
        Assert.Equal(["/srv/data on web-1"], await visit.Page.Locator(".wall-items b").AllInnerTextsAsync());
        await visit.Shot("wall");

        await visit.Click(visit.Page.Locator(".heat tbody td a").Last);   // today
        await visit.Sees("Jobs");
        Assert.Equal(TimeProvider.System.GetUtcNow().ToString("yyyy-MM-dd"), await visit.Page.InputValueAsync("input[name=day]"));
        Assert.Equal(2, await visit.Page.Locator("#jobs tbody tr").CountAsync());   // the backup and its drill
        await visit.Shot("jobs-of-a-day");
        await visit.Go("/jobs?day=2001-02-03");
        await visit.Reads("No run fits these filters.");
        await visit.Go("/jobs?day=yesterday");
        await visit.Reads("'yesterday' is no day.");
        visit.Forgive("400");
        visit.IsClean();
    }
}
