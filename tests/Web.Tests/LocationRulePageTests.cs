using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Repositories;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>A person locks what is put into a bucket, or moves its old packs, and sees what becomes of that.</summary>
[Collection(Browser.OneVisitor)]
public sealed class LocationRulePageTests(PostgresServer server, S3Server s3, Browser browser)
{
    [Fact]
    public async Task A_bucket_that_cannot_lock_is_refused_and_one_that_can_is_taken()
    {
        var (plain, locked) = (await s3.NewBucket("fleet"), await s3.NewLockedBucket());
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go("/storage/new?kind=S3");
        await Fill(visit, plain.ToString());
        await visit.Page.GetByText("Lock what is put there").ClickAsync();
        await visit.Fill("Lock for, in days", "30");
        await visit.Page.GetByText("Move old packs to a cooler class").ClickAsync();
        await visit.Reads("Only packs with nothing but content of files move");
        await visit.Shot("rules-form");
        await visit.Press("Add location");
        await visit.Reads("Nothing can be locked there");
        await visit.Shot("rules-refused");
        visit.Forgive("400");
        await Fill(visit, locked.ToString());
        await visit.Press("Add location");
        await visit.Reads("cannot be deleted for 30 days");
        await visit.Shot("rules-locked");
        await visit.Page.GetByText("Change the class").ClickAsync();
        await visit.Page.GetByLabel("Move data packs to").SelectOptionAsync("GLACIER");
        await visit.Press("Save the class");
        await visit.Reads("Packs that are locked are not moved");
        await visit.Shot("rules-both");
        visit.Forgive("400");
        visit.IsClean();

        var location = Assert.Single(await node.Get<ListLocations>().Handle(ConsoleNode.System, new ListLocationsRequest(), default));
        Assert.Equal((new LocationLock(30), null), (location.Lock, location.Tier));
    }

    static async Task Fill(Visit visit, string address)
    {
        await visit.Fill("Name", "Bucket");
        await visit.Fill("Address", address);
        await visit.Fill("Access key", S3Server.Access);
        await visit.Fill("Secret key", S3Server.Secret);
    }

    [Fact]
    public async Task A_repository_says_what_was_moved_and_moves_now()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        var location = await node.Get<CreateLocation>().Handle(ConsoleNode.System, new CreateLocationRequest
        {
            Name = "Container",
            Kind = LocationKind.Azure,
            Address = "azure:backups:/",
        }, default);
        await node.Protect(agent.Host, "/srv/data");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        var repository = Assert.Single(await node.Get<ListRepositories>().Handle(ConsoleNode.System, new ListRepositoriesRequest(),
            default));
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/storage/locations/{location.Id}");
        await visit.Reads("Packs stay in the class into which they are put.");
        await visit.Page.GetByText("Change the class").ClickAsync();
        await visit.Page.GetByLabel("Move data packs to").SelectOptionAsync("Archive");
        await visit.Fill("When older than, in days", "180");
        await visit.Shot("tier-form");
        await visit.Press("Save the class");
        await visit.Reads("when they are older than 180 days");
        await visit.Shot("tier-location");
        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("Nothing was moved yet.");
        await visit.Press("Tier now");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Tier, State: RunState.Complete }));
        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("moved to Archive");
        await visit.Reads("Nothing was read back yet.");
        await visit.Press("Check now");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Check, State: RunState.Incomplete }));
        await visit.Go($"/storage/{repository.Id}");
        await visit.Reads("it is in the index, but not in the store");
        await visit.Shot("tier-repository");
        await visit.Follow("The last run");
        await visit.Reads("too young");
        await visit.Shot("tier-run");
        visit.IsClean();
    }
}
