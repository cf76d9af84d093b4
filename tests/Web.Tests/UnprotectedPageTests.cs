using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

[Collection(Browser.OneVisitor)]
public sealed class UnprotectedPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task What_an_agent_found_is_protected_with_two_clicks_or_hidden_with_a_reason()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go("/items?tab=unprotected");
        await visit.Sees("Nothing unprotected was found");
        await visit.Shot("unprotected-none");
        await visit.Go("/items");
        await visit.Sees("Nothing is protected yet");
        await Tell(node, agent.Host);

        await visit.Reads("/srv/app/data.db");   // by itself
        Assert.Equal("Unprotected 7", (await visit.Page.Locator(".tabs a").First.InnerTextAsync()).ReplaceLineEndings(" "));
        await visit.Shot("unprotected");
        await visit.Follow("Protect /srv/app/data.db on web-1");
        await visit.Sees("New policy");
        Assert.True(await visit.Page.GetByLabel("The path is an SQLite database", new() { Exact = false }).IsCheckedAsync());
        await visit.Shot("unprotected-prefilled");
        await visit.Press("Create policy");
        await visit.Sees("/srv/app/data.db on web-1");
        var item = Assert.Single(await node.Get<ListItems>().Handle(ConsoleNode.System, new ListItemsRequest(), default));
        Assert.Equal((SourceKind.Sqlite, "/srv/app/data.db"), (item.Source.Kind, $"{item.Source.FirstPath}"));

        await visit.Go("/items?tab=unprotected");
        await visit.Follow("Hide /dev/sdb on web-1");
        await visit.Sees("Hide what was found");
        await visit.Fill("Why it need not be protected", "spare disk");
        await visit.Shot("unprotected-hide");
        await visit.Press("Hide it");
        await visit.Page.GetByText("Hidden 1").WaitForAsync();
        await visit.Page.GetByText("/dev/sdb").WaitForAsync(new() { State = Microsoft.Playwright.WaitForSelectorState.Detached });
        await visit.Go("/items?tab=hidden");
        await visit.Reads("spare disk");
        await visit.Shot("unprotected-hidden");
        await visit.Follow("List again /dev/sdb on web-1");
        await visit.Press("List it again");
        await visit.Reads("/dev/sdb");

        await visit.Go($"/agents/{agent.Host}");
        await visit.Sees("Found here and not protected");
        await visit.Shot("unprotected-agent");
        visit.IsClean();
    }

    static Task Tell(ConsoleNode node, HostId host) => node.Get<RecordInventory>().Handle(Caller.Agent(host), new InventoryRequest
    {
        Processors = 8,
        MemoryBytes = 16L << 30,
        Sources =
        [
            Of(FoundKind.FileSystem, "/", "ext4 on /dev/vda1", 49L << 30),
            Of(FoundKind.FileSystem, "/srv", "xfs on /dev/mapper/data-srv", 489L << 30),
            Of(FoundKind.Subvolume, "/srv/data/rather/long/path/that/goes/on/and/on/to/see/that/the/page/copes", "Btrfs subvolume", null),
            Of(FoundKind.BlockDevice, "/dev/sdb", "not mounted", 2L << 40),
            Of(FoundKind.PostgreSql, "/var/lib/postgresql/16/main", "PostgreSQL 16, port 5432", 84L << 30),
            Of(FoundKind.MariaDb, "/var/lib/mysql", "MariaDB 10.11.19, port 3306", 12L << 30),
            Of(FoundKind.Sqlite, "/srv/app/data.db", "SQLite", 212L << 20),
        ],
    }, CancellationToken.None);

    static SourceFound Of(FoundKind kind, string path, string detail, long? size) => new(kind, FilePath.FromText(path), detail, size);
}
