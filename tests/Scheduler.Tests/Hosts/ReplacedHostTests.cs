using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Hosts;

/// <summary>A machine was lost and another one takes its place.</summary>
public sealed class ReplacedHostTests(SchedulerDatabases databases)
{
    static readonly InventoryRequest Inventory = new() { Processors = 2, MemoryBytes = 1 << 30 };

    static Task<HttpResponseMessage> Record(TestNode node, JoinedHost host)
        => node.AgentClient(host.Certificate).PostAsync("/agent/v1/inventory", TestNode.Json(Inventory, WireJson.Default.InventoryRequest));

    static async Task<(HttpResponseMessage Response, JoinedHost? Joined, JoinAnswer? Answer)> Replace(TestNode node, HostId former)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.Get<CreateJoinToken>().Handle(TestNode.Admin, new CreateJoinTokenRequest(Replaces: former), default);
        var response = await node.AgentClient().PostAsync("/agent/v1/join",
            TestNode.Json(TestNode.JoinRequestOf(token.Token, key, "rescue"), WireJson.Default.JoinRequest));
        if (!response.IsSuccessStatusCode) return (response, null, null);
        var answer = (await response.Content.ReadFromJsonAsync(WireJson.Default.JoinAnswer))!;
        return (response, new JoinedHost(answer.HostId, TestNode.WithKey(answer.CertificatePem, key)), answer);
    }

    [Fact]
    public async Task It_goes_on_as_the_same_host_under_the_same_name_and_the_former_machine_is_refused()
    {
        await using var node = await TestNode.Start(databases);
        var former = await node.Join("web-1");

        var (_, joined, answer) = await Replace(node, former.Id);

        Assert.Equal((former.Id, "web-1"), (answer!.HostId, answer.HostName));
        Assert.Equal(HttpStatusCode.Unauthorized, (await Record(node, former)).StatusCode);
        Assert.True((await Record(node, joined!)).IsSuccessStatusCode);
        var host = Assert.Single(await node.Get<ListHosts>().Handle(TestNode.Admin, new ListHostsRequest(), default));
        Assert.NotNull(host.ReplacedAt);
        var audit = await node.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), default);
        Assert.Contains(audit.Entries, entry => entry.Action == "host.replace" && entry.Object == former.Id.ToString());
    }

    [Fact]
    public async Task A_host_that_was_taken_out_of_service_is_in_service_again()
    {
        await using var node = await TestNode.Start(databases);
        var former = await node.Join();
        await node.Get<RetireHost>().Handle(TestNode.Admin, new RetireHostRequest(former.Id), default);

        await Replace(node, former.Id);

        var host = Assert.Single(await node.Get<ListHosts>().Handle(TestNode.Admin, new ListHostsRequest(), default));
        Assert.Equal(HostState.Silent, host.State);
    }

    [Fact]
    public async Task A_request_that_cannot_be_signed_leaves_the_former_machine_what_it_is()
    {
        await using var node = await TestNode.Start(databases);
        var former = await node.Join();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.Get<CreateJoinToken>().Handle(TestNode.Admin, new CreateJoinTokenRequest(Replaces: former.Id), default);
        var request = TestNode.JoinRequestOf(token.Token, key) with { CsrPem = "no request" };

        var refused = await node.AgentClient().PostAsync("/agent/v1/join", TestNode.Json(request, WireJson.Default.JoinRequest));

        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.True((await Record(node, former)).IsSuccessStatusCode);
    }

    [Fact]
    public async Task Nobody_takes_the_place_of_a_host_that_is_not_there()
    {
        await using var node = await TestNode.Start(databases);

        await Assert.ThrowsAsync<NotFoundException>(() => node.Get<CreateJoinToken>().Handle(TestNode.Admin,
            new CreateJoinTokenRequest(Replaces: HostId.New(TimeProvider.System)), default));
    }
}
