using System.Net;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Alerts.Channels;

namespace BackupDr.Scheduler.Tests.Alerts;

/// <summary>What messages say and when they go, and what a channel cannot be.</summary>
public sealed class MessageTests
{
    static readonly DateTimeOffset Noon = new(2026, 7, 1, 12, 0, 0, TimeSpan.Zero);

    static AlertEvent Event(string title, string what = "raised", AlertSeverity severity = AlertSeverity.Warning,
        AlertId? id = null) => new()
        {
            Alert = id ?? AlertId.New(TimeProvider.System),
            What = what,
            At = Noon,
            Kind = AlertKind.BackupFailed,
            Severity = severity,
            Title = title,
            Effect = "Its objective holds.",
            Action = "Look.",
            ActionUrl = "/items",
        };

    [Theory]
    // Berlin is two hours ahead in July: 22:00 to 06:00 there is 20:00 to 04:00 UTC.
    [InlineData("22:00", "06:00", 19, "Warning", 19)]
    [InlineData("22:00", "06:00", 20, "Warning", 28)]
    [InlineData("22:00", "06:00", 23, "Warning", 28)]
    [InlineData("22:00", "06:00", 3, "Warning", 4)]
    [InlineData("22:00", "06:00", 4, "Warning", 4)]
    [InlineData("22:00", "06:00", 23, "Broken", 23)]
    [InlineData("12:00", "14:00", 11, "Warning", 12)]
    [InlineData("12:00", "14:00", 12, "Warning", 12)]
    [InlineData("12:00", "12:00", 10, "Warning", 10)]
    [InlineData(null, null, 23, "Warning", 23)]
    public void Warnings_wait_for_the_end_of_the_quiet_hours_and_broken_never(string? from, string? to, int hour, string severity, int due)
    {
        var settings = new ChannelSettings
        {
            Collect = TimeSpan.Zero,
            QuietFrom = from is null ? null : TimeOnly.Parse(from, null),
            QuietTo = to is null ? null : TimeOnly.Parse(to, null),
            TimeZone = "Europe/Berlin",
        };
        var midnight = Noon.AddHours(-12);

        Assert.Equal(midnight.AddHours(due), MessageTimes.Due(settings, Enum.Parse<AlertSeverity>(severity), midnight.AddHours(hour)));
    }

    [Theory]
    [InlineData(1, 0.5, null, 10)]
    [InlineData(2, 0.5, null, 20)]
    [InlineData(5, 0.0, null, 128)]
    [InlineData(5, 1.0, null, 192)]
    [InlineData(40, 0.5, null, 3600)]
    [InlineData(1, 0.5, 300, 300)]
    [InlineData(9, 0.5, 5, 2560)]
    [InlineData(1, 0.5, 999999, 86400)]
    public void Pauses_double_up_to_an_hour_with_jitter_and_are_longer_where_the_sink_asks(int attempts, double dice, int? asked,
        int seconds)
        => Assert.Equal(seconds, MessageTimes.Pause(attempts, dice, asked is { } wait ? TimeSpan.FromSeconds(wait) : null).TotalSeconds, 1);

    [Theory]
    [InlineData("", "/items/item_1")]
    [InlineData("https://backup.example.com", "https://backup.example.com/items/item_1")]
    [InlineData("https://backup.example.com:8443/", "https://backup.example.com:8443/items/item_1")]
    public void Where_the_console_has_a_public_address_messages_lead_there(string console, string expected)
    {
        var events = MessageText.WithAddresses([Event("warned") with { ActionUrl = "/items/item_1" }], console);

        Assert.Equal(expected, events[0].ActionUrl);
        Assert.Contains($" {expected}\n", MessageText.Of(default, events).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_message_tells_the_worst_first_and_names_are_no_lines_of_a_header()
    {
        var over = AlertId.New(TimeProvider.System);
        var one = MessageText.Of(default, [Event("a\r\nBcc: evil@example.org")]);
        var many = MessageText.Of(default, [Event("warned"), Event("broke", severity: AlertSeverity.Broken), Event("past", id: over),
            Event("past", "cleared", id: over)]);
        var end = MessageText.Of(default, [Event("past", "cleared")]);
        var settings = new ChannelSettings { From = "b@example.org", To = ["o@example.org"] };
        var mail = SmtpSink.Mail(settings, MessageText.Of(default, [Event(string.Concat(Enumerable.Repeat("Ümläut 🙂 ", 40)))]), Noon);

        Assert.Equal("Warning: a  Bcc: evil@example.org", one.Subject);
        Assert.DoesNotContain("\nBcc", SmtpSink.Mail(settings, one, Noon).Split("\r\n\r\n")[0], StringComparison.Ordinal);
        Assert.Equal("Broken: 2 alerts, first broke", many.Subject);
        Assert.Equal("Over: past", end.Subject);
        Assert.Contains("Over since 2026-07-01 12:00 UTC", end.Text, StringComparison.Ordinal);
        Assert.All(mail.Split("\r\n"), line => Assert.True(line.Length <= 78 && line.All(letter => letter is >= ' ' and <= '~'), line));
        Assert.Equal("&lt;!channel&gt; @\u200ball &amp;", HttpSink.Plain("<!channel> @all &"));
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("10.0.0.1", true)]
    [InlineData("::1", true)]
    [InlineData("169.254.169.254", false)]
    [InlineData("::ffff:169.254.169.254", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    public void Addresses_of_metadata_services_are_not_connected_to(string address, bool allowed)
        => Assert.Equal(allowed, Egress.IsAllowed(IPAddress.Parse(address)));

    public static TheoryData<string, ChannelKind, ChannelSettings> Wrong
    {
        get
        {
            var mail = new ChannelSettings { SmtpHost = "smtp.example.org", From = "b@example.org", To = ["o@example.org"] };
            return new TheoryData<string, ChannelKind, ChannelSettings>
            {
                { "smtpHost", ChannelKind.Email, mail with { SmtpHost = "not a host" } },
                { "smtpPort", ChannelKind.Email, mail with { SmtpPort = 0 } },
                { "smtpSecurity", ChannelKind.Email, mail with { SmtpSecurity = SmtpSecurity.None, SmtpUser = "u" } },
                { "from", ChannelKind.Email, mail with { From = "a@b>\r\nRCPT TO:<c@d" } },
                { "to", ChannelKind.Email, mail with { To = [] } },
                { "to", ChannelKind.Email, mail with { To = ["a b@example.org"] } },
                { "collect", ChannelKind.Email, mail with { Collect = TimeSpan.FromHours(1) } },
                { "quietTo", ChannelKind.Email, mail with { QuietFrom = new TimeOnly(22, 0) } },
                { "timeZone", ChannelKind.Email, mail with { TimeZone = "Mars/Olympus" } },
                { "url", ChannelKind.Webhook, new ChannelSettings { Url = "ftp://example.org" } },
                { "url", ChannelKind.Webhook, new ChannelSettings { Url = "http://169.254.169.254/latest/meta-data" } },
                { "url", ChannelKind.Chat, new ChannelSettings { Url = "https://user:password@example.org/" } },
                { "every", ChannelKind.DeadMan, new ChannelSettings { Url = "https://example.org", Every = TimeSpan.FromSeconds(1) } },
            };
        }
    }

    [Theory, MemberData(nameof(Wrong))]
    public void What_a_channel_cannot_be_is_refused_with_its_field(string field, ChannelKind kind, ChannelSettings settings)
        => Assert.Equal(field, Assert.Throws<BadInputException>(() => ChannelRules.Check(kind, settings, settings.Url)).Field);
}
