using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Retention;
using BackupDr.TestKit;
using BackupDr.Web.Policies;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests.Journeys;

/// <summary>What people do most, with the number of clicks that it may take, with the script and with the script blocked.</summary>
[Collection(Browser.OneVisitor)]
public sealed class PolicyJourneys(PostgresServer server, Browser browser)
{
    static bool IsBackup(Run run) => run is { Kind: JobKind.Backup, State: RunState.Complete };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_found_is_protected_in_three_clicks_from_the_items_and_drilled_in_two(bool script)
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Protect(agent.Host, "/srv/data");
        await node.Get<RecordInventory>().Handle(Caller.Agent(agent.Host), new InventoryRequest
        {
            Sources = [new SourceFound(FoundKind.Sqlite, FilePath.FromText("/srv/app/data.db"), "SQLite", 212L << 20)],
        }, default);
        await using var visit = await browser.Visit(node.Url, script);
        await visit.SignIn(first: true);
        await visit.Go("/items");
        await visit.Sees("Items");

        visit.Clicks = 0;
        await visit.Follow("Unprotected", exact: false);
        await visit.Follow("Protect /srv/app/data.db on web-1");
        await visit.Sees("New policy");
        await visit.Press("Create policy");
        await visit.Sees("What it protects");
        Assert.Equal(3, visit.Clicks);

