using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Contracts;
using BackupDr.TestKit;
using static BackupDr.SystemTests.ShopRunbook;

namespace BackupDr.SystemTests;

/// <summary>The site that was cut off is there again, as it was: its server takes writes beside the one that took over.</summary>
public sealed partial class SiteNetworkTests
{
    static async Task ComeBack(Scene scene, Runbook runbook)
    {
        // Somebody at the old site was served all the time, and nobody else knows of it.
        await scene.Old.Database.Execute("insert into orders default values; insert into orders default values");
        SiteNetwork.Join(scene.A);
        await scene.Online("site-a");
        Alert? alert = null;
        await scene.Service.Until(async () => (alert = await Split(scene)) is not null, "the split brain is told");
        Assert.Equal((AlertSeverity.Broken, "Split brain: the database server that 'shop' promoted on site-b, and the old one on site-a, "
            + "both take writes."), (alert!.Severity, alert.Title));
        Assert.False(await scene.Old.Database.Ask<bool>("select pg_is_in_recovery()"));   // which of them is right is for people to say
        Assert.False(await scene.New.Database.Ask<bool>("select pg_is_in_recovery()"));
        Assert.Equal(scene.B.Address, scene.Names.Dig("app"));                            // and clients are led to the new one
        Say($"told: {alert.Title}");

        // No way back while the old one takes writes, nor over what only it has.
        var back = await scene.Http.Post($"runbooks/{runbook.Id}/failback", new MakeFailbackRequest(Hosts: [new FailbackHost
        {
            At = "site-b",
            To = "site-a",
            From = Over(scene.New),
            Cluster = ClusterOf(scene.Old),
            Unit = "database.service",
        }]), WireJson.Default.MakeFailbackRequest, WireJson.Default.Runbook);
        var id = await Execute(scene, back, ExecutionMode.Failback, "site A is there again");
        await Refused(scene, id, "it is not fenced");
        var fenced = await scene.Ended(await Execute(scene, await Make(scene, "fence-a", OnlyAtA(Step("fence", "", StepKind.Fence) with
        { Service = new ServiceStepSpec { Host = "site-a", Unit = "database.service" } })), ExecutionMode.Planned, "it came back"));
        Assert.Equal(ExecutionOutcome.Succeeded, fenced.State.Outcome);
        await scene.Service.Until(async () => await Split(scene) is null, "the split brain is over");
        await scene.Http.Post($"executions/{id}/actions", new ActOnExecutionRequest(Action: ExecutionAction.Retry, Step: "protect-data"),
            WireJson.Default.ActOnExecutionRequest, WireJson.Default.ExecutionView);
        await Refused(scene, id, "isLossSeen");
        await scene.Http.Post($"executions/{id}/actions", new ActOnExecutionRequest(Action: ExecutionAction.Stop,
            Text: "somebody has to look"), WireJson.Default.ActOnExecutionRequest, WireJson.Default.ExecutionView);

        // Somebody looked, and gives up what only the old one has: it follows.
        var follow = await Make(scene, "follow", OnlyAtA(Step("protect", "", StepKind.DbReprotect) with
        {
            // The log before the fork may be gone meanwhile, without which nothing is rewound.
            Reprotect = new ReprotectStepSpec
            { Host = "site-a", Cluster = ClusterOf(scene.Old), From = Over(scene.New), IsLossSeen = true, Way = ReprotectWay.Copy },
        }));
        var followed = await scene.Ended(await Execute(scene, follow, ExecutionMode.Planned, "two orders were typed in again"));
        Assert.True(followed.State.Outcome == ExecutionOutcome.Succeeded, followed.State.Steps[0].Reason);
        Assert.True(await scene.Old.Database.Ask<bool>("select pg_is_in_recovery()"));
        Say($"protected again: {followed.State.Steps[0].Reason}");
        var now = scene.Client.Orders[^1].Id;
        await scene.Service.Until(() => scene.Old.Database.Ask<bool>($"select exists (select from orders where id = {now})"),
            "the old one follows");
        Assert.Null(await Split(scene));
    }

    static RunbookSpec OnlyAtA(StepSpec step) => new() { RehearseEvery = TimeSpan.Zero, Steps = [step] };

    static async Task<Alert?> Split(Scene scene) => (await scene.Http.Get("alerts", WireJson.Default.IReadOnlyListAlert))
        .SingleOrDefault(alert => alert.Kind == AlertKind.SplitBrain);

    static async Task Refused(Scene scene, ExecutionId id, string why)
    {
        string? reason = null;
        await scene.Service.Until(async () => (await scene.Api.Execution(id, NoStop)).State is { Phase: ExecutionPhase.Paused } state
            && (reason = state.Steps.Single(step => step.Name == "protect-data").Reason)?.Contains(why, StringComparison.Ordinal) == true,
            $"the way back is refused: {why}");
        Say($"refused: {reason}");
    }
}
