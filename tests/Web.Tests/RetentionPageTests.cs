using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.RecoveryPoints;
using BackupDr.Scheduler.Retention;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>The picture of retention, the trash, and holds, as a person meets them.</summary>
[Collection(Browser.OneVisitor)]
public sealed class RetentionPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task Rules_are_seen_before_they_are_saved_and_a_point_is_held_and_taken_back()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        var policy = await node.Protect(agent.Host, "/srv/data", "Documents");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        var item = policy.Items[0].Id;
        await Past(node, 120);
        await node.Get<RetentionDue>().Run(default);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/policies/{policy.Id}");
        await visit.Sees("What it keeps");
        await visit.Shot("retention-policy");
        await visit.Go($"/items/{item}");
        await visit.Sees("How long points stay");
        await visit.Page.GetByText("As a table").ClickAsync();
        await Cell(visit, "in the trash until");
        await visit.Shot("retention-item");

        // Fewer rules: the picture and the price are there before anything is saved.
        await visit.Go($"/policies/{policy.Id}/edit");
        await visit.Page.GetByText("Change what is kept").ClickAsync();
        foreach (var (label, text) in new[] { ("hourly", "0"), ("daily", "7"), ("weekly", "4"), ("monthly", "2") })
            await visit.Fill(label, text);
        await visit.Page.Locator("#loss").WaitForAsync();
        await visit.Shot("retention-edit");
        await visit.Press("Save changes");
        await visit.Reads("would go for good from");
        visit.Forgive($"/policies/{policy.Id}/edit");   // the refusal is an error to the browser
        await visit.Page.Locator("#confirm").FillAsync("Documents");
        await visit.Press("Save changes");
        await visit.Sees("What it keeps");
        await node.Get<RetentionDue>().Run(default);

        // Two clicks from the list of points: open it, take it out.
        await visit.Go($"/points?item={item}");
        await Cell(visit, "in the trash until");
        await visit.Shot("retention-points");
        var point = (await Points(node, item)).First(point => point.TrashUntil is not null);
        await visit.Go($"/points/{point.Id}");
        await visit.Shot("retention-point-trash");
        await visit.Press("Take it out of the trash");
        await visit.Reads("Taken out of the trash");
        await visit.Press("Put a legal hold");
        await visit.Fill("Why", "case 2026-17");
        await visit.Press("Put the hold");
        await visit.Reads("case 2026-17");
        await visit.Shot("retention-point-held");
        Assert.Null((await Points(node, item)).First(one => one.Id == point.Id).TrashUntil);

        // Something unusual: one press and a reason let retention go on.
        await node.Get<HoldItem>().Handle(ConsoleNode.System, new HoldItemRequest(item,
            "It has 512 files, and the point before had 128,412. 97 % of its new data cannot be compressed, as if it were encrypted; "
            + "usually it is 12 %."), default);
        await visit.Go($"/items/{item}");
        await visit.Reads("Nothing of this item is forgotten");
        await visit.Shot("retention-item-held");
        await visit.Press("Let retention go on");
        await visit.Fill("Why it is as it should be", "moved to another host");
        await visit.Press("Let it go on");
        await visit.Reads("Stop forgetting");
        await visit.Go($"/storage/{policy.Items[0].Repository}");
        await visit.Sees("Trash and space");
        await visit.Shot("retention-repository");
        visit.IsClean();
    }

    // The picture says the same in titles, which nobody sees before they point at it.
    static Task Cell(Visit visit, string text) => visit.Page.Locator("td").GetByText(text).First.WaitForAsync();

    static Task<IReadOnlyList<RecoveryPoint>> Points(ConsoleNode node, ItemId item)
        => node.Get<ListRecoveryPoints>().Handle(ConsoleNode.System, new ListRecoveryPointsRequest(item, 1000), default);

    /// <summary>A point for each of so many days that are over.</summary>
    static Task Past(ConsoleNode node, int days) => node.Get<Postgres>().Execute("""
        insert into recovery_point (id, item_id, repository_id, run_id, snapshot_id, taken_at, received_at, is_complete, backup)
        select gen_random_uuid(), p.item_id, p.repository_id, gen_random_uuid(), encode(sha256(convert_to(n::text, 'UTF8')), 'hex'),
            clock() - n * interval '1 day', clock() - n * interval '1 day', true, p.backup
        from recovery_point p, generate_series(1, $1) n
        """, [days], default);
}
