using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>A person protects a PostgreSQL cluster, sees what can be restored of it, and takes a moment of it back.</summary>
[Collection(Browser.OneVisitor)]
public sealed class ClusterPageTests(PostgresServer server, Browser browser)
{
    readonly DateTimeOffset _now = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());
    int _clicks;

    [Fact]
    public async Task A_cluster_is_protected_in_three_clicks_and_a_moment_comes_back_in_three()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        agent.Clusters.Enqueue(Point("2/10000100", TimeSpan.FromHours(6)));
        agent.Clusters.Enqueue(Point("2/60000100", TimeSpan.FromHours(3)));
        agent.Findings =
        [
            new SourceFinding("backup_right", "The role backupdr may not call pg_backup_start(text,boolean).",
                "GRANT EXECUTE ON FUNCTION pg_backup_start(text,boolean) TO \"backupdr\";", SourceSeverity.Blocking),
            new SourceFinding("data_checksums", "The cluster has no page checksums: broken pages are stored unnoticed.",
                "pg_checksums --enable -D /var/lib/postgresql/16/main   -- while the server is stopped", SourceSeverity.Warning),
        ];
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        var item = await Protect(node, agent, visit);
        await TheTrackBegins(node, agent, visit, item);
        await AMomentComesBack(visit, item);
        await ATableComesBackInFour(agent, visit, item);
        visit.IsClean();
    }

    async Task<Item> Protect(ConsoleNode node, ScriptedAgent agent, Visit visit)
    {
        await visit.Go("/policies");
        await Click(visit.Follow("New policy"));
        await visit.Sees("New policy");
        await Click(visit.Follow("PostgreSQL"));
        await visit.Reads("Stands in the way");
        await visit.Shot("cluster-policy-refused");
        agent.Findings = [];
        _clicks--;   // the server was mended meanwhile: looked at again
        await Click(visit.Press("Look at the server"));
        await visit.Reads("Ready to be backed up");
        await visit.Shot("cluster-policy");
        await Click(visit.Press("Create policy"));
        await visit.Reads("PostgreSQL at /var/run/postgresql:5432");
        Assert.Equal(3, _clicks);
        var item = Assert.Single(await node.Get<ListItems>().Handle(ConsoleNode.System, new ListItemsRequest(), default));
        Assert.Equal(TimeSpan.FromMinutes(5), item.Rpo);
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await visit.Go($"/items/{item.Id}");
        await visit.Reads("No moment can be restored yet");
        await visit.Shot("cluster-item-new");
        return item;
    }

    /// <summary>What an agent tells: a stretch, then another one behind a gap, for which a base backup is taken by itself.</summary>
    async Task TheTrackBegins(ConsoleNode node, ScriptedAgent agent, Visit visit, Item item)
    {
        await Tell(node, agent, item, "2/10000000", "2/50000000", TimeSpan.FromHours(4));
        await Tell(node, agent, item, "2/60000000", "2/9A001500", TimeSpan.FromSeconds(8));
        await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Backup, State: RunState.Complete }) == 2);
        await visit.Go($"/items/{item.Id}");
        await visit.Reads("Being received");
        await visit.Reads("Nothing between these can be restored");
        await visit.Shot("cluster-item");
    }

    async Task AMomentComesBack(Visit visit, Item item)
    {
        var bar = visit.Page.Locator("#track svg.strip").First;
        var box = (await bar.BoundingBoxAsync())!;
        await visit.Page.Mouse.ClickAsync(box.X + box.Width * 0.42f, box.Y + box.Height / 2);
        await visit.Reads("This lies in a gap of the log.");
        Assert.False(await visit.Page.Locator("#track-go").IsVisibleAsync());
        await visit.Shot("cluster-item-gap");
        _clicks = 0;
        box = (await bar.BoundingBoxAsync())!;
        await Click(visit.Page.Mouse.ClickAsync(box.X + box.Width * 0.8f, box.Y + box.Height / 2));
        await visit.Reads("This moment can be restored.");
        var field = visit.Page.Locator("#moment");
        var chosen = await field.InputValueAsync();
        Assert.InRange(_now - DateTimeOffset.Parse(chosen + "Z", null), TimeSpan.FromMinutes(60), TimeSpan.FromMinutes(84));
        await field.PressAsync("ArrowUp");
        await visit.Page.Locator("#track button[value='-60']").ClickAsync();
        var stepped = await field.InputValueAsync();
        Assert.Equal(TimeSpan.FromSeconds(-59), DateTimeOffset.Parse(stepped + "Z", null) - DateTimeOffset.Parse(chosen + "Z", null));
        await Click(visit.Page.Locator("#track-go").ClickAsync());
        await visit.Sees($"Restore {item.Name}");
        Assert.Equal(stepped, await visit.Page.Locator("#at").InputValueAsync());
        await visit.Shot("cluster-restore");
        await Click(visit.Press($"Restore {item.Name} beside", exact: false));
        await visit.Reads("Recovered to");
        await visit.Reads("2/9A0014F8");
        Assert.Equal(3, _clicks);
        await visit.Shot("cluster-restored");
        // Without the script the same field and steps are a form.
        await visit.Go($"/items/{item.Id}?at={Uri.EscapeDataString(stepped)}&step=60");
        Assert.Equal(TimeSpan.FromSeconds(1), DateTimeOffset.Parse(await visit.Page.Locator("#moment").InputValueAsync() + "Z", null)
            - DateTimeOffset.Parse(chosen + "Z", null));
    }

    async Task ATableComesBackInFour(ScriptedAgent agent, Visit visit, Item item)
    {
        await visit.Go($"/items/{item.Id}");
        _clicks = 0;
        var bar = visit.Page.Locator("#track svg.strip").First;
        var box = (await bar.BoundingBoxAsync())!;
        await Click(visit.Page.Mouse.ClickAsync(box.X + box.Width * 0.8f, box.Y + box.Height / 2));
        await visit.Reads("This moment can be restored.");
        var chosen = await visit.Page.Locator("#moment").InputValueAsync();
        await Click(visit.Press("Tables at that moment"));
        await visit.Reads("48,112,332");
        await visit.Reads("not counted");
        await visit.Shot("cluster-tables");
        await Click(visit.Page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Restore orders.public.item", Exact = true })
            .ClickAsync());
        await visit.Sees("Restore orders.public.item");
        await visit.Shot("cluster-table");
        await Click(visit.Press("Restore item", exact: false));
        await visit.Reads("Rows and indexes are as many as they were.");
        Assert.Equal(4, _clicks);
        await visit.Shot("cluster-table-restored");
        var job = Assert.Single(agent.Restores, one => one.Cluster!.Part is not null);
        Assert.Equal((chosen, "orders", new TableId("public", "item")),
            ($"{job.Cluster!.Moment!.Time!.Value.UtcDateTime:yyyy-MM-dd HH:mm:ss}", job.Cluster.Part!.Database,
            Assert.Single(job.Cluster.Part.Tables)));
        Assert.StartsWith("restored_", job.Cluster.Part.Into, StringComparison.Ordinal);
        await visit.Go($"/restore/table?item={item.Id}&at={Uri.EscapeDataString(chosen)}&table=orders.public.item.x");
        await visit.Reads("names no table and no database");
        await visit.Go($"/restore/table?item={item.Id}&at={Uri.EscapeDataString(chosen)}");
        await visit.Shot("cluster-table-typed");
        visit.Forgive("400");
    }

    async Task Click(Task click)
    {
        await click;
        _clicks++;
    }

    async Task Tell(ConsoleNode node, ScriptedAgent agent, Item item, string begin, string stored, TimeSpan ago)
    {
        var me = Caller.Agent(agent.Host);
        var duty = Assert.Single((await node.Get<TellDuties>().Handle(me, new DutiesRequest { Process = "first" }, default)).Duties);
        await node.Get<TellDuties>().Handle(me, new DutiesRequest
        {
            Process = "first",
            Reports = [new DutyReport(item.Id, duty.Epoch, duty.Version, new LogReport
            {
                IsReceiving = true,
                Slot = $"backupdr_{item.Id.Value:N}",
                HeldBytes = 21_233_664,
                SystemIdentifier = "7571234567890123456",
                Timeline = 1,
                Begin = begin,
                Received = stored,
                Stored = stored,
                SettledAt = _now - ago,
            })],
        }, default);
    }

    ClusterPoint Point(string stop, TimeSpan ago) => new()
    {
        SystemIdentifier = "7571234567890123456",
        ServerVersion = 160_004,
        Timeline = 1,
        StartLsn = stop[..^3] + "028",
        StopLsn = stop,
        StartedAt = _now - ago - TimeSpan.FromMinutes(2),
        StoppedAt = _now - ago,
        DataFolder = FilePath.FromText("/var/lib/postgresql/16/main"),
        HasChecksums = true,
        Databases = [new DatabaseFound("orders", 812), new DatabaseFound("postgres", 395)],
    };
}
