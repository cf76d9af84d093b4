using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Repositories;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>A person adds a repository of stock restic with a mistyped password, then with the right one, restores from it, continues it,
/// and looks again.</summary>
[Collection(Browser.OneVisitor)]
public sealed class AdoptPageTests(PostgresServer server, Browser browser)
{
    const string Password = "restic-s-own-password";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_repository_of_stock_restic_is_added_restored_from_and_continued(bool script)
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url, script);
        await visit.SignIn(first: true);
        await visit.Go("/storage/adopt");
        await visit.Reads("There is no host yet that could reach it");
        await visit.Shot("adopt-no-host");
        await using var agent = await node.Host();

        await Add(visit);
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Adopt, State: RunState.Failed }));
        var repository = Assert.Single(await Repositories(node));
        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("It could not be adopted; nothing uses it.");
        await visit.Reads("Wrong password");
        await visit.Shot("adopt-refused");
        await visit.Page.GetByText("Use another password").ClickAsync();
        await visit.Fill("Password of the repository", Password);
        await visit.Press("Look again with it");
        var adopted = await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Adopt, State: RunState.Complete }));
        await visit.Go($"/runs/{adopted.Runs.First(run => run.State == RunState.Complete).Id}");
        await visit.Reads("all of them are recovery points");
        await visit.Shot("adopt-run");
        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("12 recovery points");
        await visit.Shot("adopt-ready");
        Assert.DoesNotContain(Password, await visit.Page.ContentAsync(), StringComparison.Ordinal);

        await Restore(visit, node);
        await Upkeep(visit, repository.Id.ToString());
        await LookAgain(visit, node, agent, repository.Id.ToString());
        await Continue(visit, node, repository.Id.ToString());
        visit.IsClean();
    }

    static async Task Add(Visit visit)
    {
        await visit.Go("/storage");
        await visit.Shot("adopt-storage-empty");
        await visit.Follow("Add existing repository");
        await visit.Follow("S3");
        await visit.Reads("Secret key");
        await visit.Shot("adopt-s3");
        await visit.Follow("Folder");
        await visit.Reads("Folder on the host");
        await visit.Fill("Name", "Laptops until 2026");
        await visit.Fill("Folder on the host", "srv/restic");
        await visit.Fill("Password of the repository", ScriptedAgent.WrongPassword);
        await visit.Press("Add repository");
        await visit.Reads("is no address of a repository");
        await visit.Shot("adopt-address");
        visit.Forgive("400");
        await visit.Fill("Folder on the host", "/srv/restic");
        await visit.Fill("Password of the repository", ScriptedAgent.WrongPassword);
        await visit.Press("Add repository");
        await visit.Sees("Laptops until 2026");
    }

    static async Task Restore(Visit visit, ConsoleNode node)
    {
        await visit.Go("/restore");
        await visit.Follow("Recovery points of Laptops until 2026");
        await visit.Reads("/srv/data on build-server-17.example.org");
        await visit.Reads("found in an adopted repository");
        await visit.Shot("adopt-points");
        await visit.Page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { NameRegex = new("^Files of") }).First.ClickAsync();
        await visit.Reads("with restic 0.17.3");
        await visit.Reads("readme.md");
        await visit.Shot("adopt-point");
        await visit.Follow("Restore all of it");
        await visit.Reads("/srv/data on build-server-17.example.org");
        await visit.Shot("adopt-restore");
        await visit.Press("Restore /srv/data on build-server-17.example.org beside", exact: false);
        var page = await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Restore, State: RunState.Complete }));
        await visit.Go($"/runs/{page.Runs.First(run => run.Kind == JobKind.Restore).Id}");   // without the script no page follows its run
        await visit.Reads("Restored to");
    }

    static async Task Upkeep(Visit visit, string repository)
    {
        await visit.Go($"/storage/{repository}");
        await visit.Reads("Not allowed");
        await visit.Press("Allow upkeep");
        await visit.Shot("adopt-allow");
        await visit.Page.RunAndWaitForResponseAsync(() => visit.Page.Locator("#allow button.danger").ClickAsync(),
            answer => answer.Request.Method == "POST");
        await visit.Go($"/storage/{repository}");
        await visit.Reads("admin allowed it on");
        await visit.Reads("In one place only");
        await visit.Go("/audit");
        await visit.Reads("repository.upkeep");
    }

    static async Task LookAgain(Visit visit, ConsoleNode node, ScriptedAgent agent, string repository)
    {
        agent.Found = [.. agent.Found.Skip(1)];
        await visit.Go($"/storage/{repository}");
        await visit.Press("Look again");
        await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Adopt, State: RunState.Complete }) == 2);
        await visit.Go($"/storage/{repository}");
        await visit.Reads("1 snapshot was removed meanwhile by somebody else");
        await visit.Shot("adopt-gone");
        await visit.Go($"/points?repository={repository}");
        await visit.Reads("Gone");
        await visit.Page.GetByRole(Microsoft.Playwright.AriaRole.Cell).First.GetByRole(Microsoft.Playwright.AriaRole.Link).ClickAsync();
        await visit.Reads("Nothing can be restored from this point any more.");
        await visit.Shot("adopt-point-gone");
    }

    static async Task Continue(Visit visit, ConsoleNode node, string repository)
    {
        await visit.Go($"/storage/{repository}");
        await visit.Follow("Continue it with a policy");
        await visit.Sees("New policy");
        await visit.Fill("Path", "/srv/data");
        await visit.Shot("adopt-policy");
        await visit.Press("Create policy");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete, Policy: not null }));
        await visit.Go($"/storage/{repository}");
        await visit.Reads("12 recovery points");
        await visit.Go("/storage");
        await visit.Reads("Laptops until 2026");
        await visit.Shot("adopt-storage");
    }

    static Task<IReadOnlyList<RepositorySummary>> Repositories(ConsoleNode node)
        => node.Get<ListRepositories>().Handle(ConsoleNode.System, new ListRepositoriesRequest(), default);
}
