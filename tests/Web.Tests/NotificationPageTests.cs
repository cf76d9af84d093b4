using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

/// <summary>Who is told: added, tested against a real mail server, changed and removed, with plain forms.</summary>
[Collection(Browser.OneVisitor)]
public sealed class NotificationPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task A_mail_channel_shows_what_the_mail_server_really_says()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var mail = new MailServer();
        await using var visit = await browser.Visit(node.Url);
        await visit.SignIn(first: true);
        await visit.Go("/settings/notifications");
        await visit.Reads("Nobody is told");
        await visit.Shot("notifications-empty");
        await visit.Follow("Add a channel");
        await visit.Sees("Add a channel");
        await visit.Fill("Name", $"On call {ScriptedAgent.Hostile}");
        await visit.Fill("To, one a line", "ops@example.org");
        await visit.Fill("From", "backup@example.org");
        await visit.Fill("Mail server", "not a host");
        await visit.Shot("notifications-new");
        await visit.Press("Add channel");
        await visit.Reads("is no name of a mail server");
        await visit.Fill("Mail server", "127.0.0.1");
        await visit.Fill("Port", mail.Port.ToString(System.Globalization.CultureInfo.InvariantCulture));
        await visit.Press("Add channel");
        await visit.Sees("On call");
        await visit.Press("Send test");
        await visit.Reads("127.0.0.1 offers no STARTTLS, so nothing was sent.");
        await visit.Shot("notifications-test-refused");
        await visit.Page.GetByLabel("Encryption").SelectOptionAsync("None");
        await visit.Press("Save changes");
        await visit.Sees("On call");
        await visit.Press("Send test");
        await visit.Reads("250 2.0.0 queued as 1");
        Assert.Contains("Nothing happened", Assert.Single(mail.Mails).Text, StringComparison.Ordinal);
        await visit.Go("/settings/notifications");
        await visit.Reads("Nobody outside notices when this installation is gone");
        await visit.Shot("notifications");
        visit.Forgive("400");
        visit.IsClean();
    }

    [Fact]
    public async Task A_webhook_gets_a_key_that_is_shown_once_also_without_the_script()
    {
        await using var node = await ConsoleNode.Start(server);
        await using var visit = await browser.Visit(node.Url, script: false);
        await visit.SignIn(first: true);
        await visit.Go("/settings/notifications/new?kind=Webhook");
        await visit.Fill("Name", "Pager");
        await visit.Fill("Address", "http://127.0.0.1:9/T0/canary");
        await visit.Press("Add channel");
        await visit.Sees("Keep this key");
        var key = await visit.Page.Locator("#signing-key").InnerTextAsync();
        await visit.Shot("notifications-key");
        await visit.Follow("It is kept");
        await visit.Sees("Pager");
        var page = await visit.Page.ContentAsync();
        await visit.Press("Send test");
        await visit.Reads("It did not take the test.");
        await visit.Shot("notifications-webhook");

        Assert.Equal(64, key.Length);
        Assert.DoesNotContain(key, page, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", page, StringComparison.Ordinal);
        await visit.Press("Remove");
        await visit.Press("Remove Pager");
        await visit.Reads("Nobody is told");
        Assert.Empty(await node.Get<ListChannels>().Handle(ConsoleNode.System, new ListChannelsRequest(), default));
        visit.IsClean();
    }
}
