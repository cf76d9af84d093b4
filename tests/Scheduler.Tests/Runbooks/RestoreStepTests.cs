using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Runbooks.Documents;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>Restores as steps: ordinary runs of agents, which are made once however often the step is taken over.</summary>
public sealed class RestoreStepTests(SchedulerDatabases databases)
{
    /// <summary>An item with a proven recovery point.</summary>
    internal static async Task<(HostId Host, Item Item)> Proven(Fleet fleet)
    {
        var host = await fleet.AddHost();
        await fleet.ProtectReady(host, "/srv/data");
        await fleet.Finish(host, _ => Fleet.Backup());
        await fleet.Finish(host, _ => Fleet.Drill(ProofResult.Proven));
        return (host, await fleet.OnlyItem());
    }

    static async Task<LeasedRun> Next(Fleet fleet, HostId host, Func<LeasedRun, JobResult> result)
    {
        LeasedRun? run = null;
        await Books.Until(async () =>
        {
            await fleet.Node.Db.Execute("update host set last_seen_at = clock()", [], Books.NoStop);
            return (run = await fleet.Lease(host)) is not null;
        });
        await fleet.Complete(host, run!, result(run!));
        return run!;
    }

    [Fact]
    public async Task A_restore_is_one_run_whoever_carries_it_out_and_its_point_is_told()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, item) = await Proven(fleet);
        await using var books = await Books.Start(databases, shared: fleet.Node, loops: true);
        await using var other = await Books.Start(databases, shared: fleet.Node, name: "two", loops: true);
        var runbook = await books.Make("shop", Books.Step("files", kind: StepKind.RestoreFiles) with
        {
            Restore = new RestoreStep { Item = item.Id },
        });
        Assert.Empty(runbook.Problems);
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);

        var run = await Next(fleet, host, _ => new JobResult { Outcome = JobOutcome.Complete });
        var view = await books.Ended(id);

        Assert.Equal((ExecutionOutcome.Succeeded, JobKind.Restore), (view.State.Outcome, run.Job.Kind));
        var outputs = view.State.Steps[0].Outputs;
        Assert.Equal((run.RunId.ToString(), "web-1"), (outputs["run"], outputs["host"]));
        Assert.StartsWith("/srv/data.restored-", outputs["target"], StringComparison.Ordinal);
        Assert.True(outputs.ContainsKey("ageSeconds"));
        Assert.Single(await fleet.Runs(JobKind.Restore));
    }

    [Fact]
    public async Task A_database_comes_back_to_the_end_of_its_log_in_the_folder_that_the_step_names()
    {
        await using var fleet = await Fleet.Start(databases);
        var host = await fleet.AddHost();
        await fleet.Get<CreatePolicy>().Handle(TestNode.Admin, new CreatePolicyRequest
        {
            Items = [new NewItem(host, new SourceSpec { Kind = SourceKind.PostgreSql, PostgreSql = new PostgreSqlSpec { Log = new() } })],
            Spec = new PolicySpec { Proof = new ProofSpec { DrillAfterFirst = false } },
        }, Books.NoStop);
        await fleet.Complete(host, (await fleet.Lease(host))!, new JobResult
        { Outcome = JobOutcome.Complete, ConfigId = new string('c', 64) });
        var (backup, at) = (Fleet.Backup(), TimeProvider.System.GetUtcNow().AddHours(-5));
        await fleet.Finish(host, _ => backup with
        {
            Backup = backup.Backup! with
            {
                Cluster = new ClusterPoint
                {
                    SystemIdentifier = "7564327168427892736",
                    ServerVersion = 150_000,
                    Timeline = 1,
                    StartLsn = "0/2000028",
                    StopLsn = "0/2000100",
                    StartedAt = at,
                    StoppedAt = at,
                    DataFolder = FilePath.FromText("/pg"),
                },
            },
        });
        var item = await fleet.OnlyItem();
        await using var books = await Books.Start(databases, shared: fleet.Node, loops: true);
        var runbook = await books.Make("shop", Books.Step("db", kind: StepKind.RestoreDatabase) with
        {
            Restore = new RestoreStep { Item = item.Id, Host = host, Point = RestoreWhich.EndOfLog, Target = FilePath.FromText("/srv/pg") },
        });
        var id = await books.Execute(runbook.Id, ExecutionMode.Disaster);

        var run = await Next(fleet, host, _ => new JobResult { Outcome = JobOutcome.Complete });
        var view = await books.Ended(id);

        Assert.Equal(("/srv/pg", MomentKind.Latest, false), (run.Job.Restore!.Target.ToString(), run.Job.Restore.Cluster!.Moment!.Kind,
            run.Job.Restore.Cluster.Starts));
        // The base backup's time is not that of the newest data: an assertion asks the server for that.
        var outputs = view.State.Steps[0].Outputs;
        Assert.Equal((ExecutionOutcome.Succeeded, "/srv/pg", false),
            (view.State.Outcome, outputs["target"], outputs.ContainsKey("takenAt")));
    }

    /// <summary>The example of docs/runbooks.md, with items that there are.</summary>
    [Fact]
    public async Task The_example_of_the_page_is_rehearsed()
    {
        await using var fleet = await Fleet.Start(databases);
        var (host, item) = await Proven(fleet);
        await using var books = await Books.Start(databases, shared: fleet.Node, loops: true);
        var page = await File.ReadAllTextAsync(Path.Combine(Root(), "docs", "runbooks.md"));
        var yaml = Regex.Replace(Regex.Match(page, "```yaml\n(.*?)```", RegexOptions.Singleline).Groups[1].Value, "item_[0-9a-f]{32}",
            item.Id.ToString());
        var made = Assert.Single((await books.Get<ApplyRunbooks>().Handle(TestNode.Admin, new ApplyRunbooksRequest
        {
            Files = [new DocumentFile("runbooks.md", yaml)],
        }, Books.NoStop)).Runbooks);

        var id = await books.Execute(made.Id, ExecutionMode.Rehearsal);
        var kinds = new[] { await Next(fleet, host, _ => Fleet.Drill(ProofResult.Proven)),
            await Next(fleet, host, _ => Fleet.Drill(ProofResult.Proven)) }.Select(run => run.Job.Kind);
        await Books.Until(async () => (await books.State(id, "settle")).Phase == StepPhase.Running);
        await books.Node.PassTime(TimeSpan.FromMinutes(2));
        var view = await books.Ended(id);

        Assert.Equal([JobKind.Drill, JobKind.Drill], kinds);   // in a sandbox: nothing is restored beside anything
        Assert.Equal((ExecutionOutcome.Succeeded, false), (view.State.Outcome, view.State.HasLeftovers));
        Assert.Equal(RunbookState.Problem, (await books.Show(made.Id)).State);   // files are no database, which the page's item is
    }

    static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "BackupDr.sln"))) folder = Path.GetDirectoryName(folder)!;
        return folder;
    }
}
