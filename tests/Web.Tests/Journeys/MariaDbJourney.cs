using System.Globalization;
using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests.Journeys;

/// <summary>
/// A person whose MariaDB server was found by the agent protects it, sees it proven, chooses a moment, and has it back beside the original.
/// Everything is the published service and a real server; each click is counted.
/// </summary>
[Collection(Browser.WholeService)]
public sealed class MariaDbJourney(Browser browser)
{
    const string Password = "opens-it";

    static readonly LocatorWaitForOptions Patient = new() { Timeout = 120_000 };

    int _clicks;

    [Fact]
    public async Task A_server_that_was_found_is_protected_in_three_clicks_and_a_moment_of_it_comes_back_in_three()
    {
        await using var server = MariaDbServer.Start("log-bin=bin");
        server.Execute("create database shop; create table shop.orders (id int primary key) engine=innodb; "
            + "insert into shop.orders values (1), (2), (3)");
        await using var service = new Service();
        File.WriteAllText(service.At("password"), Password + "\n");
        var outcome = await service.StartSmall();
        await using var visit = await browser.Visit(service.Console);
        await visit.SignIn(first: true, outcome.GetProperty("oneTimePassword").GetString()!);

        await Protect(visit, server, service);
        await ItIsProven(visit);
        await AMomentComesBack(visit, server, service);
        await OneTableComesBack(visit, server);
        visit.IsClean();
    }

    async Task Protect(Visit visit, MariaDbServer server, Service service)
    {
        await visit.Go("/items?tab=unprotected");
        await visit.Reads(server.Data);
        await visit.Shot("mariadb-1-found");
        await Click(visit.Page.Locator($"a[aria-label^='Protect {server.Data}']").ClickAsync());
        await visit.Sees("New policy");
        await visit.Reads("Stands in the way");   // nobody made the user yet
        await visit.Shot("mariadb-2-refused");
        MariaDbPage.MakeUser(server, Password);
        await visit.Fill("File on the host with the user's password", service.At("password"));
        await Click(visit.Press("Look at the server"));
        await visit.Page.GetByText("Stands in the way").WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await visit.Shot("mariadb-3-ready");
        await Click(visit.Press("Create policy"));
        await visit.Sees("What it protects");
        Assert.Equal(3, _clicks);
    }

    static async Task ItIsProven(Visit visit)
    {
        await visit.Page.Locator("main a[href^='/items/']").First.ClickAsync();
        await visit.Page.Locator("main .numbers a[href^='/points/']").First.WaitForAsync(Patient);   // the newest proven point
        var item = new Uri(visit.Page.Url).AbsolutePath;
        await visit.Page.Locator("main table a[href^='/runs/']").First.ClickAsync();
        await visit.Page.GetByText("What was looked at").WaitForAsync(Patient);
        await visit.Reads("found every table sound");
        await visit.Shot("mariadb-4-drill");
        await visit.Go(item);
    }

    async Task AMomentComesBack(Visit visit, MariaDbServer server, Service service)
    {
        server.Execute("insert into shop.orders values (4); select sleep(1.1)");
        var four = server.Ask("select date_format(utc_timestamp(), '%Y-%m-%d %H:%i:%s')");
        server.Execute("insert into shop.orders values (5)");
        await visit.Page.Locator("#track").WaitForAsync(Patient);   // by itself
        var begun = DateTimeOffset.Parse(four + "Z", CultureInfo.InvariantCulture);
        var item = new Uri(visit.Page.Url).AbsolutePath;
        for (var until = ""; until != "This moment can be restored.";)
        {
            Assert.True(TimeProvider.System.GetUtcNow() - begun < TimeSpan.FromMinutes(2), $"The log does not come: {until}");
            await visit.Go($"{item}?at={Uri.EscapeDataString(four)}");
            until = await visit.Page.Locator("#track-verdict").CountAsync() == 0 ? "There is no track."
                : await visit.Page.Locator("#track-verdict").InnerTextAsync();
        }
        await visit.Shot("mariadb-5-track");
        _clicks = 0;
        await Click(visit.Page.Locator("#track button[value='-1']").ClickAsync());   // any step, and back
        await visit.Page.Locator("#moment").PressAsync("ArrowUp");
        Assert.Equal(four, await visit.Page.Locator("#moment").InputValueAsync());
        await Click(visit.Page.Locator("#track-go").ClickAsync());
        await visit.Arrives("**/restore/moment?*");
        await visit.Ready();
        var target = await visit.Page.Locator("#target").InputValueAsync();
        await visit.Shot("mariadb-6-restore");
        await Click(visit.Page.Locator("main button.primary").ClickAsync());
        await visit.Arrives("**/runs/*");
        await visit.Page.Locator("#title").GetByText("Complete").WaitForAsync(Patient);
        await visit.Reads("Reach it");
        Assert.Equal(3, _clicks);
        await visit.Shot("mariadb-7-restored");
        await ItRunsAndStartsAgain(service, RunId.Parse(new Uri(visit.Page.Url).Segments[^1]), target, begun);
        await visit.Go(item);
    }

    static async Task ItRunsAndStartsAgain(Service service, RunId run, string target, DateTimeOffset moment)
    {
        using var api = service.Api();
        var restored = (await api.Run(run, TestContext.Current.CancellationToken)).Result!.Restore!.MariaDb!;
        Assert.True(restored.IsRunning && restored.ReachedAt < moment && restored.ReachedGtid is not null, restored.ToString());
        Assert.Equal(($"{target}/copy.sock", "10"), (restored.Socket, Sum(restored.Socket!)));   // 1 to 4, and not 5
        Stop(target);
        Tool.Succeed("sh", "-c", $"{restored.StartCommand} >/dev/null 2>&1 & while [ ! -S {restored.Socket} ]; do sleep 0.1; done");
        Assert.Equal("10", Sum(restored.Socket!));
        Stop(target);
    }

    static void Stop(string target)
        => Tool.Succeed("sh", "-c", $"kill $(cat {target}/copy.pid); while [ -e {target}/copy.pid ]; do sleep 0.1; done");

    static string Sum(string socket) => Tool.Succeed("mariadb", "--no-defaults", $"--socket={socket}", "--user=root", "--batch",
        "--skip-column-names", "-e", "select sum(id) from shop.orders").TrimEnd('\n');

    static async Task OneTableComesBack(Visit visit, MariaDbServer server)
    {
        await visit.Page.GetByText("Restore the newest moment").ClickAsync();
        await visit.Arrives("**/restore/moment?*");
        await visit.Ready();
        await visit.Page.GetByText("One table of it only").ClickAsync();
        await visit.Fill("Table, as DATABASE.TABLE", "orders");
        await visit.Press("Make a file of this table");
        await visit.Reads("'orders' names no table.");
        visit.Forgive("400");
        await visit.Fill("Table, as DATABASE.TABLE", "shop.orders");
        await visit.Shot("mariadb-8-table");
        await visit.Press("Make a file of this table");
        await visit.Arrives("**/runs/*");
        await visit.Page.Locator("#title").GetByText("Complete").WaitForAsync(Patient);
        await visit.Reads("Bring it back");
        await visit.Shot("mariadb-9-table-file");
        Assert.NotEmpty(Directory.GetFiles(server.Folder, "shop.orders-*.sql"));
    }

    async Task Click(Task click)
    {
        await click;
        _clicks++;
    }
}
