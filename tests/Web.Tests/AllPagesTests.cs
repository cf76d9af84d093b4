using System.Reflection;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.Approvals;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Alone;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Duties;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Runbooks;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.AspNetCore.Components;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests;

/// <summary>Every page that there is, of an installation with nothing in it and of one with something in everything: whole, without a
/// complaint of the browser, wide enough, and with nothing serious in the eyes of axe, light and dark.</summary>
/// <remarks>The list is made from the routes: a page that is added fails here until somebody says what it is to be opened with.</remarks>
[Collection(Browser.OneVisitor)]
public sealed class AllPagesTests(PostgresServer server, Browser browser)
{
    /// <summary>Pages that only somebody sees who is not signed in, or has to choose a password.</summary>
    static readonly string[] Alone = ["/sign-in", "/welcome", "/password"];

    static IReadOnlyList<string> Routes { get; } = [.. typeof(ConsoleRole).Assembly.GetTypes()
        .SelectMany(type => type.GetCustomAttributes<RouteAttribute>()).Select(route => route.Template).Except(Alone)
        .Order(StringComparer.Ordinal)];

    /// <summary>Pages that ask in their address what they are about, though their route does not say so.</summary>
    static readonly HashSet<string> Asking = ["/items/hide", "/restore/moment", "/restore/new", "/restore/table"];

    static bool IsOpenToAll(string route) => !route.Contains('{', StringComparison.Ordinal) && !Asking.Contains(route);

    [Fact]
    public async Task Each_page_of_an_empty_installation()
    {
        Axe.Need();
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        var faults = new List<string>();
        await visit.Go("/sign-in");
        await Look(visit, "sign-in", faults);
        await visit.Go("/welcome?token=1");
        await Look(visit, "welcome", faults);
        await visit.SignIn(first: true);
        await visit.Go("/password");
        await Look(visit, "password", faults);

        foreach (var route in Routes.Where(IsOpenToAll))
        {
            await visit.Go(route);
            await Look(visit, "empty" + Name(route), faults);
        }
        Assert.True(faults.Count == 0, string.Join('\n', faults.Distinct()));
        visit.IsClean();
    }

    [Fact]
    public async Task Each_page_of_an_installation_with_something_in_everything()
    {
        Axe.Need();
        await using var node = await ConsoleNode.Start(server);
        await using var installation = await Installation.Make(node);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);
        var faults = new List<string>();

