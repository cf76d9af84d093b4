using System.Net;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Cluster;

public sealed class NodeTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(1), LookEvery = TimeSpan.FromMilliseconds(50);

    Task<TestNode> Start(string name, TestNode? shared = null) => TestNode.Start(databases, settings => settings with
    {
        Node = settings.Node with { Name = name },
    }, shared);

    static async Task Until(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!await isSo()) await Task.Delay(LookEvery, late.Token);
    }

    static Task<IReadOnlyList<Node>> Nodes(TestNode node) => node.Get<ListNodes>().Handle(TestNode.Admin, new ListNodesRequest(), NoStop);

    static async Task<IReadOnlyList<Node>> NodesWhen(TestNode node, Func<IReadOnlyList<Node>, bool> isSo)
    {
        IReadOnlyList<Node> nodes = [];
        await Until(async () => isSo(nodes = await Nodes(node)));
        return nodes;
    }

    [Fact]
    public void What_is_under_way_when_a_node_is_disposed_of_may_still_look_how_it_stands()
    {
        var standing = new NodeStanding();
        var draining = standing.Draining;

        standing.Dispose();
        standing.Drain(true);

        Assert.Equal((false, draining), (standing.IsDraining, standing.Draining));
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(standing.Draining);
        Assert.False(linked.IsCancellationRequested);
    }

    static Task<LeaseAnswer> Poll(TestNode node, HostId host, string? mark, int wait = 0) => node.Get<LeaseRun>().Handle(Caller.Agent(host),
        new LeaseRequest { Slots = 1, WaitSeconds = wait, AddressesMark = mark }, NoStop);

    [Fact]
    public async Task Nodes_enter_themselves_and_agents_are_told_all_of_them_once()
    {
        await using var one = await Start("one");
        await using var two = await Start("two", one);
        var nodes = await NodesWhen(one, all => all.Count == 2);
        Assert.Equal([("one", NodeState.Online), ("two", NodeState.Online)], nodes.Select(node => (node.Name, node.State)));
        await Until(() => Task.FromResult(one.Get<NodeStanding>().Addresses.Urls.Count == 2
            && two.Get<NodeStanding>().Addresses.Mark == one.Get<NodeStanding>().Addresses.Mark));
        var host = (await one.Join()).Id;

        var first = await Poll(one, host, mark: "");
        var second = await Poll(two, host, first.AddressesMark);
        var old = await Poll(one, host, mark: null);   // an agent of the version before keeps no list

        Assert.Equal(nodes.Select(node => node.AgentsUrl), first.Addresses);
        Assert.Equal((null, null), (second.Addresses, second.AddressesMark));
        Assert.Null(old.Addresses);
    }

    [Fact]
    public async Task A_drained_node_ends_its_long_polls_is_not_ready_and_gives_out_no_work_until_it_is_let_again()
    {
        await using var one = await Start("one");
        await using var two = await Start("two", one);
        await NodesWhen(one, all => all.Count == 2);
        var host = (await one.Join()).Id;
        var polling = Poll(one, host, mark: null, wait: 30);
        await NodesWhen(two, all => all.Any(node => node is { Name: "one", Agents: 1 }));

        await two.Get<DrainNode>().Handle(TestNode.Admin, new DrainNodeRequest("one"), NoStop);
        await polling;
        await Until(() => Task.FromResult(one.Get<NodeStanding>().IsDraining));
        var refused = await Assert.ThrowsAsync<UnavailableException>(() => Poll(one, host, mark: null));
        var (ready, live) = (await one.Client().GetAsync("/health/ready"), await one.Client().GetAsync("/health/live"));
        var elsewhere = await Poll(two, host, mark: null);
        var drained = await NodesWhen(two, all => all.Any(node => node is { Name: "one", State: NodeState.Drained }));
        await two.Get<DrainNode>().Handle(TestNode.Admin, new DrainNodeRequest("one", Undo: true), NoStop);
        await Until(async () => (await one.Client().GetAsync("/health/ready")).IsSuccessStatusCode);

        Assert.Equal("node.draining", refused.Code);
        Assert.Equal((HttpStatusCode.ServiceUnavailable, HttpStatusCode.OK), (ready.StatusCode, live.StatusCode));
        Assert.Contains("draining", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Null(elsewhere.Run);
        Assert.Equal("key:test", drained[0].DrainedBy);
    }

    [Fact]
    public async Task The_last_node_that_works_is_not_drained_and_one_that_runs_is_not_forgotten()
    {
        await using var one = await Start("one");
        await NodesWhen(one, all => all.Count == 1);

        var last = await Assert.ThrowsAsync<ConflictException>(() =>
            one.Get<DrainNode>().Handle(TestNode.Admin, new DrainNodeRequest("one"), NoStop));
        var running = await Assert.ThrowsAsync<ConflictException>(() =>
            one.Get<RemoveNode>().Handle(TestNode.Admin, new RemoveNodeRequest("one"), NoStop));
        await Assert.ThrowsAsync<NotFoundException>(() =>
            one.Get<RemoveNode>().Handle(TestNode.Admin, new RemoveNodeRequest("other"), NoStop));

        Assert.Equal(("node.last", "node.running"), (last.Code, running.Code));
    }

    [Fact]
    public async Task A_node_that_stopped_is_shown_so_can_be_forgotten_and_comes_back_under_its_name_once()
    {
        await using var one = await Start("one");
        await using (var two = await Start("two", one))
        {
            await NodesWhen(one, all => all.Count == 2);
            await two.App.StopAsync();
        }
        await NodesWhen(one, all => all.Any(node => node is { Name: "two", State: NodeState.Stopped }));

        await using var again = await Start("two", one);
        var nodes = await NodesWhen(one, all => all.Any(node => node is { Name: "two", State: NodeState.Online }));
        Assert.Equal(["one", "two"], nodes.Select(node => node.Name));
        await again.App.StopAsync();
        await NodesWhen(one, all => all.Any(node => node is { Name: "two", State: NodeState.Stopped }));
        await one.Get<RemoveNode>().Handle(TestNode.Admin, new RemoveNodeRequest("two"), NoStop);

        Assert.Equal(["one"], (await Nodes(one)).Select(node => node.Name));
    }

    [Fact]
    public async Task A_nodes_token_gives_what_nodes_share_once()
    {
        await using var one = await Start("one");
        var token = await one.Get<CreateNodeToken>().Handle(TestNode.Admin, new CreateNodeTokenRequest(), NoStop);
        Task<JoinNodeAnswer> Join(string text) => one.Get<JoinNode>().Handle(Caller.Anonymous("10.0.0.9"), new JoinNodeRequest(text, "two"),
            NoStop);

        var racers = await Task.WhenAll(Enumerable.Range(0, 20).Select(async _ =>
        {
            try { return (Answer: (JoinNodeAnswer?)await Join(token.Token), Code: ""); }
            catch (ConflictException e) { return (Answer: null, e.Code); }
        }));
        var unknown = await Assert.ThrowsAsync<NotSignedInException>(() => Join($"{token.Token}x"));

        var answer = Assert.Single(racers, racer => racer.Answer is not null).Answer!;
        Assert.All(racers.Where(racer => racer.Answer is null), racer => Assert.Equal("join.token_used", racer.Code));
        Assert.Equal(one.ConnectionString, answer.ConnectionString);
        Assert.Equal(File.ReadAllBytes(Path.Combine(one.Folder, "sealing.key")), Convert.FromBase64String(answer.SealingKey));
        Assert.Equal("join.token_unknown", unknown.Code);
        Assert.Contains($"backupdr node join {one.Agents.ToString().TrimEnd('/')}", token.Command, StringComparison.Ordinal);
        Assert.Contains("another machine", token.Remark, StringComparison.Ordinal);
        Assert.DoesNotContain(answer.SealingKey, $"{answer}", StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=db1,db2;Username=u", null)]
    [InlineData("Host=127.0.0.1;Username=u", "127.0.0.1")]
    [InlineData("Host=db1,localhost;Username=u", "localhost")]
    [InlineData("Host=/run/postgresql;Username=u", "/run/postgresql")]
    [InlineData("Host=127.0.0.1:5433,127.0.0.1:5434;Username=u", "127.0.0.1:5434")]
    public void A_database_that_other_machines_do_not_reach_is_remarked(string connectionString, string? named)
    {
        var remark = CreateNodeToken.Remark(connectionString);

        if (named is null) Assert.Null(remark);
        else Assert.Contains(named, remark, StringComparison.Ordinal);
    }
}
