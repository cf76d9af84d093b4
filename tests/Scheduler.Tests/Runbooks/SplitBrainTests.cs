using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runs;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks;

/// <summary>Whether two servers that both take writes are told, with agents that say what a test says.</summary>
public sealed class SplitBrainTests(SchedulerDatabases databases)
{
    static CancellationToken NoStop => CancellationToken.None;

    /// <summary>What a host says of its server.</summary>
    enum Says { Primary, Standby, Stopped, NotAllowed, Nothing }

    [Fact]
    public async Task Two_servers_that_take_writes_are_told_until_one_of_them_does_not()
    {
        await using var fleet = await Fleet.Start(databases);
        var (old, now) = (await fleet.AddHost("db-a"), await fleet.AddHost("db-b"));
        await Executed(fleet);

        async Task<string?> Told(Says ofOld, Says ofNew)
        {
            using var done = new CancellationTokenSource();
            var agents = Task.WhenAll(Agent(fleet, old, ofOld, done.Token), Agent(fleet, now, ofNew, done.Token));
            await fleet.Node.Db.Execute("update host set last_seen_at = case when name = 'db-a' and $1 or name = 'db-b' and $2 "
                + "then clock() - interval '1 day' else clock() end", [ofOld == Says.Nothing, ofNew == Says.Nothing], NoStop);
            try { await fleet.Get<SplitBrains>().Run(NoStop); }
            finally
            {
                await done.CancelAsync();
                await agents;
            }
            var alert = (await fleet.Get<ListAlerts>().Handle(TestNode.Admin, new ListAlertsRequest(), NoStop))
                .SingleOrDefault(one => one.Kind == AlertKind.SplitBrain);
            return alert?.Title;
        }

        const string split = "Split brain: the database server that 'shop' promoted on db-b, and the old one on db-a, both take writes.";
        Assert.Null(await Told(Says.Primary, Says.Standby));     // before a failover
        Assert.Null(await Told(Says.Stopped, Says.Primary));     // after one
        Assert.Null(await Told(Says.NotAllowed, Says.Primary));
        Assert.Equal(split, await Told(Says.Primary, Says.Primary));
        Assert.Equal(split, await Told(Says.Nothing, Says.Primary));   // cut off again: nobody knows
        Assert.Null(await Told(Says.Standby, Says.Primary));     // protected again
        Assert.Equal(split, await Told(Says.Primary, Says.Primary));
        Assert.Null(await Told(Says.Stopped, Says.Primary));
    }

    static async Task Executed(Fleet fleet)
    {
        var cluster = new PostgreSqlSpec { Port = 5432 };
        var spec = new RunbookSpec
        {
            Steps = [new StepSpec { Name = "promote", Kind = StepKind.DbPromote, Timeout = TimeSpan.FromMinutes(1), Promote = new()
                { Host = "db-b", Cluster = cluster, Instead = new OldPrimarySpec { Host = "db-a" } } }],
        };
        var (runbook, execution) = (RunbookId.New(TimeProvider.System), ExecutionId.New(TimeProvider.System));
        await fleet.Node.Db.Execute("insert into runbook (id, name, version) values ($1, 'shop', 1)", [runbook], NoStop);
        await fleet.Node.Db.Execute("insert into runbook_version (runbook_id, version, by_whom, spec, hash) "
            + "values ($1, 1, 'a test', $2::jsonb, '')", [runbook, JsonSerializer.Serialize(spec, WireJson.Default.RunbookSpec)], NoStop);
        await fleet.Node.Db.Execute("insert into execution (id, runbook_id, version, mode, phase, by_whom, why, started_at, state) "
            + "values ($1, $2, 1, 'Disaster', 'Ended', 'a test', '', clock(), '{}')", [execution, runbook], NoStop);
    }

    static async Task Agent(Fleet fleet, HostId host, Says says, CancellationToken over)
    {
        var answer = says switch
        {
            Says.Stopped => new AgentRequestAnswer { Error = new JobError("postgres.unreachable", "It cannot be reached.", null, true) },
            Says.NotAllowed => new AgentRequestAnswer { Error = new JobError("step.not_listed", "Not here.", null, false) },
            _ => new AgentRequestAnswer
            {
                Step = new HostStepReport
                {
                    State = HostStepState.Done,
                    Text = "so",
                    Facts = new Dictionary<string, string> { ["wasStandby"] = says == Says.Standby ? "true" : "false" },
                },
            },
        };
        while (!over.IsCancellationRequested && says != Says.Nothing)
        {
            var leased = await fleet.Get<LeaseRun>().Handle(Caller.Agent(host),
                new LeaseRequest { Slots = 0, WaitSeconds = 1, KnowsSteps = true }, NoStop);
            foreach (var request in leased.Requests)
            {
                Assert.Equal(HostStepWish.Look, request.Step!.Wish);
                await fleet.Get<AnswerRequest>().Handle(Caller.Agent(host), request.Id, answer, NoStop);
            }
        }
    }
}
