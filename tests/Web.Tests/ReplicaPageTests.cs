using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

[Collection(Browser.OneVisitor)]
public sealed class ReplicaPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task A_repository_gets_a_further_place_and_the_page_says_how_far_that_is_behind()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Get<CreateLocation>().Handle(ConsoleNode.System, new CreateLocationRequest
        {
            Name = "On each host",
            Path = FilePath.FromText("/var/lib/backups"),
        }, default);
        var policy = await node.Get<CreatePolicy>().Handle(ConsoleNode.System, new CreatePolicyRequest
        {
            Items = [new NewItem(agent.Host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } })],
        }, default);
        var repository = Assert.Single(await Repositories(node));
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("In one place only");
        await visit.Shot("replica-none");
        var far = await node.Get<CreateLocation>().Handle(ConsoleNode.System, new CreateLocationRequest
        {
            Name = "Second region",
            Kind = LocationKind.S3,
            Address = "s3:https://s3.second.example.org/backups",
            Credentials = new StoreCredentials { AccessKey = "AKIAEXAMPLE", SecretKey = "not shown" },
        }, default);
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await visit.Go($"/storage/{repository.Id}");
        await visit.Page.GetByLabel("Keep it also in").SelectOptionAsync(far.Id.ToString());
        // What is chosen stays when the page brings itself up to date.
        await visit.Page.EvaluateAsync("document.getElementById('places').dataset.before = '1'; document.activeElement.blur()");
        await node.Get<RunPolicy>().Handle(ConsoleNode.System, new RunPolicyRequest(policy.Id), default);
        await visit.Page.Locator("#places:not([data-before])").WaitForAsync();
        Assert.Equal(far.Id.ToString(), await visit.Page.GetByLabel("Keep it also in").InputValueAsync());
        await visit.Press("Add place");
        await visit.Reads("s3:https://s3.second.example.org/backups/");
        var page = await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Replicate, State: RunState.Complete }));
        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("Equal");
        await visit.Reads("Who can read it, and who can delete");
        await visit.Shot("replica-equal");

        var run = page.Runs.First(run => run.Kind == JobKind.Replicate);
        await visit.Go($"/runs/{run.Id}");
        await visit.Reads("Second region");
        await visit.Shot("replica-run");
        await visit.Go($"/storage/{repository.Id}");
        await visit.Press("Remove");
        await visit.Shot("replica-remove");
        await visit.Page.RunAndWaitForResponseAsync(() => visit.Press("Stop replicating to it"), answer => answer.Request.Method == "POST");
        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("In one place only");
        visit.IsClean();
    }

    static Task<IReadOnlyList<RepositorySummary>> Repositories(ConsoleNode node)
        => node.Get<ListRepositories>().Handle(ConsoleNode.System, new ListRepositoriesRequest(), default);
}
