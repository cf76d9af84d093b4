using System.Diagnostics;
using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Cluster;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

[Collection(Browser.OneVisitor)]
public sealed class NodePageTests(PostgresServer server, Browser browser)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    static async Task UntilNodes(ConsoleNode node, int count)
    {
        using var late = new CancellationTokenSource(Patience);
        while ((await node.Get<ListNodes>().Handle(ConsoleNode.System, new ListNodesRequest(), late.Token)).Count < count)
            await Task.Delay(100, late.Token);
    }

    [Fact]
    public async Task Nodes_are_shown_drained_and_let_work_again()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var second = await node.Second("a-node-with-quite-a-long-name.datacentre-2.example.org");
        await UntilNodes(node, 2);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go("/nodes");
        await visit.Reads("a-node-with-quite-a-long-name");
        await visit.Shot("nodes");
        await visit.Press("Drain a-node-with-quite-a-long-name.datacentre-2.example.org");
        await visit.Reads("by admin");
        await visit.Shot("nodes-draining");
        await visit.Press("Let a-node-with-quite-a-long-name.datacentre-2.example.org take work again");
        await visit.Page.GetByText("by admin").WaitForAsync(new() { State = Microsoft.Playwright.WaitForSelectorState.Detached });
        visit.IsClean();
    }

    [Fact]
    public async Task The_only_node_is_not_drained_and_the_page_says_why()
    {
        await using var node = await ConsoleNode.Start(server);
        await UntilNodes(node, 1);
        await using var visit = await browser.Visit(node.Url, script: false);
        await visit.SignIn(first: true);

        await visit.Go("/nodes");
        await visit.Press($"Drain {Environment.MachineName}");

        await visit.Reads("is the only node that works");
        await visit.Shot("nodes-last");
        visit.Forgive("409");
        visit.IsClean();
    }

    [Fact]
    public async Task A_page_whose_node_is_lost_goes_on_with_another_one_behind_the_balancer()
    {
        if (!File.Exists("/usr/sbin/haproxy")) Tool.Need("haproxy", "haproxy");
        using var scratch = new ScratchFolder();
        await using var first = await ConsoleNode.Start(server);
        await using var second = await first.Second("second");
        var ports = FreePorts.Find(3);
        await using var balancer = new GuardedProcess(scratch.At("haproxy.log"),
            ["/usr/sbin/haproxy", "-db", "-f", Path.Combine(Service.Checkout(), "deploy", "haproxy.cfg")], new Dictionary<string, string>
            {
                ["BACKUPDR_CONSOLE_BIND"] = $"127.0.0.1:{ports}",
                ["BACKUPDR_AGENTS_BIND"] = $"127.0.0.1:{ports + 1}",
                ["BACKUPDR_NODE1_CONSOLE"] = first.Url.Authority,
                ["BACKUPDR_NODE2_CONSOLE"] = second.Url.Authority,
                ["BACKUPDR_NODE3_CONSOLE"] = $"127.0.0.1:{ports + 2}",   // one that is down all the time
                ["BACKUPDR_NODE1_AGENTS"] = $"127.0.0.1:{ports + 2}",
                ["BACKUPDR_NODE2_AGENTS"] = $"127.0.0.1:{ports + 2}",
                ["BACKUPDR_NODE3_AGENTS"] = $"127.0.0.1:{ports + 2}",
            });
        var url = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{ports}/"));
        await UntilReady(url);
        await using var visit = await browser.Visit(url);
        await visit.SignIn(first: true);
        await visit.Go("/agents/join");
        var foot = await visit.Page.Locator("p.foot").TextContentAsync() ?? "";
        var (lost, other) = foot.Contains("second", StringComparison.Ordinal) ? (second, Environment.MachineName) : (first, "second");

        await lost.Vanish();
        var begun = Stopwatch.GetTimestamp();
        await visit.Press("Make the command");   // a form of the lost node, with its token
        await visit.Page.Locator("#command").WaitForAsync();
        var usable = Stopwatch.GetElapsedTime(begun);

        Assert.Contains($"Node {other} ", await visit.Page.Locator("p.foot").TextContentAsync(), StringComparison.Ordinal);
        TestContext.Current.TestOutputHelper?.WriteLine($"usable on another node after {usable.TotalSeconds:0.0} s");
        Assert.True(usable < TimeSpan.FromSeconds(5) || !Nightly.IsOn, $"{usable}");
    }

    static async Task UntilReady(Uri url)
    {
        using var http = new HttpClient { BaseAddress = url };
        using var late = new CancellationTokenSource(Patience);
        while (true)
        {
            try { if ((await http.GetAsync("/health/ready", late.Token)).IsSuccessStatusCode) return; }
            catch (HttpRequestException) { await Task.Delay(50, late.Token); }   // it does not listen yet
        }
    }
}
