using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Policies;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>When runs start, as a person says it and sees it.</summary>
[Collection(Browser.OneVisitor)]
public sealed class SchedulePageTests(PostgresServer server, Browser browser)
{
    static string Clock(double hours)
        => TimeProvider.System.GetUtcNow().AddHours(hours).ToString("HH:mm", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Hours_are_seen_before_they_are_saved_and_what_waits_for_them_says_so()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        var policy = await node.Protect(agent.Host, "/srv/data", "Documents");
        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/policies/{policy.Id}/edit");
        await visit.Reads("At worst 24 h 30 min: every 24 h + up to 30 min of spread");
        await visit.Page.GetByText("Only in certain hours, or not in some").ClickAsync();
        await visit.Fill("Windows in which runs start, one on a line", $"Mon-Fri {Clock(2)}-{Clock(6)}\nSat,Sun {Clock(2)}-{Clock(5)}");
        await Leave(visit);
        await visit.Page.Locator("#outcome .day-strip").First.WaitForAsync();
        await visit.Fill("Blackouts in which none starts, one on a line",
            $"{TimeProvider.System.GetUtcNow().AddDays(3).DayOfWeek} # the day of the stock-taking in all warehouses");
        await Leave(visit);
        await visit.Reads("That is ");
        await visit.Shot("schedule-edit");
        await visit.Fill("Windows in which runs start, one on a line", "at night");
        await Leave(visit);
        await visit.Reads("'at night' is no window");
        await ASlowAnswerIsTooLate(visit);
        await visit.Press("Save changes");
        await visit.Sees("When it runs");
        await visit.Shot("schedule-policy");

        await node.Get<FirePolicy>().Handle(ConsoleNode.System, policy.Id, TimeProvider.System.GetUtcNow(), default);
        await visit.Go($"/items/{policy.Items[0].Id}");
        await visit.Reads($"window {Clock(2)[..3]}");
        await visit.Shot("schedule-item");
        await visit.Go("/jobs");
        await visit.Reads($"window {Clock(2)[..3]}");
        await visit.Shot("schedule-jobs");

        await visit.Go($"/agents/{agent.Host}");
        await visit.Page.Locator("#backups-at-once").FillAsync("1");
        await visit.Press("Save");
        await visit.Page.Locator("#backups-at-once[value='1']").WaitForAsync();
        await visit.Shot("schedule-host");
        var location = (await node.Get<BackupDr.Scheduler.Repositories.ListLocations>().Handle(ConsoleNode.System,
            new ListLocationsRequest(), default))[0];
        await visit.Go($"/storage/locations/{location.Id}");
        await visit.Page.Locator("#backups-at-once").FillAsync("4");
        await visit.Press("Save");
        await visit.Page.Locator("#backups-at-once[value='4']").WaitForAsync();
        await visit.Shot("schedule-location");
        visit.IsClean();
    }

    // A form is looked at again when a field is left.
    /// <summary>What is shown belongs to what is written, also where the answer to what was written before comes last.</summary>
    static async Task ASlowAnswerIsTooLate(Visit visit)
    {
        var (held, posts) = (new TaskCompletionSource(), 0);
        await visit.Page.RouteAsync("**/edit", async route =>
        {
            if (route.Request.Method == "POST" && Interlocked.Increment(ref posts) == 1) await held.Task;
            await route.ContinueAsync();
        });
        await visit.Fill("Windows in which runs start, one on a line", "at dawn");
        await visit.Page.RunAndWaitForRequestAsync(() => Leave(visit), request => request.Method == "POST");
        await visit.Fill("Windows in which runs start, one on a line", $"{Clock(2)}-{Clock(6)}");
        await Leave(visit);
        await visit.Page.Locator("#outcome .day-strip").First.WaitForAsync();
        held.SetResult();   // nobody waits for it any more
        await visit.Page.EvaluateAsync("() => fetch('/health/live').then(answer => answer.text())");
        await visit.Page.UnrouteAllAsync();
        Assert.Equal(0, await visit.Page.GetByText("'at dawn' is no window").CountAsync());
    }

    static Task Leave(Visit visit) => visit.Page.Keyboard.PressAsync("Tab");

    [Fact]
    public void Hours_survive_the_form()
    {
        var spec = new PolicySpec
        {
            Schedule = new ScheduleSpec
            {
                TimeZone = "Europe/Berlin",
                Windows = [new WindowSpec { Days = [DayOfWeek.Saturday], From = "22:00", To = "06:00" }, new WindowSpec { From = "01:00" }],
                Blackouts = [new BlackoutSpec { First = new(2026, 12, 24), Last = new(2026, 12, 27), Why = "inventory" }],
                Spread = TimeSpan.FromMinutes(20),
                CatchUp = CatchUp.Skip,
            },
        };

        Assert.Equal(Text(spec), Text(BackupDr.Web.Policies.PolicyDraft.Of(spec).Spec()));

        static string Text(PolicySpec policy)
            => System.Text.Json.JsonSerializer.Serialize(policy, BackupDr.Contracts.WireJson.Default.PolicySpec);
    }
}
