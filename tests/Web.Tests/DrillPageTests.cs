using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>What a run says of a database that was looked through, and of a backup that went on without what it wanted.</summary>
[Collection(Browser.OneVisitor)]
public sealed class DrillPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task A_drill_of_a_database_names_each_check_and_a_backup_says_what_it_did_without()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        agent.Checks =
        [
            new DrillCheck("restore", true, "12,412 pages of 4096 bytes."),
            new DrillCheck("integrity_check", false, $"row 3 missing from index by_name; {ScriptedAgent.Hostile}"),
            new DrillCheck("rows", true, "18 tables have as many rows as when they were stored."),
        ];
        agent.Warnings = ["The hook stop-shop before the backup ended with exit code 7.",
            "/srv/app was read without a snapshot, because ext4 has no snapshots that we can take: its files may be of different moments."];
        await node.Get<CreatePolicy>().Handle(ConsoleNode.System, new CreatePolicyRequest
        {
            Items = [new NewItem(agent.Host, new SourceSpec
            {
                Kind = SourceKind.Sqlite,
                Sqlite = new SqliteSpec { Path = FilePath.FromText("/srv/app/data.db") },
            })],
            Spec = new PolicySpec
            {
                Hooks = new HooksSpec { Before = "stop-shop", After = "start-shop", BeforeFailure = HookFailure.Warn },
            },
        }, default);
        var done = await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/runs/{done.Runs.First(run => run.Kind == JobKind.Drill).Id}");
        await visit.Reads("The proof failed.");
        await visit.Reads("integrity_check");
        await visit.Reads("Open it and look through it");
        Assert.Equal(2, await visit.Page.GetByText("Passed", new() { Exact = true }).CountAsync());
        await visit.Shot("drill-checks");
        await visit.Go($"/runs/{done.Runs.First(run => run.Kind == JobKind.Backup).Id}");
        await visit.Reads("The hook stop-shop before the backup ended with exit code 7.");
        await visit.Shot("backup-warnings");
        var policy = Assert.Single(await node.Get<ListPolicies>().Handle(ConsoleNode.System, new ListPoliciesRequest(), default));
        await visit.Go($"/policies/{policy.Id}/edit");
        Assert.Equal("stop-shop", await visit.Page.GetByLabel("Before", new() { Exact = true }).InputValueAsync());
        await visit.Page.GetByText("Ask the restored copy something").ClickAsync();
        await visit.Reads("Queries that must be true, one on a line");
        await visit.Shot("policy-hooks");
        await visit.Fill("After", "../start");
        await visit.Press("Save changes");
        await visit.Reads("is no file name of a hook");
        await visit.Go("/policies/new");
        await visit.Page.GetByText("What is left out, and snapshots").ClickAsync();
        await visit.Shot("policy-snapshots");
        visit.Forgive("400");
        visit.IsClean();
    }
}
