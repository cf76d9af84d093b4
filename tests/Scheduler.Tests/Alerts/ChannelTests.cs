using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Alerts;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit.Servers;
using Microsoft.AspNetCore.Http;

namespace BackupDr.Scheduler.Tests.Alerts;

/// <summary>Alerts reach real sinks: nothing is lost while a sink is away, nothing comes twice under two keys.</summary>
public sealed class ChannelTests(SchedulerDatabases databases)
{
    static Task<AlertChannel> Save(TestNode node, ChannelKind kind, ChannelSettings settings, string? secret = null, string name = "ops")
        => node.Get<SaveChannel>().Handle(TestNode.Admin, new SaveChannelRequest
        {
            Name = name,
            Kind = kind,
            Settings = settings with { Collect = TimeSpan.Zero },
            Secret = secret,
        }, default);

    static Task<AlertChannel> Mail(TestNode node, MailServer server, SmtpSecurity security = SmtpSecurity.None,
        string? authority = null, (string User, string Password)? account = null, string name = "ops")
        => Save(node, ChannelKind.Email, new ChannelSettings
        {
            AuthorityPem = authority,
            SmtpUser = account?.User,
            SmtpHost = "127.0.0.1",
            SmtpPort = server.Port,
            SmtpSecurity = security,
            From = "backup@example.org",
            To = ["ops@example.org", "boss@example.org"],
        }, account?.Password, name);

    static async Task Raise(TestNode node, string cause, AlertSeverity severity = AlertSeverity.Warning)
    {
        await using var tx = await node.Db.Begin(default);
        await node.Get<AlertBook>().Raise(tx, new RaisedAlert
        {
            Cause = cause,
            Kind = AlertKind.RetentionHeld,
            Severity = severity,
            Title = $"{cause} is held.",
            Effect = "Nothing is forgotten.",
            Action = "Look.",
            ActionUrl = "/items",
        }, default);
        await tx.Commit(default);
    }

    static async Task Clear(TestNode node, string cause)
    {
        await using var tx = await node.Db.Begin(default);
        await node.Get<AlertBook>().Clear(tx, cause, default);
        await tx.Commit(default);
    }

    /// <summary>Lets pauses pass and delivers, until nothing waits.</summary>
    static async Task<AlertChannel> Settle(TestNode node, ChannelId id, int turns = 20)
    {
        for (var turn = 0; turn < turns; turn++)
        {
            await node.Get<DeliverMessages>().Run(default);
            var channel = await Show(node, id);
            if (channel.Waiting == 0) return channel;
            await node.PassTime(TimeSpan.FromHours(1));
        }
        return await Show(node, id);
    }

    static Task<AlertChannel> Show(TestNode node, ChannelId id)
        => node.Get<ShowChannel>().Handle(TestNode.Admin, new ShowChannelRequest(id),
        default);

    static IEnumerable<AlertEvent> Events(Posted posted)
        => JsonSerializer.Deserialize(posted.Body, WireJson.Default.MessageContent)!.Events;

