using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks.Steps;

/// <summary>A rehearsal keeps away from production also where a step learns an address only when it is executed.</summary>
public sealed class RehearsalTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task A_step_that_turns_out_to_touch_production_is_not_carried_out()
    {
        await using var books = await Books.Start(databases);
        books.Target.Answer = (_, _) => Task.FromResult(StepResult.Done("It was done.",
            new Dictionary<string, string> { ["address"] = "192.0.2.20" }));
        var runbook = await books.Make("shop", Books.Step("app"), Books.Step("ok", "app", StepKind.HealthWait) with
        {
            Health = new HealthSpec { Tcp = "${app.address}:5432" },
        }, Books.Step("dns", "ok", StepKind.DnsChange) with
        {
            Dns = new DnsSpec
            {
                Server = "ns1.example.org",
                Zone = "example.org",
                Record = "shop.example.org",
                Key = "ddns",
                KeySecret = "dns-key",
                To = ["192.0.2.20"],
            },
        });

        var execution = await books.Execute(runbook.Id, ExecutionMode.Rehearsal);
        await books.Carry();

        var state = await books.State(execution, "ok");
        Assert.Equal((StepPhase.Failed, "A rehearsal would touch 192.0.2.20, which is production of this runbook. Nothing was done."),
            (state.Phase, state.Reason));
    }
}
