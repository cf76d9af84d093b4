using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

public sealed class FailbackTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task There_is_no_way_back_from_an_execution_that_did_not_fence_the_old_side()
    {
        await using var books = await Books.Start(databases);
        var there = await books.Make("shop", Books.Step("fence", kind: StepKind.Fence) with { Impact = StepImpact.Optional },
            Books.Step("app", "fence"));
        var isFenced = false;
        books.Target.Answer = (work, _) => Task.FromResult(work.Step.Kind == StepKind.Fence && !isFenced
            ? StepResult.Failed("Its host does not answer.") : StepResult.Done("So."));
        Task<Runbook> Make(params IReadOnlyList<FailbackHost> hosts) => books.Get<MakeFailback>().Handle(TestNode.Admin,
            new MakeFailbackRequest(there.Id, null, hosts), Books.NoStop);
        var host = new FailbackHost { At = "web-1", To = "web-0" };

        await books.Execute(there.Id, ExecutionMode.Disaster);
        Assert.Equal("execution.busy", (await Assert.ThrowsAsync<ConflictException>(() => Make(host))).Code);
        await books.Carry();
        var refused = await Assert.ThrowsAsync<ConflictException>(() => Make(host));
        Assert.Equal("runbook.not_fenced", refused.Code);
        Assert.Contains("'fence' failed", refused.Message, StringComparison.Ordinal);

        isFenced = true;
        await books.Execute(there.Id, ExecutionMode.Disaster);
        await books.Carry();
        Assert.Contains("hosts.web-1: It does not say which host takes over", (await Assert.ThrowsAsync<BadInputException>(() => Make()))
            .Message, StringComparison.Ordinal);
        var back = await Make(host);
        Assert.Equal("shop-back", back.Name);
        Assert.Equal(["go-back", "quiet-app", "start-app"], back.Spec.Steps.Select(step => step.Name));
    }
}