    [Fact]
    public async Task A_mail_is_deferred_cut_after_its_data_and_taken_under_one_id()
    {
        await using var node = await TestNode.Start(databases);
        await using var server = new MailServer();
        var channel = await Mail(node, server);
        foreach (var mood in (MailMood[])[MailMood.Defers, MailMood.Refuses, MailMood.CutAfterData]) server.Moods.Enqueue(mood);

        await Raise(node, "é orders");
        await node.Get<DeliverMessages>().Run(default);
        Assert.Contains("451 4.7.1 greylisted", (await Show(node, channel.Id)).Answer!.Text, StringComparison.Ordinal);
        channel = await Settle(node, channel.Id);

        var message = Assert.Single(channel.Messages);
        Assert.Equal((MessageState.Sent, 4, "250 2.0.0 queued as 2"), (message.State, message.Attempts, message.Answer));
        // The connection was cut after it was taken: it came again, and says by its id that it is the same.
        Assert.Equal(2, server.Mails.Count);
        Assert.Single(server.Mails.Select(mail => mail.Header("Message-ID")).Distinct());
        Assert.Single(server.Mails.Select(mail => mail.Text).Distinct());
        var mail = server.Mails.First();
        Assert.Equal($"<{message.Id}@example.org>", mail.Header("Message-ID"));
        Assert.Equal(("backup@example.org", "ops@example.org boss@example.org"), (mail.From, string.Join(' ', mail.To)));
        Assert.Contains("é orders is held.", mail.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_mail_server_that_does_not_encrypt_is_told_nothing()
    {
        await using var node = await TestNode.Start(databases);
        await using var server = new MailServer { Abilities = ["AUTH PLAIN"] };
        var channel = await Mail(node, server, SmtpSecurity.StartTls);

        var answer = await node.Get<TestChannel>().Handle(TestNode.Admin, new TestChannelRequest(channel.Id), default);

        Assert.Equal((false, "127.0.0.1 offers no STARTTLS, so nothing was sent."), (answer.IsGood, answer.Text));
        Assert.All(server.Heard, line => Assert.StartsWith("EHLO", line, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(SmtpSecurity.StartTls, "AUTH PLAIN")]
    [InlineData(SmtpSecurity.StartTls, "AUTH LOGIN")]
    [InlineData(SmtpSecurity.Tls, "AUTH LOGIN PLAIN")]
    public async Task A_mail_goes_encrypted_to_a_server_that_an_authority_of_ones_own_vouches_for(SmtpSecurity security, string ways)
    {
        await using var node = await TestNode.Start(databases);
        using var authority = new TestAuthority("the firm");
        using var certificate = authority.Sign("127.0.0.1");
        await using var server = new MailServer
        {
            Certificate = certificate,
            EncryptsAtOnce = security == SmtpSecurity.Tls,
            Wants = ("ops", "pässword"),
            Abilities = [ways],
        };
        var channel = await Mail(node, server, security, authority.Pem, ("ops", "pässword"));

        await Raise(node, "a");
        channel = await Settle(node, channel.Id);

        Assert.Equal("250 2.0.0 queued as 1", Assert.Single(channel.Messages).Answer);
        Assert.Contains("a is held.", Assert.Single(server.Mails).Text, StringComparison.Ordinal);
        Assert.Equal(authority.Pem.ReplaceLineEndings("\n").Trim(), channel.Settings.AuthorityPem!.Trim());

        var wrong = await Mail(node, server, security, authority.Pem, ("ops", "password"), "wrong");
        var refused = await node.Get<TestChannel>().Handle(TestNode.Admin, new TestChannelRequest(wrong.Id), default);
        Assert.Equal((false, "535 5.7.8 user or password are wrong"), (refused.IsGood, refused.Text));
        Assert.Single(server.Mails);
    }

    [Theory]
    [InlineData("127.0.0.1", false, false, "it is signed by 'the firm'")]
    [InlineData("mail.elsewhere.test", false, true, "it is for mail.elsewhere.test")]
    [InlineData("127.0.0.1", true, true, "does not count now")]
    public async Task A_mail_server_that_nobody_vouches_for_is_told_nothing_and_the_answer_says_why(string host, bool isOver, bool isGiven,
        string expected)
    {
        await using var node = await TestNode.Start(databases);
        using var authority = new TestAuthority("the firm");
        using var certificate = authority.Sign(host, isOver);
        await using var server = new MailServer { Certificate = certificate };
        var channel = await Mail(node, server, SmtpSecurity.StartTls, isGiven ? authority.Pem : null, ("ops", "password"));

        var answer = await node.Get<TestChannel>().Handle(TestNode.Admin, new TestChannelRequest(channel.Id), default);

        Assert.False(answer.IsGood);
        Assert.StartsWith("The certificate of 127.0.0.1 is not trusted: ", answer.Text, StringComparison.Ordinal);
        Assert.Contains(expected, answer.Text, StringComparison.Ordinal);
        Assert.EndsWith("Nothing was sent.", answer.Text, StringComparison.Ordinal);
        Assert.All(server.Heard, line => Assert.True(line.StartsWith("EHLO", StringComparison.Ordinal) || line == "STARTTLS", line));
    }

    [Fact]
    public async Task A_webhook_that_is_away_gets_all_of_it_once_signed_also_from_two_nodes_at_once()
    {
        await using var node = await TestNode.Start(databases);
        await using var second = await TestNode.Start(databases, shared: node);
        await using var sink = await WebSink.Start();
        var channel = await Save(node, ChannelKind.Webhook, new ChannelSettings { Url = sink.Url + "/hook?token=hidden" });
        sink.Answer = response =>
        {
            response.StatusCode = 503;
            response.Headers.RetryAfter = "7200";
            return response.WriteAsync("<p>down</p>");
        };

        await Raise(node, "a");
        await node.Get<DeliverMessages>().Run(default);
        foreach (var cause in (string[])["b", "c", "d"]) await Raise(node, cause);
        await Clear(node, "a");
        await node.Get<DeliverMessages>().Run(default);
        Assert.Equal("HTTP 503 Service Unavailable: <p>down</p>", (await Show(node, channel.Id)).Answer!.Text);
        var tries = sink.All.Count;
        await node.PassTime(TimeSpan.FromMinutes(119));
        await node.Get<DeliverMessages>().Run(default);
        Assert.Equal(tries, sink.All.Count);   // it asked for two hours
        // It answers when all turns that found nothing to do have ended: they met those that wait for it.
        var met = new TaskCompletionSource();
        sink.Answer = async response =>
        {
            await met.Task;
            await response.WriteAsync("ok");
        };
        await node.PassTime(TimeSpan.FromMinutes(2));
        List<Task> turns = [.. Enumerable.Range(0, 6).Select(number
            => (number % 2 == 0 ? node : second).Get<DeliverMessages>().Run(default))];
        while (turns.Count(turn => turn.IsCompleted) < turns.Count - 2) await Task.WhenAny(turns.Where(turn => !turn.IsCompleted));
        met.SetResult();
        await Task.WhenAll(turns);

        var taken = sink.Taken.ToList();
        Assert.Equal(2, taken.Count);
        Assert.Equal(2, taken.Select(posted => posted.Key).Distinct().Count());
        Assert.Equal(["a cleared", "a raised", "b raised", "c raised", "d raised"], taken.SelectMany(Events)
            .Select(one => $"{one.Title[0]} {one.What}").Order(StringComparer.Ordinal));
        Assert.All(taken, posted => Assert.Equal("sha256=" + HttpSink.Signature(channel.NewSecret!, posted.Timestamp, posted.Body),
            posted.Signature));
        // Every try of a message said the same.
        Assert.All(sink.All.GroupBy(posted => posted.Key), tries => Assert.Single(tries.Select(one => one.Text).Distinct()));
        Assert.Equal(0, (await Settle(node, channel.Id)).Waiting);
        Assert.Equal(2, sink.Taken.Count);
    }

    [Fact]
    public async Task A_node_that_dies_while_it_sends_leaves_the_message_to_another()
    {
        await using var node = await TestNode.Start(databases);
        await using var sink = await WebSink.Start();
        var channel = await Save(node, ChannelKind.Chat, new ChannelSettings { Url = sink.Url });
        await Raise(node, "a");
        await node.Db.Execute("update message set lease_until = clock() + interval '90 seconds', lease_epoch = 7", [], default);

        await node.Get<DeliverMessages>().Run(default);
        Assert.Empty(sink.All);
        await node.PassTime(TimeSpan.FromSeconds(91));
        await node.Get<DeliverMessages>().Run(default);

        Assert.Contains("Warning: a is held.", Assert.Single(sink.Taken).Text, StringComparison.Ordinal);
        Assert.Equal(MessageState.Sent, Assert.Single((await Show(node, channel.Id)).Messages).State);
    }

    [Fact]
    public async Task A_bad_minute_is_one_message_and_what_was_rolled_back_is_none()
    {
        await using var node = await TestNode.Start(databases);
        await using var sink = await WebSink.Start();
        var settings = new ChannelSettings { Url = sink.Url };
        var request = new SaveChannelRequest { Name = "ops", Kind = ChannelKind.Webhook, Settings = settings };
        var channel = await node.Get<SaveChannel>().Handle(TestNode.Admin, request, default);
        for (var at = 0; at < 5; at++) await Raise(node, $"cause {at}");
        await Raise(node, "cause 0", AlertSeverity.Broken);
        await Raise(node, "cause 0", AlertSeverity.Broken);   // nothing new
        await using (var tx = await node.Db.Begin(default))
            await node.Get<AlertBook>().Clear(tx, "cause 1", default);   // not committed

        await node.Get<DeliverMessages>().Run(default);
        Assert.Empty(sink.All);   // it waits for more
        await node.PassTime(TimeSpan.FromSeconds(31));
        await node.Get<DeliverMessages>().Run(default);
        await Clear(node, "cause 0");
        await Settle(node, channel.Id);

        Assert.Equal(2, sink.Taken.Count);
        Assert.Equal(["raised", "raised", "raised", "raised", "raised", "worse"], Events(sink.Taken.First()).Select(one => one.What));
        Assert.Equal("cleared", Assert.Single(Events(sink.Taken.Last())).What);
    }

    [Fact]
    public async Task A_dead_mans_switch_is_called_while_somebody_looks_and_shows_its_answer()
    {
        await using var node = await TestNode.Start(databases);
        await using var sink = await WebSink.Start();
        var channel = await Save(node, ChannelKind.DeadMan, new ChannelSettings { Url = sink.Url + "/ping/secret" });
        var ping = node.Get<PingDeadMan>();

        Assert.Equal(0, await ping.Run(default));   // nobody has looked yet
        await node.Get<AlertLook>().Run(default);
        Assert.Equal((1, 0), (await ping.Run(default), await ping.Run(default)));
        Assert.Equal(("GET", "/ping/secret"), (sink.All.First().Method, sink.All.First().Path));
        sink.Answer = response => { response.StatusCode = 404; return response.WriteAsync("unknown check"); };
        await node.PassTime(TimeSpan.FromMinutes(6));
        Assert.Equal(0, await ping.Run(default));   // the looks stopped, so the calls do
        await node.Get<AlertLook>().Run(default);
        Assert.Equal(1, await ping.Run(default));

        Assert.Equal(new ChannelAnswer(false, "HTTP 404 Not Found: unknown check"), (await Show(node, channel.Id)).Answer);
        await Raise(node, "a");
        Assert.Equal(0, (await Show(node, channel.Id)).Waiting);   // it is told nothing
    }

    [Fact]
    public async Task What_is_secret_of_a_channel_is_sealed_masked_and_stays_when_it_is_left_out()
    {
        await using var node = await TestNode.Start(databases);
        await using var sink = await WebSink.Start();
        var channel = await Save(node, ChannelKind.Webhook, new ChannelSettings { Url = sink.Url + "/services/T0/canary" }, "canary-key");
        await node.Get<SaveChannel>().Handle(TestNode.Admin, new SaveChannelRequest
        {
            Id = channel.Id,
            Name = "night",
            Settings = channel.Settings with { Least = AlertSeverity.Broken },
        }, default);

        var answer = await node.Get<TestChannel>().Handle(TestNode.Admin, new TestChannelRequest(channel.Id), default);

        Assert.Equal(new ChannelAnswer(true, "HTTP 200 OK: ok"), answer);
        var posted = Assert.Single(sink.Taken);
        Assert.Equal("/services/T0/canary", posted.Path);
        Assert.Equal("sha256=" + HttpSink.Signature("canary-key", posted.Timestamp, posted.Body), posted.Signature);
        var shown = await Show(node, channel.Id);
        Assert.Equal(($"{sink.Url}/…", true, "night"), (shown.Settings.Url, shown.HasSecret, shown.Name));
        Assert.Null(shown.NewSecret);
        foreach (var table in (string[])["channel", "message", "audit"])
            Assert.Equal(0, await node.Db.Scalar<long>($"select count(*) from {table} t where t::text like '%canary%'", [], default));
        var audit = (await node.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(), default)).Entries;
        Assert.Equal(["channel.test", "channel.edit", "channel.create"], audit.Select(entry => entry.Action).Take(3));
        await Raise(node, "only a warning");
        Assert.Equal(0, (await Show(node, channel.Id)).Waiting);
        await node.Get<RemoveChannel>().Handle(TestNode.Admin, new RemoveChannelRequest(channel.Id), default);
        await Assert.ThrowsAsync<NotFoundException>(() => Show(node, channel.Id));
    }
}
