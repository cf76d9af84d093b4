using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runs;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>The pages over what an older version wrote.</summary>
[Collection(Browser.OneVisitor)]
public sealed class UpgradedPagesTests(PostgresServer server, Browser browser)
{
    static readonly CancellationToken None = CancellationToken.None;

    static readonly string[] Lists = ["/", "/items", "/policies", "/agents", "/points", "/restore", "/jobs", "/storage", "/evidence",
        "/audit", "/alerts", "/approvals", "/nodes", "/settings/users", "/settings/keys", "/settings/notifications"];

    [Fact]
    public async Task Each_list_and_each_thing_of_an_upgraded_installation_opens()
    {
        await using var node = await ConsoleNode.StartUpgraded(server);
        await using var visit = await browser.Visit(node.Url, script: false);
        await visit.SignIn(first: true, oneTimePassword: FormerDatabase.OneTimePassword);
        var pages = Lists.ToList();
        foreach (var policy in await node.Get<ListPolicies>().Handle(ConsoleNode.System, new ListPoliciesRequest(), None))
            pages.AddRange([$"/policies/{policy.Id}", $"/policies/{policy.Id}/edit", $"/policies/{policy.Id}/versions",
                .. policy.Items.Select(item => $"/items/{item.Id}")]);
        pages.AddRange((await node.Get<ListRuns>().Handle(ConsoleNode.System, new ListRunsRequest(), None)).Runs
            .Select(run => $"/runs/{run.Id}"));
        pages.AddRange((await node.Get<ListLocations>().Handle(ConsoleNode.System, new ListLocationsRequest(), None))
            .Select(location => $"/storage/locations/{location.Id}"));
        var wrong = new List<string>();
        foreach (var page in pages)
        {
            await visit.Go(page);
            if (await visit.Page.Locator(".problem").CountAsync() > 0) wrong.Add(page);
        }

        Assert.Empty(wrong);
        Assert.True(pages.Count > 26, $"{pages.Count} pages");
        visit.IsClean();
    }
}
