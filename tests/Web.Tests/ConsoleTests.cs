using System.Net;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests;

[Collection(Browser.OneVisitor)]
public sealed class ConsoleTests(PostgresServer server, Browser browser)
{
    static bool IsBackupAtWork(Run run) => run is { Kind: JobKind.Backup, State: RunState.Running };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_first_visitor_signs_in_chooses_a_password_and_is_led_to_the_first_step(bool script)
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url, script);

        await visit.Go("/jobs?tab=done");
        await visit.Shot("sign-in");
        await visit.Fill("Name", "admin");
        await visit.Fill("Password", "wrong");
        await visit.Press("Sign in");
        await visit.Reads("Name or password is wrong");
        await visit.Shot("sign-in-refused");
        visit.Forgive("401");
        await visit.SignIn(first: true);

        await visit.Sees("Three steps to a proven backup");
        Assert.InRange(await visit.Page.Locator("#menu > a").CountAsync(), 8, 9);
        await visit.Press("Sign out");
        await visit.Sees("Sign in");
        visit.IsClean();
    }

    [Fact]
    public async Task From_an_empty_console_to_a_restored_folder()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Follow("Add host");
        await visit.Press("Make the command");
        var command = await visit.Page.Locator("#command").TextContentAsync() ?? "";
        Assert.StartsWith("curl ", command, StringComparison.Ordinal);
        await visit.Shot("join-waiting");
        var token = command[command.IndexOf("bdr1_", StringComparison.Ordinal)..].Split('\'', '"', ' ', '&')[0];
        await using var agent = await ScriptedAgent.Join(node, token);
        await visit.Reads("web-1 is connected");
        await visit.Shot("join-done");

        await visit.Follow("Protect a folder of web-1");
        await visit.Press("srv");
        await visit.Press("Protect /srv/data");
        await visit.Page.Locator(".chosen").WaitForAsync();
        await visit.Shot("policy-new");
        agent.Hold = new TaskCompletionSource();
        await visit.Press("Create policy");
        await visit.Sees("What it protects");
        await node.Until(page => page.Runs.Any(IsBackupAtWork));
        await visit.Page.Locator("main a[href^='/runs/']").First.ClickAsync();
        await visit.Reads("Uploading · ");
        await visit.Shot("run-running");
        agent.Hold.SetResult();
        await visit.Page.Locator("#title").GetByText("Complete").WaitForAsync();
        await visit.Shot("run-complete");

        await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Drill, State: RunState.Complete }));
        await visit.Go("/");
        await visit.Reads("Yes. ");
        await visit.Shot("home-yes");
        visit.Clicks = 0;
        await visit.Click(visit.Page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { NameRegex = new("^Restore .*") }).First);
        await visit.Arrives("**/restore/new?*");
        await visit.Reads("from the drill of");
        await visit.Shot("restore-new");
        await visit.Click(visit.Page.Locator("main button.primary"));
        await visit.Arrives("**/runs/*");
        Assert.Equal(2, visit.Clicks);
        await visit.Page.Locator("#title").GetByText("Complete").WaitForAsync();
        await visit.Reads("Restored to");
        await visit.Shot("run-restore");
        visit.IsClean();
    }

    [Fact]
    public async Task Without_the_script_a_policy_is_made_and_a_file_restored()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        await using var visit = await browser.Visit(node.Url, script: false);
        await visit.SignIn(first: true);

        await visit.Go("/policies/new");
        await visit.Press("srv");
        await visit.Press("Protect /srv/data");
        await visit.Shot("policy-new");
        await visit.Press("Create policy");
        await visit.Sees("What it protects");
        var runs = await node.Until(page => page.Runs.Any(run => run is { Kind: JobKind.Backup, State: RunState.Complete }));
        var point = runs.Runs.First(run => run.Kind == JobKind.Backup).RecoveryPoint;
        await visit.Go($"/points/{point}?path=/srv/data");
        await visit.Reads(ScriptedAgent.Hostile);
        await visit.Page.GetByLabel("Select readme.md").CheckAsync();
        await visit.Shot("point");
        await visit.Press("Restore selected");
        await visit.Reads("/srv/data/readme.md");
        await visit.Page.Locator("main button.primary").ClickAsync();

        var restore = (await node.Until(page => page.Runs.Any(run => run.Kind == JobKind.Restore))).Runs.First(run
            => run.Kind == JobKind.Restore);
        await visit.Arrives($"**/runs/{restore.Id}");
        visit.IsClean();
    }

    [Fact]
    public async Task A_running_backup_is_followed_and_stopped_on_its_page()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var agent = await node.Host();
        agent.Hold = new TaskCompletionSource();
        await node.Protect(agent.Host, "/srv/data");
        var run = (await node.Until(page => page.Runs.Any(IsBackupAtWork))).Runs.First(IsBackupAtWork);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go($"/runs/{run.Id}");
        await visit.Reads("Step 1 of Backup");
        await visit.Reads("Step 5 of Backup");
        await visit.Press("Cancel");
        await visit.Shot("run-cancel");
        await visit.Press("Stop this run");

        await visit.Page.Locator("#title").GetByText("Cancelled").WaitForAsync();
        await visit.Shot("run-cancelled");
        visit.IsClean();
    }

    [Fact]
    public async Task What_is_not_there_and_what_is_not_allowed_is_said_in_words()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);

        await visit.Go("/nowhere");
        await visit.Sees("This address leads nowhere");
        await visit.Shot("not-found");
        await visit.Go($"/items/{ItemId.New(TimeProvider.System)}");
        await visit.Reads("does not exist");
        await visit.Go("/items/item_1");
        await visit.Reads("is not a item id");
        visit.Forgive("404");
        visit.Forgive("400");
        await visit.Go("/storage/new");
        await visit.Fill("Name", "Relative");
        await visit.Fill("Folder", "backups");
        await visit.Press("Add location");
        await visit.Page.Locator(".field-error").First.WaitForAsync();
        await visit.Shot("storage-refused");
        visit.Forgive("400");
        visit.IsClean();
    }

    [Fact]
    public async Task Pages_forbid_scripts_from_elsewhere_and_forms_from_other_sites()
    {
        await using var node = await ConsoleNode.Start(server);
        using var client = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = node.Url };

        using var page = await client.GetAsync(new Uri("/sign-in", UriKind.Relative));
        using var guarded = await client.GetAsync(new Uri("/policies", UriKind.Relative));
        using var form = new FormUrlEncodedContent([new("_handler", "sign-in"), new("Form.Name", "admin"), new("Form.Password",
            ConsoleNode.OneTimePassword)]);
        using var forged = await client.PostAsync(new Uri("/sign-in", UriKind.Relative), form);

        var policy = Assert.Single(page.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", policy, StringComparison.Ordinal);
        Assert.True(page.Headers.CacheControl!.NoStore);
        Assert.Equal("/sign-in?back=%2Fpolicies", guarded.Headers.Location?.OriginalString);
        Assert.Equal(HttpStatusCode.BadRequest, forged.StatusCode);
        Assert.False(forged.Headers.TryGetValues("Set-Cookie", out var cookies) && cookies.Any(cookie => cookie.StartsWith("backupdr",
            StringComparison.Ordinal)));
    }
}
