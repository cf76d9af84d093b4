using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

[Collection(Browser.OneVisitor)]
public sealed class GatewayPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task A_gateway_is_added_with_a_quota_and_its_repository_gets_a_user()
    {
        using var disk = new ScratchFolder();
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go("/storage");
        await visit.Follow("Add a location");
        await visit.Follow("Gateway");
        await visit.Reads("they add to it and delete nothing");
        await visit.Fill("Name", "NAS");
        await visit.Fill("Folder", disk.At("nas"));
        await visit.Fill("Quota for each host, in GiB", "many");
        await visit.Press("Add location");
        await visit.Reads("is no number of GiB");
        await visit.Shot("gateway-refused");
        visit.Forgive("400");
        await visit.Fill("Quota for each host, in GiB", "500");
        await visit.Press("Add location");
        await visit.Reads("through the nodes, by every agent for its own host");
        await visit.Shot("gateway-added");

        var location = Assert.Single(await node.Get<ListLocations>().Handle(ConsoleNode.System, new ListLocationsRequest(), default));
        Assert.Equal((LocationKind.Gateway, 500L << 30), (location.Kind, location.QuotaBytes));
        await node.Get<CreatePolicy>().Handle(ConsoleNode.System, new CreatePolicyRequest
        {
            Items = [new NewItem(agent.Host, new SourceSpec { Files = new FilesSpec { Paths = [FilePath.FromText("/srv/data")] } })],
            Location = location.Id,
        }, default);
        var repository = Assert.Single(await node.Get<ListRepositories>()
            .Handle(ConsoleNode.System, new ListRepositoriesRequest(), default));

        await visit.Go($"/storage/{repository.Id}");
        await visit.Press("Make the user");
        await visit.Press("Make it");
        await visit.Reads($"rest:https://{repository.Id}:");
        await visit.Shot("gateway-user");
        await visit.Go($"/storage/{repository.Id}");
        await visit.Press("Remove the user");
        await visit.Shot("gateway-user-remove");
        await visit.Page.RunAndWaitForResponseAsync(() => visit.Press("Remove it"), answer => answer.Request.Method == "POST");
        await visit.Go("/audit");
        await visit.Reads("gateway.user_remove");
        visit.IsClean();
    }
}
