using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Contracts;
using BackupDr.TestKit.Servers;
using BackupDr.TestKit;
using static BackupDr.SystemTests.ShopRunbook;

namespace BackupDr.SystemTests;

/// <summary>Back to the site that was lost, without the loss of an order: a part of the long form.</summary>
public sealed partial class SiteLossTests
{
    sealed record Scene(Service Service, ApiClient Api, HttpClient Http, ShopSite Old, ShopSite Recovery, BindServer Names,
        ShopClient Client);

    static async Task GoBack(Scene scene, Runbook there, int lostBefore)
    {
        var (service, old, recovery, client) = (scene.Service, scene.Old, scene.Recovery, scene.Client);
        old.Database.Bury();
        await using var agent = await Agent(service, scene.Api, ShopPrograms.Allow(service, "site-a", old), "site-a");
        var made = await scene.Http.Post($"runbooks/{there.Id}/failback", new MakeFailbackRequest(Hosts: [new FailbackHost
        {
            At = "site-b",
            To = "site-a",
            From = ClusterOf(recovery),
            Cluster = ClusterOf(old),
            Back = ClusterOf(old),
            Unit = "database.service",
        }]), WireJson.Default.MakeFailbackRequest, WireJson.Default.Runbook);
        Assert.Equal(["protect-promote", "go-back", "quiet-app", "stop-promote", "back-promote", "back-newest", "start-app",
            "back-balancer", "back-name", "back-healthy", "back-tell", "again-promote"], made.Spec.Steps.Select(step => step.Name));
        // Nobody is there to say yes; somebody looked at what the old primary has of its own.
        await scene.Http.Put($"runbooks/{made.Id}", new EditRunbookRequest(made.Id, made.Name, made.Spec with
        {
            Steps = [.. made.Spec.Steps.Where(step => step.Name != "go-back").Select(step => step with
            {
                Needs = [.. step.Needs.Select(need => need == "go-back" ? "protect-promote" : need)],
                Reprotect = step.Name == "protect-promote" ? step.Reprotect! with { IsLossSeen = true } : step.Reprotect,
            })],
        }), WireJson.Default.EditRunbookRequest);

        var before = client.Orders.Count;
        var started = await scene.Http.Post($"runbooks/{made.Id}/executions", new StartExecutionRequest(Mode: ExecutionMode.Failback,
            Why: "site A is there again"), WireJson.Default.StartExecutionRequest, WireJson.Default.ExecutionStarted);
        var execution = await Ended(service, scene.Api, started.Id);
        Assert.True(execution.State.Outcome == ExecutionOutcome.Succeeded, string.Join('\n', execution.State.Steps
            .Select(step => $"{step.Name} {step.Phase}: {step.Reason}")));
        var after = client.Orders.Count;
        await service.Until(() => Task.FromResult(client.Orders.Count > after + 5), "orders are taken at the old site");

        Assert.Equal("127.0.0.1", scene.Names.Dig("app"));
        Assert.False(await old.Database.Ask<bool>("select pg_is_in_recovery()"));
        Assert.True(await recovery.Database.Ask<bool>("select pg_is_in_recovery()"));
        var witnessed = client.Orders.Skip(lostBefore).Select(order => order.Id.ToString(CultureInfo.InvariantCulture)).ToList();
        Assert.Equal(0L, await old.Database.Ask<long>("select count(*) from "
            + $"unnest('{{{string.Join(',', witnessed)}}}'::bigint[]) as w(id) "
            + "where not exists (select from orders o where o.id = w.id)"));
        var gap = client.Orders.Zip(client.Orders.Skip(1), (one, next) => (next.At - one.At).TotalSeconds).Skip(before - 1).Max();
        Say($"failback: {witnessed.Count} orders witnessed since the disaster, none lost; nobody was served for {gap:0.00} s");
        foreach (var step in execution.State.Steps) Say($"{step.Name} {(step.EndedAt - step.BeganAt)?.TotalSeconds:0.00} s: {step.Reason}");
    }
}