        foreach (var route in Routes)
        {
            var pages = IsOpenToAll(route) ? [route] : installation.Pages.GetValueOrDefault(route, []);
            Assert.True(pages.Count > 0, $"The page {route} is new: say in {nameof(Installation)} what it is opened with.");
            foreach (var (page, at) in pages.Select((page, at) => (page, at)))
            {
                await visit.Go(page);
                Assert.True(await visit.Page.Locator(".problem").CountAsync() == 0, $"{page} shows a problem.");
                await Look(visit, $"full{Name(route)}{(at == 0 ? "" : $"-{at + 1}")}", faults);
            }
        }
        Assert.True(faults.Count == 0, string.Join('\n', faults.Distinct()));
        visit.IsClean();
    }

    static string Name(string route) => route.Replace("{Id}", "one", StringComparison.Ordinal).Replace('/', '-').TrimEnd('-');

    /// <summary>In dark only what depends on colours is looked at again.</summary>
    static async Task Look(Visit visit, string name, List<string> faults)
    {
        await visit.Shot(name);
        faults.AddRange((await visit.CutTables()).Select(fault => $"{name}: {fault}"));
        await visit.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = ColorScheme.Light });
        faults.AddRange((await Axe.Faults(visit)).Select(fault => $"{name}: {fault}"));
        await visit.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = ColorScheme.Dark });
        faults.AddRange((await Axe.Faults(visit, "color-contrast")).Select(fault => $"{name}, dark: {fault}"));
        await visit.Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = ColorScheme.Light });
    }

    /// <summary>Two hosts, files and a cluster under policies, drills, something found, a channel, and a host that is to join.</summary>
    sealed class Installation(IReadOnlyDictionary<string, IReadOnlyList<string>> pages, IReadOnlyList<ScriptedAgent> agents)
        : IAsyncDisposable
    {
        /// <summary>What each route that asks for something is opened with.</summary>
        public IReadOnlyDictionary<string, IReadOnlyList<string>> Pages => pages;

        public static async Task<Installation> Make(ConsoleNode node)
        {
            var (web, db) = (await node.Host(), await node.Host("db-eu1.internal.example.org"));
            var files = await node.Protect(web.Host, "/srv/data", "Standard files");
            db.Missing = [new PathProblem(FilePath.FromText("/var/lib/uploads/private/key.pem"), "Permission denied")];
            await node.Protect(db.Host, "/var/lib/uploads/customers/eu-central");
            await node.Until(page => page.Runs.Count(run => run.FinishedAt is not null && run.Kind == JobKind.Backup) == 2
                && page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
            db.Missing = [];
            var cluster = await Cluster(node, db);
            var runs = (await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Drill, FinishedAt: not null }) >= 2)).Runs;
            await node.Get<RecordInventory>().Handle(Caller.Agent(web.Host), new InventoryRequest
            {
                Sources = [new SourceFound(FoundKind.Sqlite, FilePath.FromText("/srv/app/data.db"), "SQLite 3, 12 tables", 12_345_678)],
            }, default);
            await WasAlone(node, web.Host);
            var channel = await node.Get<SaveChannel>().Handle(ConsoleNode.System, new SaveChannelRequest
            {
                Name = "On call",
                Kind = ChannelKind.Webhook,
                Settings = new ChannelSettings { Url = "http://127.0.0.1:9/hook" },
            }, default);
            var join = await node.Get<CreateJoinToken>().Handle(ConsoleNode.System, new CreateJoinTokenRequest(), default);
            var (user, approval) = await People(node, files.Id);
            var (book, executions) = await Runbooks(node);
            var item = files.Items[0];
            var points = await node.Get<ListRecoveryPoints>().Handle(ConsoleNode.System, new ListRecoveryPointsRequest(), default);
            var evidence = await node.Get<ListEvidence>().Handle(ConsoleNode.System, new ListEvidenceRequest(), default);
            var location = (await node.Get<ListLocations>().Handle(ConsoleNode.System, new ListLocationsRequest(), default))[0];
            return new Installation(new Dictionary<string, IReadOnlyList<string>>
            {
                ["/items/{Id}"] = [$"/items/{item.Id}", $"/items/{cluster.Id}"],
                ["/items/hide"] = [$"/items/hide?host={web.Host}&kind=Sqlite&path=/srv/app/data.db"],
                ["/policies/{Id}"] = [$"/policies/{files.Id}"],
                ["/policies/{Id}/edit"] = [$"/policies/{files.Id}/edit", $"/policies/{cluster.Policy}/edit"],
                ["/policies/{Id}/versions"] = [$"/policies/{files.Id}/versions"],
                ["/policies/{Id}/yaml"] = [$"/policies/{files.Id}/yaml"],
                ["/policies/{Id}/report"] = [$"/policies/{files.Id}/report"],
                ["/agents/{Id}"] = [$"/agents/{web.Host}"],
                ["/agents/{Id}/restore"] = [$"/agents/{db.Host}/restore"],
                ["/agents/join/{Id}"] = [$"/agents/join/{join.Id}"],
                ["/points/{Id}"] = [.. points.DistinctBy(point => point.Item).Select(point => $"/points/{point.Id}")],
                ["/restore/new"] = [$"/restore/new?item={item.Id}"],
                ["/restore/moment"] = [$"/restore/moment?item={cluster.Id}&latest=true"],
                ["/restore/table"] = [$"/restore/table?item={cluster.Id}&at=2026-11-21%2014:03:00"],
                ["/runs/{Id}"] = [.. runs.DistinctBy(run => (run.Kind, run.State)).Select(run => $"/runs/{run.Id}")],
                ["/runs/{Id}/log"] = [$"/runs/{runs[0].Id}/log"],
                ["/storage/{Id}"] = [$"/storage/{item.Repository}"],
                ["/storage/locations/{Id}"] = [$"/storage/locations/{location.Id}"],
                ["/evidence/{Id}"] = [.. evidence.Entries.DistinctBy(entry => entry.Kind).Select(entry => $"/evidence/{entry.Id}")],
                ["/settings/users/{Id}"] = [$"/settings/users/{user}"],
                ["/approvals/{Id}"] = [$"/approvals/{approval}"],
                ["/runbooks/{Id}"] = [$"/runbooks/{book}"],
                ["/runbooks/{Id}/edit"] = [$"/runbooks/{book}/edit"],
                ["/runbooks/{Id}/start"] = [$"/runbooks/{book}/start"],
                ["/executions/{Id}"] = [.. executions.SelectMany(one => new[] { $"/executions/{one}", $"/executions/{one}?view=focus" })],
                ["/settings/notifications/{Id}"] = [$"/settings/notifications/{channel.Id}"],
            }, [web, db]);
        }

        /// <summary>A runbook, a rehearsal of it that waits, an execution in earnest that asks somebody, and one that is over.</summary>
        static async Task<(RunbookId Book, IReadOnlyList<ExecutionId> Executions)> Runbooks(ConsoleNode node)
        {
            StepSpec Step(string name, StepKind kind, params string[] needs) => new()
            {
                Name = name,
                Kind = kind,
                Needs = needs,
                Timeout = TimeSpan.FromHours(2),
                For = kind == StepKind.Wait ? TimeSpan.FromHours(1) : null,
            };
            var book = await node.Get<CreateRunbook>().Handle(ConsoleNode.System, new CreateRunbookRequest
            {
                Name = "shop",
                Spec = new RunbookSpec
                {
                    Description = "Brings the shop to the other site.",
                    From = "eu-west",
                    To = "eu-north",
                    Targets = new RunbookTargets { Rto = TimeSpan.FromMinutes(45) },
                    Steps =
                    [
                        Step("go", StepKind.Approval), Step("settle-after-everything-was-switched", StepKind.Wait, "go"),
                        Step("warm-caches", StepKind.Wait, "go") with { Impact = StepImpact.Optional },
                        Step("look", StepKind.Approval, "settle-after-everything-was-switched") with { IsPointOfNoReturn = true },
                    ],
                },
            }, default);
            var rehearsal = await node.Get<RehearseRunbook>().Handle(ConsoleNode.System, new RehearseRunbookRequest(book.Id), default);
            var real = await node.Get<StartExecution>().Handle(ConsoleNode.System, new StartExecutionRequest(book.Id,
                ExecutionMode.Disaster, "The data centre does not answer."), default);
            var brief = await node.Get<CreateRunbook>().Handle(ConsoleNode.System, new CreateRunbookRequest
            {
                Name = "brief",
                Spec = new RunbookSpec
                {
                    Targets = book.Spec.Targets,
                    Steps = [Step("go", StepKind.Approval), Step("never", StepKind.Wait, "go") with { Modes = [ExecutionMode.Failback] }],
                },
            }, default);
            var over = await node.Get<RehearseRunbook>().Handle(ConsoleNode.System, new RehearseRunbookRequest(brief.Id), default);
            return (book.Id, [real.Id, rehearsal.Id, over.Id, .. await Nested(node)]);
        }

        /// <summary>An execution with another one below it, and two servers that both take writes.</summary>
        static async Task<IReadOnlyList<ExecutionId>> Nested(ConsoleNode node)
        {
            const string below = "Databases of the shop, with all that hangs on them: orders, customers, stock, invoices";
            Task<Runbook> Make(string name, StepSpec step) => node.Get<CreateRunbook>().Handle(ConsoleNode.System,
                new CreateRunbookRequest { Name = name, Spec = new RunbookSpec { Steps = [step] } }, default);
            await Make(below, new StepSpec { Name = "go", Kind = StepKind.Approval, Timeout = TimeSpan.FromHours(1) });
            var book = await Make("everything", new StepSpec
            {
                Name = "databases",
                Kind = StepKind.Runbook,
                Timeout = TimeSpan.FromHours(2),
                Runbook = new ChildRunbookSpec { Name = below },
            });
            var above = await node.Get<RehearseRunbook>().Handle(ConsoleNode.System, new RehearseRunbookRequest(book.Id), default);
            var db = node.Get<Postgres>();
            await using (var tx = await db.Begin(default))
            {
                await node.Get<AlertBook>().Raise(tx, SplitBrains.Alert(book.Id, "everything", "databases", "db-eu2.internal.example.org",
                    "db-eu1.internal.example.org"), default);
                await tx.Commit(default);
            }
            using var late = new CancellationTokenSource(TimeSpan.FromMinutes(4));
            while (true)
            {
                if (await db.First("select id from execution where parent_id = $1", [above.Id], row => (ExecutionId?)row.Id<ExecutionId>(0),
                    late.Token) is { } child) return [above.Id, child];
                await Task.Delay(50, late.Token);
            }
        }

        /// <summary>A second person, and something that waits for the first one's consent.</summary>
        static async Task<(UserId User, ApprovalId Approval)> People(ConsoleNode node, PolicyId policy)
        {
            var bob = await node.Get<CreateUser>().Handle(ConsoleNode.System, new CreateUserRequest("bob"), default);
            await node.Get<SetFourEyes>().Handle(ConsoleNode.System, new SetFourEyesRequest(true), default);
            var caller = Caller.OfPerson(bob.Id, bob.Name, [new Grant(Role.Admin)]);
            await Assert.ThrowsAsync<ConflictException>(() => node.Get<RemovePolicy>().Handle(caller, new RemovePolicyRequest(policy),
                default));
            return (bob.Id, (await node.Get<ListApprovals>().Handle(caller, new ListApprovalsRequest(), default))[0].Id);
        }

        static async Task<Item> Cluster(ConsoleNode node, ScriptedAgent agent)
        {
            agent.Clusters.Enqueue(new ClusterPoint
            {
                ServerVersion = 160_004,
                SystemIdentifier = "7301234567890123456",
                DataFolder = FilePath.FromText("/var/lib/postgresql/16/main"),
                Timeline = 1,
                StartLsn = "2/10000028",
                StopLsn = "2/10000100",
                StartedAt = TimeProvider.System.GetUtcNow().AddHours(-1),
                StoppedAt = TimeProvider.System.GetUtcNow().AddHours(-1),
                HasChecksums = true,
                Databases = [new DatabaseFound("orders", 812)],
            });
            var policy = await node.Get<CreatePolicy>().Handle(ConsoleNode.System, new CreatePolicyRequest
            {
                Name = "Orders",
                Items = [new NewItem(agent.Host, new SourceSpec
                {
                    Kind = SourceKind.PostgreSql,
                    PostgreSql = new PostgreSqlSpec { Log = new LogSpec() },
                })],
            }, default);
            await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Backup, State: RunState.Complete }
                && run.Policy == policy.Id));
            await Receives(node, agent, policy.Items[0].Id);
            return policy.Items[0];
        }

        /// <summary>A backup that a host made while no node was reachable.</summary>
        static async Task WasAlone(ConsoleNode node, HostId host)
        {
            var (meet, me, now) = (node.Get<MeetAlone>(), Caller.Agent(host), TimeProvider.System.GetUtcNow());
            var part = (await meet.Handle(me, new AloneRequest(), default)).Plan!.Parts[0];
            await meet.Handle(me, new AloneRequest
            {
                Runs =
                [
                    new AloneRun
                    {
                        Id = RunId.New(TimeProvider.System),
                        Policy = part.Policy,
                        Item = part.Item,
                        NominalAt = now.AddHours(-1),
                        Repository = part.Repository,
                        Title = part.Name,
                        AloneSince = now.AddHours(-2),
                        StartedAt = now.AddHours(-1),
                        EndedAt = now.AddMinutes(-59),
                        Result = new JobResult
                        {
                            Outcome = JobOutcome.Complete,
                            Backup = new BackupResult { SnapshotId = new string('e', 64), TakenAt = now.AddHours(-1), Files = 3 },
                        },
                    },
                ],
            }, default);
        }

        /// <summary>A log, so that there is a track of moments.</summary>
        static async Task Receives(ConsoleNode node, ScriptedAgent agent, ItemId item)
        {
            var me = Caller.Agent(agent.Host);
            var duty = Assert.Single((await node.Get<TellDuties>().Handle(me, new DutiesRequest { Process = "first" }, default)).Duties);
            await node.Get<TellDuties>().Handle(me, new DutiesRequest
            {
                Process = "first",
                Reports = [new DutyReport(item, duty.Epoch, duty.Version, new LogReport
                {
                    IsReceiving = true,
                    Slot = $"backupdr_{item.Value:N}",
                    SystemIdentifier = "7301234567890123456",
                    Timeline = 1,
                    Begin = "2/10000000",
                    Received = "2/50000000",
                    Stored = "2/50000000",
                    SettledAt = TimeProvider.System.GetUtcNow(),
                })],
            }, default);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var agent in agents) await agent.DisposeAsync();
        }
    }
}
