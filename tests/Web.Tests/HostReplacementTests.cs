using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>A machine was destroyed: two clicks make the command for another one, two more bring back what it held.</summary>
[Collection(Browser.OneVisitor)]
public sealed class HostReplacementTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task A_new_machine_takes_the_place_of_a_lost_one_and_gets_its_items_back()
    {
        using var disk = new ScratchFolder();
        await using var node = await ConsoleNode.Start(server);
        RecoveryPoint[] points;
        await using (var lost = await node.Host("db-eu1"))
        {
            await node.Protect(lost.Host, "/etc");   // in a folder of the machine itself
            var gateway = await node.Get<CreateLocation>().Handle(ConsoleNode.System, new CreateLocationRequest
            {
                Name = "Office",
                Kind = LocationKind.Gateway,
                Path = FilePath.FromText(disk.Path),
            }, default);
            await node.Protect(lost.Host, "/srv/data", location: gateway.Id);
            await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Drill, State: RunState.Complete }) == 2);
            points = await Points(node);
        }
        var host = Assert.Single(await node.Get<ListHosts>().Handle(ConsoleNode.System, new ListHostsRequest(), default)).Id;
        await node.Get<RetireHost>().Handle(ConsoleNode.System, new RetireHostRequest(host), default);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/agents/{host}");
        await visit.Shot("replace-host");
        await visit.Follow("Replace this machine");
        await visit.Reads("That machine then goes on as");
        await visit.Shot("replace-join");
        await visit.Press("Make the command");
        var command = await visit.Page.Locator("#command").TextContentAsync() ?? "";
        var token = command[command.IndexOf("bdr1_", StringComparison.Ordinal)..].Split('\'', '"', ' ', '&')[0];
        await using var agent = await ScriptedAgent.Join(node, token, "rescue-7");
        Assert.Equal(host, agent.Host);
        await visit.Reads("db-eu1 is connected");
        await visit.Shot("replace-joined");
        // What it backs up before it got everything back is not what is brought back.
        foreach (var item in await node.Get<ListItems>().Handle(ConsoleNode.System, new ListItemsRequest(), default))
            await node.Get<RunPolicy>().Handle(ConsoleNode.System, new RunPolicyRequest(item.Policy), default);
        await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Backup, State: RunState.Complete }) == 4);

        await visit.Follow("Bring back its 2 items");
        await visit.Sees("Bring back db-eu1");
        await visit.Reads("Its only repository was a folder of the former machine");
        await visit.Shot("replace-bring-back");
        await visit.Press("Restore the ticked items to where they were");

        await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Restore, State: RunState.Complete }) == 1);
        await visit.Sees("Jobs");
        await visit.Shot("replace-jobs");
        var restore = Assert.Single(agent.Restores);
        var wanted = points.Single(point => point.ItemName.StartsWith("/srv/data", StringComparison.Ordinal));
        Assert.Equal(wanted.SnapshotId, restore.SnapshotId);
        Assert.Equal(("/", OverwritePolicy.Never), (restore.Target.ToString(), restore.Overwrite));
        visit.IsClean();
    }

    static async Task<RecoveryPoint[]> Points(ConsoleNode node)
    {
        var all = new List<RecoveryPoint>();
        foreach (var item in await node.Get<ListItems>().Handle(ConsoleNode.System, new ListItemsRequest(), default))
            all.AddRange(await node.Get<ListRecoveryPoints>().Handle(ConsoleNode.System, new ListRecoveryPointsRequest(item.Id), default));
        return [.. all];
    }
}
