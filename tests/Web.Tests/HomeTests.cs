using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>The answer at a glance: of few items with their days, of a drill that is overdue, and of very many at once.</summary>
[Collection(Browser.OneVisitor)]
public sealed class HomeTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task Days_are_read_without_colours_and_an_overdue_drill_is_amber_with_its_reason()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        var policy = await node.Protect(agent.Host, "/srv/data", "Documents");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        var item = policy.Items[0].Id;
        await node.Get<Postgres>().Execute("""
            insert into item_day (item_id, day, state, reason, gap)
            select $1, (clock() at time zone 'UTC')::date - n, (array['Proven', 'Unproven', 'Incomplete', 'Overdue', 'Failed', 'Unknown',
                'Off', 'New'])[1 + n % 8], 'Because of ' || n || '.', n * interval '1 hour' from generate_series(1, 25) n
            """, [item], default);
        await node.Get<Postgres>().Execute("update recovery_point set proof_at = clock() - interval '32 days'", [], default);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Reads("Mostly. The one protected item is not proven");
        await visit.Reads("Its test restore is overdue by 2 d");
        Assert.Equal(1, await visit.Page.Locator(".answer-mostly .status.unproven").CountAsync());
        await visit.Reads("4 days not recorded");
        var cells = await visit.Page.Locator(".heat tbody td .cell").AllInnerTextsAsync();
        Assert.Equal(30, cells.Count);
        Assert.Equal(["Not recorded", "Not recorded", "Not recorded", "Not recorded", "Unproven"], cells.Take(5));
        Assert.Equal(["Incomplete", "Unproven", "Unproven"], [cells[27], cells[28], cells[29]]);
        Assert.EndsWith(": Incomplete. Because of 2.", await visit.Page.Locator(".heat tbody td").Nth(27).GetAttributeAsync("title"),
            StringComparison.Ordinal);
        await visit.Shot("home-days");
        await visit.Go($"/items/{item}");
        await visit.Sees("The last 30 days");
        await visit.Reads("25 h");   // the longest gap
        await visit.Shot("item-days");
        visit.IsClean();
    }

    [Fact]
    public async Task Home_of_five_hundred_items_shows_the_worst_first_and_reads_no_history()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await node.Protect(agent.Host, "/srv/data", "Documents");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await Many(node, Nightly.IsOn ? 700 : 100);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Reads("No. 25 of 501 items");
        Assert.Equal(20, await visit.Page.Locator("#home table:not(.heat) tbody tr[data-key]").CountAsync());
        Assert.Equal(21, await visit.Page.Locator(".heat tbody tr").CountAsync());   // policies
        await visit.Shot("home-many");
        Assert.Empty(await Scans(node));
        if (Nightly.IsOn) TestContext.Current.TestOutputHelper?.WriteLine($"Home of 501 items: {await Times(visit)}");
        visit.IsClean();
    }

    static async Task<string> Times(Visit visit)
    {
        var times = new List<double>();
        for (var turn = 0; turn < 40; turn++)
            times.Add(await visit.Page.EvaluateAsync<double>(
                "async () => { const began = performance.now(); await (await fetch('/')).text(); return performance.now() - began; }"));
        times.Sort();
        return $"{times[20]:0} ms at the median, {times[37]:0} ms at p95";
    }

    /// <summary>Parts of the list of items that read all recovery points.</summary>
    static async Task<IReadOnlyList<string>> Scans(ConsoleNode node)
    {
        await node.Get<Postgres>().Execute("analyze", [], default);
        var plan = await node.Get<Postgres>().Query($"explain {ListItems.Statement}", [TimeSpan.FromSeconds(65), null],
            row => row.Text(0), default);
        return [.. plan.Where(line => line.Contains("Seq Scan on recovery_point", StringComparison.Ordinal)
            || line.Contains("Seq Scan on item_day", StringComparison.Ordinal))];
    }

    /// <summary>20 policies of 25 items, with points of so many hours, days and a proof each; the items of one policy are late.</summary>
    static async Task Many(ConsoleNode node, int hours)
    {
        var db = node.Get<Postgres>();
        await db.Execute("""
            insert into policy (id, name, spec)
            select gen_random_uuid(), 'Policy ' || lpad(n::text, 2, '0'), (select spec from policy limit 1) from generate_series(1, 20) n
            """, [], default);
        await db.Execute("""
            insert into item (id, policy_id, host_id, repository_id, name, source, created_at)
            select gen_random_uuid(), p.id, i.host_id, i.repository_id, '/srv/customers/' || n || ' on web-1', i.source,
                clock() - interval '60 days'
            from policy p, generate_series(1, 25) n, (select * from item limit 1) i where p.name like 'Policy %'
            """, [], default);
        await db.Execute("""
            insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup, proof,
                proof_at, proof_restore_seconds)
            select gen_random_uuid(), i.id, i.repository_id, gen_random_uuid(), encode(sha256(convert_to(i.id || ' ' || n, 'UTF8')), 'hex'),
                t.at, t.at, true, r.backup, case when n = 40 then 'Proven' end, case when n = 40 then t.at + interval '1 minute' end,
                case when n = 40 then 812 end
            from item i join policy p on p.id = i.policy_id, generate_series(1, $1) n, (select backup from recovery_point limit 1) r,
                lateral (select clock() - (n + case when p.name = 'Policy 07' then 25 else 0 end) * interval '1 hour' as at) t
            where p.name like 'Policy %'
            """, [hours], default);
        await db.Execute("""
            insert into item_day (item_id, day, state, reason, gap) select i.id, (clock() at time zone 'UTC')::date - n,
                case when n = 12 then 'Overdue' else 'Proven' end, 'Restored and checked 3 d ago on web-1.', interval '1 hour'
            from item i, generate_series(1, 29) n
            """, [], default);
        await db.Execute("analyze", [], default);
    }
}
