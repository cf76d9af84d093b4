using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Evidence;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Evidence;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests;

/// <summary>What an auditor sees, prints and takes along; and what needs somebody.</summary>
[Collection(Browser.OneVisitor)]
public sealed class EvidencePageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task A_drill_is_found_from_everywhere_verified_on_its_page_and_printed_on_A4()
    {
        Tool.Need("pdftotext", "poppler-utils");
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);
        await visit.Go("/evidence");
        await visit.Reads("Nothing proven yet");
        await visit.Shot("evidence-empty");
        await using var agent = await node.Host();
        agent.Checks =
        [
            new DrillCheck("integrity_check", true, "ok", "ok"),
            new DrillCheck("rows", false, $"orders: 2 instead of 3 {ScriptedAgent.Hostile}", "as many rows as when it was stored"),
        ];
        await node.Get<CreatePolicy>().Handle(ConsoleNode.System, new CreatePolicyRequest
        {
            Name = "Databases of the shop, with a name that is rather long, as some people like them to be",
            Items = [new NewItem(agent.Host, new SourceSpec
            {
                Kind = SourceKind.Sqlite,
                Sqlite = new SqliteSpec { Path = FilePath.FromText("/srv/app/data.db") },
            })],
        }, default);
        var done = await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        var drill = done.Runs.First(run => run.Kind == JobKind.Drill);
        var record = Assert.Single((await node.Get<ListEvidence>().Handle(ConsoleNode.System, new ListEvidenceRequest(), default)).Entries);

        foreach (var from in (string[])[$"/runs/{drill.Id}", $"/points/{drill.RecoveryPoint}", $"/items/{drill.Item}"])
        {
            await visit.Go(from);
            await visit.Page.Locator("a[href^='/evidence?']").First.ClickAsync();
            await visit.Sees("Evidence");
            Assert.Equal(1, await visit.Page.Locator($"a[href='/evidence/{record.Id}']").CountAsync());
        }
        await visit.Shot("evidence");
        await visit.Go($"/evidence/{record.Id}");
        await visit.Reads("is that of its bytes");
        await visit.Reads("as many rows as when it was stored");
        await visit.Shot("evidence-record");
        await Printed(visit, record);
        await Report(visit, node, drill, record);
        await visit.Go("/evidence?since=yesterday");
        await visit.Reads("is no day");
        visit.Forgive("400");
        visit.IsClean();
    }

    static async Task Printed(Visit visit, EvidenceEntry record)
    {
        var text = await Print(visit);
        Assert.Contains(record.Id.ToString(), text, StringComparison.Ordinal);
        Assert.Contains(record.Hash, text.ReplaceLineEndings("").Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        foreach (var part in (string[])["orders: 2 instead of 3", "as many rows", "integrity_check", "Asked by", "Databases of the shop"])
            Assert.Contains(part, text, StringComparison.Ordinal);
        Assert.DoesNotContain("Sign out", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Recovery points\n", text, StringComparison.Ordinal);   // the menu
    }

    static async Task<string> Print(Visit visit)
    {
        using var scratch = new ScratchFolder();
        var (pdf, text) = (scratch.At("page.pdf"), scratch.At("page.txt"));
        await visit.Page.PdfAsync(new PagePdfOptions { Path = pdf, PreferCSSPageSize = true });
        Tool.Succeed("pdftotext", "-layout", pdf, text);
        var size = Tool.Succeed("pdfinfo", pdf);
        Assert.Matches(@"Page size:\s+59[45](\.\d+)? x 84[12](\.\d+)? pts", size);
        return await File.ReadAllTextAsync(text);
    }

    static async Task Report(Visit visit, ConsoleNode node, Run drill, EvidenceEntry record)
    {
        await visit.Go($"/policies/{drill.Policy}/report");
        await visit.Reads("Slowest restore / RTO");
        await visit.Shot("evidence-report");
        var report = await node.Get<ShowEvidenceReport>().Handle(ConsoleNode.System, new ShowEvidenceReportRequest(drill.Policy!.Value),
            default);
        var row = Assert.Single(report.Rows);
        var csv = (await visit.Page.EvaluateAsync<string>("url => fetch(url).then(answer => answer.text())",
            $"/policies/{drill.Policy}/report/csv")).Split("\r\n");
        Assert.True(csv.Length == 3, string.Join('|', csv));
        var cells = csv[1].Split(',');
        var screen = await visit.Page.Locator("tbody td.number").AllInnerTextsAsync();
        var printed = await Print(visit);
        // The same numbers on the screen, on paper and in the file.
        Assert.Equal((0, 1), (row.Proven, row.Failed));
        Assert.Equal(["0", "1", "0", "0"], screen.Take(4));
        Assert.Equal(["0", "1", "0", "0"], cells[1..5]);
        Assert.Equal(row.Slowest!.Seconds.ToString("0.###", CultureInfo.InvariantCulture), cells[5]);
        Assert.Equal(record.Id.ToString(), cells[10]);
        Assert.Equal(Parts.Words.Duration(TimeSpan.FromSeconds(row.Slowest.Seconds)), screen[4].Split('/')[0].Trim());
        Assert.Contains(screen[4].Split('/')[0].Trim(), printed, StringComparison.Ordinal);
        Assert.Equal(1, await visit.Page.Locator($"a[href='/evidence/{record.Id}']").CountAsync() / 2);
        Assert.Equal("'=1+1,0,1,0,0", EvidenceText.Csv(report with { Rows = [row with { ItemName = "=1+1" }] }).Split("\r\n")[1][..13]);
    }

    [Fact]
    public async Task What_needs_somebody_is_on_Home_and_waits_for_who_took_it()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);
        await visit.Go("/alerts");
        await visit.Reads("Nothing needs you");
        await using (var tx = await node.Get<Postgres>().Begin(default))
        {
            foreach (var severity in Enum.GetValues<AlertSeverity>())
                await node.Get<AlertBook>().Raise(tx, new RaisedAlert
                {
                    Cause = $"test:{severity}",
                    Kind = AlertKind.RetentionHeld,
                    Severity = severity,
                    Title = $"{severity}: what {ScriptedAgent.Hostile} holds changed suddenly, and its name is long enough to wrap.",
                    Effect = "Nothing is forgotten; its objective holds until 2026-11-20 05:40 UTC.",
                    Items = [new AlertItem(ItemId.New(TimeProvider.System), "orders"),
                        new AlertItem(ItemId.New(TimeProvider.System), "crm")],
                    DeadlineAt = DateTimeOffset.UnixEpoch.AddYears(80),
                    Action = "Look at the item.",
                    ActionUrl = "/items",
                }, default);
            await tx.Commit(default);
        }

        await visit.Go("/");
        await visit.Reads("Needs you (2)");
        await visit.Shot("home-needs-you");
        await visit.Follow("All alerts");
        await visit.Sees("Alerts");
        await visit.Shot("alerts");
        await visit.Page.GetByText("Acknowledge for a time").First.ClickAsync();
        await visit.Page.GetByLabel("Who looks after it").First.FillAsync("Ana, after lunch");
        await visit.Page.GetByRole(AriaRole.Button, new() { Name = "Acknowledge", Exact = true }).First.ClickAsync();
        await visit.Reads("looks after it until");
        await visit.Shot("alerts-acknowledged");
        await visit.Go("/");
        await visit.Reads("Needs you (1)");
        visit.IsClean();
    }
}
