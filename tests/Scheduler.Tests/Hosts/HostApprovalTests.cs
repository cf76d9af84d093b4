using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Hosts;

/// <summary>A host of a token that wants approval gets nothing until somebody decides.</summary>
public sealed class HostApprovalTests(SchedulerDatabases databases)
{
    static CancellationToken NoStop => CancellationToken.None;

    static async Task<JoinedHost> Waiting(TestNode node, HostId? replaces = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var token = await node.Get<CreateJoinToken>().Handle(TestNode.Admin,
            new CreateJoinTokenRequest(Replaces: replaces, NeedsApproval: true), NoStop);
        var response = await node.AgentClient().PostAsync("/agent/v1/join",
            TestNode.Json(TestNode.JoinRequestOf(token.Token, key), WireJson.Default.JoinRequest));
        response.EnsureSuccessStatusCode();
        var answer = (await response.Content.ReadFromJsonAsync(WireJson.Default.JoinAnswer))!;
        return new JoinedHost(answer.HostId, TestNode.WithKey(answer.CertificatePem, key));
    }

    static Task<HttpResponseMessage> Lease(TestNode node, JoinedHost host)
        => node.AgentClient(host.Certificate).PostAsync("/agent/v1/lease",
            TestNode.Json(new LeaseRequest { Slots = 1, WaitSeconds = 0 }, WireJson.Default.LeaseRequest));

    [Fact]
    public async Task Work_comes_with_the_approval_and_not_before()
    {
        await using var fleet = await Fleet.Start(databases);
        var node = fleet.Node;
        var host = await Waiting(node);
        await fleet.Protect(host.Id, "/srv");   // its policies may be made before

        Assert.Equal(HttpStatusCode.NoContent, (await Lease(node, host)).StatusCode);
        Assert.Empty((await node.Get<TellDuties>().Handle(Caller.Agent(host.Id), new DutiesRequest { Process = "p" }, NoStop)).Duties);
        Assert.Equal(HostState.Waiting, (await node.Get<ShowHost>().Handle(TestNode.Admin, new ShowHostRequest(host.Id), NoStop)).State);
        var asked = await Assert.ThrowsAsync<ConflictException>(() => node.Get<BrowseHost>().Handle(TestNode.Admin,
            new BrowseHostRequest(host.Id, FilePath.FromText("/")), NoStop));
        Assert.Equal("host.waiting", asked.Code);

        var approved = await node.Get<ApproveHost>().Handle(TestNode.Admin, new ApproveHostRequest(host.Id), NoStop);

        Assert.Equal(HostState.Online, approved.State);
        Assert.Equal(HttpStatusCode.OK, (await Lease(node, host)).StatusCode);
        var again = await Assert.ThrowsAsync<ConflictException>(() => node.Get<ApproveHost>().Handle(TestNode.Admin,
            new ApproveHostRequest(host.Id), NoStop));
        Assert.Equal("host.not_waiting", again.Code);
    }

    [Fact]
    public async Task A_mover_that_waits_is_given_no_work_by_the_polls_of_others()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost("web-1");
        await fleet.ProtectReady(host, "/srv");
        var (waits, works) = (await fleet.AddHost("mover-1"), await fleet.AddHost("mover-2"));
        await fleet.Node.Db.Execute("update host set is_mover = id <> $1, awaits_approval = id = $2", [host, waits], NoStop);
        await fleet.Node.Db.Execute("update location set kind = 'Gateway'", [], NoStop);
        var check = new StartUpkeepRequest((await fleet.OnlyItem()).Repository, JobKind.Check);
        for (var round = 0; round < 3; round++)
        {
            await fleet.Get<StartUpkeep>().Handle(TestNode.Admin, check, NoStop);
            Assert.Null(await fleet.Lease(waits));
            var run = await fleet.Lease(works);
            Assert.Equal(JobKind.Check, run?.Job.Kind);
            await fleet.Complete(works, run!, new JobResult { Outcome = JobOutcome.Complete, Check = new CheckResult { Errors = [] } });
        }
    }

    [Fact]
    public async Task A_poll_under_way_gets_its_work_when_the_host_is_approved()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await Waiting(fleet.Node);
        await fleet.Protect(host.Id, "/srv");
        var poll = fleet.Lease(host.Id, waitSeconds: 30);

        await fleet.Get<ApproveHost>().Handle(TestNode.Admin, new ApproveHostRequest(host.Id), NoStop);

        Assert.NotNull(await poll);
    }

    [Fact]
    public async Task A_host_that_is_refused_is_out_of_service_at_once()
    {
        await using var node = await TestNode.Start(databases);
        var host = await Waiting(node);
        Assert.Equal(HttpStatusCode.NoContent, (await Lease(node, host)).StatusCode);

        await node.Get<RefuseHost>().Handle(TestNode.Admin, new RefuseHostRequest(host.Id), NoStop);

        Assert.Equal("agent.not_admitted", (await (await Lease(node, host)).Problem()).Code);
    }

    [Fact]
    public async Task A_machine_that_takes_a_place_reaches_its_repository_only_when_approved()
    {
        await using var fleet = await Fleet.Start(databases);
        var former = await fleet.AddHost();
        await fleet.ProtectReady(former, "/srv");
        await fleet.Node.Db.Execute("update location set kind = 'Gateway'", [], NoStop);
        var repository = (await fleet.OnlyItem()).Repository;
        var grants = fleet.Get<GatewayGrants>();
        Assert.NotNull(await grants.Of(Caller.Agent(former), repository, NoStop));

        var host = await Waiting(fleet.Node, former);

        Assert.Equal(former, host.Id);
        await Assert.ThrowsAsync<DeniedException>(() => grants.Of(Caller.Agent(former), repository, NoStop));
        await fleet.Get<ApproveHost>().Handle(TestNode.Admin, new ApproveHostRequest(former), NoStop);
        Assert.NotNull(await grants.Of(Caller.Agent(former), repository, NoStop));
    }
}
