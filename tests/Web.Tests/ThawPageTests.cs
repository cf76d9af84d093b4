using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>A person restores what lies in an archive: is told what that takes, says yes, and sees it wait.</summary>
[Collection(Browser.OneVisitor)]
public sealed class ThawPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task What_a_thaw_takes_is_told_and_the_restore_waits_for_it()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Get<CreateLocation>().Handle(ConsoleNode.System, new CreateLocationRequest
        {
            Name = "Container",
            Kind = LocationKind.Azure,
            Address = "azure:backups:/",
        }, default);
        await node.Protect(agent.Host, "/srv/data");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        var point = (await node.Get<ListRecoveryPoints>().Handle(ConsoleNode.System, new ListRecoveryPointsRequest(), default))[0];
        agent.Archived = new ArchivedPacks
        {
            Packs = 420,
            Bytes = 6_979_321_856,
            Classes = ["Archive"],
            Time = "up to 15 hours",
            Cost = 0.143,
            Words = "420 packs (6.5 GiB) in Archive; a thaw takes up to 15 hours and costs about 0.14 USD",
        };
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Page.Clock.InstallAsync();
        await visit.Go($"/restore/new?point={point.Id}");
        await visit.Page.GetByText("If it lies in an archive").ClickAsync();
        await visit.Shot("thaw-restore");
        await visit.Press("beside, as", exact: false);
        await visit.Reads("It lies in an archive");
        await visit.Reads("0.14 USD");
        await visit.Shot("thaw-told");
        await visit.Fill("Your price for a GiB, in USD", "0.05");
        await visit.Page.GetByLabel("Your price for a GiB, in USD").BlurAsync();
        await visit.Reads("0.33 USD");   // 6.5 GiB
        await visit.Fill("Days that it stays readable", "0");
        await visit.Press("Thaw and restore");
        await visit.Reads("0 days are no time.");
        visit.Forgive("400");
        await visit.Fill("Days that it stays readable", "3");
        await visit.Page.GetByLabel("Days that it stays readable").BlurAsync();
        await LooksAgain(visit);
        await LooksAgain(visit);   // asked only after the first answer is on the page
        Assert.Equal("3", await visit.Page.GetByLabel("Days that it stays readable").InputValueAsync());
        await visit.Press("Thaw and restore");
        await visit.Reads("nothing is asked for twice");
        await visit.Reads("Wait for the thaw");
        await visit.Shot("thaw-waits");
        var waiting = (await node.Until(page => page.Waiting == 1)).Runs.First(run => run.State == RunState.Queued);
        await visit.Press("Cancel");
        await visit.Press("Stop this run");
        await visit.Reads("Cancelled");
        await visit.Shot("thaw-cancelled");
        visit.IsClean();

        Assert.Equal((420, 1, JobKind.Restore), (waiting.Thawing!.Thawing, waiting.Looks, waiting.Kind));
    }

    /// <summary>The page looks every 15 seconds whether something has changed.</summary>
    static Task LooksAgain(Visit visit) => visit.Page.RunAndWaitForResponseAsync(() => visit.Page.Clock.FastForwardAsync(15_000),
        answer => answer.Request.Headers.ContainsKey("x-fragment"));
}