        // Its first drill is made by itself; another one now, from the item's page.
        var runs = await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Drill, State: RunState.Complete }) == 2);
        var drilled = runs.Runs.First(run => run.Kind == JobKind.Drill && run.Title.Contains("data.db", StringComparison.Ordinal));
        await visit.Go($"/items/{drilled.Item}");
        visit.Clicks = 0;
        await visit.Click(visit.Page.Locator("td a[href^='/points/']").First);
        await visit.Press("Test restore now");
        await visit.Arrives("**/runs/*");
        Assert.Equal(2, visit.Clicks);
        await node.Until(page => page.Runs.Count(run => run is { Kind: JobKind.Drill, State: RunState.Complete }) == 3);
        visit.IsClean();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_change_that_loses_points_is_refused_without_the_typed_name(bool script)
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        var policy = await node.Protect(agent.Host, "/srv/data", "Documents");
        await node.Until(page => page.Runs.Any(IsBackup));
        await Past(node, 120);
        await node.Get<RetentionDue>().Run(default);
        await using var visit = await browser.Visit(node.Url, script);
        await visit.SignIn(first: true);
        await visit.Go($"/policies/{policy.Id}");
        await ThePictureIsThePlan(visit, await Plan(node, policy.Spec, null), policy.Spec);

        visit.Clicks = 0;
        await visit.Follow("Edit");
        await visit.Click(visit.Page.GetByText("Change what is kept"));
        foreach (var (label, text) in new[] { ("hourly", "0"), ("daily", "7"), ("monthly", "2") }) await visit.Fill(label, text);
        await visit.Press("Save changes");
        await visit.Reads("would go for good from");
        visit.Forgive($"/policies/{policy.Id}/edit");   // the refusal is an error to the browser
        Assert.Equal(policy.Spec.Retention.KeepDaily, (await Show(node, policy)).Spec.Retention.KeepDaily);
        var wanted = policy.Spec with { Retention = policy.Spec.Retention with { KeepHourly = 0, KeepDaily = 7, KeepMonthly = 2 } };
        await ThePictureIsThePlan(visit, await Plan(node, wanted, policy.Id), wanted);
        visit.Clicks++;
        await visit.Page.Locator("#confirm").FillAsync("Document");
        await visit.Press("Save changes");
        await visit.Reads("type the policy's name");
        visit.Forgive($"/policies/{policy.Id}/edit");
        visit.Clicks++;
        await visit.Page.Locator("#confirm").FillAsync("Documents");
        await visit.Press("Save changes");
        await visit.Sees("What it keeps");

        Assert.Equal(10, visit.Clicks);   // open, unfold, three numbers; refused, a wrong name; refused, the name; saved
        Assert.Equal(7, (await Show(node, policy)).Spec.Retention.KeepDaily);
        visit.IsClean();
    }

    /// <summary>Each mark of the picture says what the planner computes, and there are no others.</summary>
    static async Task ThePictureIsThePlan(Visit visit, RetentionPreview plan, PolicySpec spec)
    {
        var picture = RetentionPicture.Of(plan, spec.Retention.Trash, TimeProvider.System.GetUtcNow());
        var drawn = await visit.Page.Locator(".retention svg .mark title").EvaluateAllAsync<string[]>(
            "all => all.map(one => one.textContent)");

        Assert.Equal(picture.Dots.Concat(picture.Months.Reverse()).Select(RetentionPicture.Title), drawn);
        Assert.Equal(picture.Dots.Concat(picture.Months).Count(cell => RetentionPicture.Look(cell) is { Mark: MapMark.Lost }),
            await visit.Page.Locator(".retention svg .mark.lost").CountAsync());
    }

    static async Task<RetentionPreview> Plan(ConsoleNode node, PolicySpec spec, PolicyId? policy)
        => (await node.Get<PreviewPolicy>().Handle(ConsoleNode.System, new PreviewPolicyRequest(spec, null, policy), default)).Retention!;

    static Task<Policy> Show(ConsoleNode node, Policy policy)
        => node.Get<ShowPolicy>().Handle(ConsoleNode.System, new ShowPolicyRequest(policy.Id), default);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_alert_is_acknowledged_and_evidence_of_a_month_found_in_few_clicks(bool script)
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Protect(agent.Host, "/srv/data", "Documents");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await Raise(node);
        await using var visit = await browser.Visit(node.Url, script);
        await visit.SignIn(first: true);

        visit.Clicks = 0;
        await visit.Follow("1 alert");
        await visit.Click(visit.Page.GetByText("Acknowledge for a time"));
        await visit.Fill("Who looks after it", "Ana, after lunch");
        await visit.Press("Acknowledge");
        await visit.Reads("looks after it until");
        Assert.Equal(4, visit.Clicks);
        Assert.Equal(0, await visit.Page.GetByText("1 alert").CountAsync());

        // From the list of items to the month of an auditor.
        await visit.Go("/items");
        visit.Clicks = 0;
        await visit.Follow("Documents");
        await visit.Follow("Report");
        await visit.Reads("Longest gap / RPO");
        await visit.Page.Locator($"td a[href^='/evidence/']").First.WaitForAsync();
        Assert.Equal(2, visit.Clicks);
        visit.IsClean();
    }

    [Fact]
    public async Task Why_the_last_backup_failed_is_two_clicks_away_and_another_try_one_more()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Protect(agent.Host, "/srv/data", "Documents");
        var page = await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await node.Get<Postgres>().Execute("""
            update run set state = 'Failed', result = '{"outcome":"Failed","error":{"code":"backup.read","message":"/srv/data is away.",
                "hint":"Mount it.","isTransient":false}}' where id = $1
            """, [page.Runs.First(IsBackup).Id], default);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go("/items");
        visit.Clicks = 0;
        await visit.Click(visit.Page.Locator("main td a[href^='/items/']").First);
        await visit.Click(visit.Page.Locator("tr:has-text('Failed') a[href^='/runs/']").First);
        await visit.Reads("/srv/data is away.");
        Assert.Equal(2, visit.Clicks);
        await visit.Press("Retry");
        await visit.Arrives(url => !url.EndsWith($"{page.Runs.First(IsBackup).Id}", StringComparison.Ordinal));
        visit.IsClean();
    }

    static async Task Raise(ConsoleNode node)
    {
        await using var tx = await node.Get<Postgres>().Begin(default);
        await node.Get<AlertBook>().Raise(tx, new RaisedAlert
        {
            Cause = "test:journey",
            Kind = AlertKind.RetentionHeld,
            Severity = AlertSeverity.Warning,
            Title = "What orders holds changed suddenly.",
            Effect = "Nothing is forgotten.",
            Action = "Look at the item.",
            ActionUrl = "/items",
        }, default);
        await tx.Commit(default);
    }

    /// <summary>A point for each of so many days that are over.</summary>
    static Task Past(ConsoleNode node, int days) => node.Get<Postgres>().Execute("""
        insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup)
        select gen_random_uuid(), p.item_id, p.repository_id, gen_random_uuid(), encode(sha256(convert_to(n::text, 'UTF8')), 'hex'),
            clock() - n * interval '1 day', clock() - n * interval '1 day', true, p.backup
        from recovery_point p, generate_series(1, $1) n
        """, [days], default);
}
