using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

[Collection(Browser.OneVisitor)]
public sealed class RecoveryKitPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task The_home_page_asks_for_it_until_it_was_downloaded()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);
        await visit.Go("/storage");
        await visit.Reads("there is nothing to put into it");
        await visit.Shot("kit-empty");
        await node.Get<CreatePolicy>().Handle(ConsoleNode.System, new CreatePolicyRequest
        {
            Items = [new NewItem(agent.Host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } })],
        }, default);
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));

        await visit.Go("/");
        await visit.Reads("The recovery kit was not downloaded yet");
        await visit.Shot("kit-home");
        await visit.Follow("To the recovery kit");
        await visit.Shot("kit-due");
        var download = await visit.Page.RunAndWaitForDownloadAsync(() => visit.Press("Download the recovery kit"));

        Assert.Matches("^backupdr-recovery-kit-[0-9-]{10}\\.txt$", download.SuggestedFilename);
        var text = await File.ReadAllTextAsync(await download.PathAsync(), TestContext.Current.CancellationToken);
        Assert.Contains("export RESTIC_PASSWORD=", text, StringComparison.Ordinal);
        await visit.Go("/storage");
        await visit.Reads("nothing was added since");
        await visit.Shot("kit-whole");
        await visit.Go("/");
        Assert.Equal(0, await visit.Page.GetByText("recovery kit").CountAsync());
        visit.IsClean();
    }
}
