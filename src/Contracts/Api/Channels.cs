using System.Text.Json.Serialization;

namespace BackupDr.Contracts.Api;

/// <summary>How a channel tells people.</summary>
public enum ChannelKind
{
    /// <summary>An e-mail over SMTP.</summary>
    Email,
    /// <summary>A signed POST of JSON.</summary>
    Webhook,
    /// <summary>A POST of JSON with a member "text", as Slack, Teams and Mattermost take it.</summary>
    Chat,
    /// <summary>Not a message but its absence: an address outside that is called as long as this installation looks after itself.</summary>
    DeadMan,
}

/// <summary>How SMTP is encrypted.</summary>
public enum SmtpSecurity
{
    /// <summary>STARTTLS; without it nothing is sent.</summary>
    StartTls,
    /// <summary>TLS from the first byte, as a rule on port 465.</summary>
    Tls,
    /// <summary>None: for a relay on this machine.</summary>
    None,
}

/// <summary>What of a channel is no secret.</summary>
public sealed record ChannelSettings
{
    /// <summary>For all but e-mail: the address that is called; https, or http.</summary>
    public string? Url { get; init; }
    /// <summary>For e-mail: the mail server.</summary>
    public string? SmtpHost { get; init; }
    /// <summary>For e-mail: its port; 587 by default.</summary>
    public int SmtpPort { get; init; } = 587;
    /// <summary>For e-mail: how the way there is encrypted.</summary>
    public SmtpSecurity SmtpSecurity { get; init; }
    /// <summary>For e-mail: user at the mail server; null for none.</summary>
    public string? SmtpUser { get; init; }
    /// <summary>For e-mail: the sender.</summary>
    public string? From { get; init; }
    /// <summary>For e-mail: who gets it; 1 to 20.</summary>
    public IReadOnlyList<string> To { get; init; } = [];
    /// <summary>Certificates in PEM of authorities that may vouch for the mail server, or for the address over https, beside those that
    /// this machine knows; null for none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? AuthorityPem { get; init; }
    /// <summary>What is told: warnings too, or only what is broken.</summary>
    public AlertSeverity Least { get; init; } = AlertSeverity.Warning;
    /// <summary>How long a message waits for others, so that a bad minute is one message. 0 to 15 minutes; default 30 seconds.</summary>
    public TimeSpan Collect { get; init; } = TimeSpan.FromSeconds(30);
    /// <summary>From this time of the day on warnings wait; null for never. What is broken never waits.</summary>
    public TimeOnly? QuietFrom { get; init; }
    /// <summary>Until this time of the day.</summary>
    public TimeOnly? QuietTo { get; init; }
    /// <summary>The zone of these times; UTC by default.</summary>
    public string TimeZone { get; init; } = "UTC";
    /// <summary>For a dead man's switch: how often it is called. 1 minute to 1 day; default 5 minutes.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>GET channels.</summary>
public sealed record ListChannelsRequest;

/// <summary>GET channels/{id}.</summary>
public sealed record ShowChannelRequest(ChannelId Id);

/// <summary>POST channels and PUT channels/{id}.</summary>
public sealed record SaveChannelRequest
{
    /// <summary>The channel; null for a new one.</summary>
    public ChannelId? Id { get; init; }
    /// <summary>What people call it.</summary>
    public string Name { get; init; } = "";
    /// <summary>What it is; stays what it was when a channel is changed.</summary>
    public ChannelKind Kind { get; init; }
    /// <summary>What is no secret.</summary>
    public ChannelSettings Settings { get; init; } = new();
    /// <summary>Password of the mail server, or key of the signature; null leaves the one that is there. A new webhook without one gets
    /// one, which is told once.</summary>
    public string? Secret { get; init; }
    /// <summary>Tells nobody for now.</summary>
    public bool IsPaused { get; init; }
}

/// <summary>DELETE channels/{id}.</summary>
public sealed record RemoveChannelRequest(ChannelId Id);

/// <summary>POST channels/{id}/test: tells the channel that this is a test, now, and says what it really answered.</summary>
public sealed record TestChannelRequest(ChannelId Id);

/// <summary>A channel.</summary>
public sealed record AlertChannel
{
    /// <summary>Its id.</summary>
    public required ChannelId Id { get; init; }
    /// <summary>What people call it.</summary>
    public required string Name { get; init; }
    /// <summary>What it is.</summary>
    public required ChannelKind Kind { get; init; }
    /// <summary>What is no secret.</summary>
    public required ChannelSettings Settings { get; init; }
    /// <summary>Whether a secret is kept.</summary>
    public bool HasSecret { get; init; }
    /// <summary>Tells nobody for now.</summary>
    public bool IsPaused { get; init; }
    /// <summary>Messages that wait to be sent.</summary>
    public int Waiting { get; init; }
    /// <summary>Messages that were given up in the last 30 days.</summary>
    public int GivenUp { get; init; }
    /// <summary>When it last answered, or did not.</summary>
    public DateTimeOffset? AnsweredAt { get; init; }
    /// <summary>What it answered.</summary>
    public ChannelAnswer? Answer { get; init; }
    /// <summary>Its newest messages, newest first; only where one channel is asked for.</summary>
    public IReadOnlyList<ChannelMessage> Messages { get; init; } = [];
    /// <summary>The key that was made for its signature: only in the answer that made it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? NewSecret { get; init; }
}

/// <summary>What a sink really said.</summary>
/// <param name="IsGood">Whether it took what was sent.</param>
/// <param name="Text">The reply line of a mail server; status and the beginning of the body of others; or why there was no answer.</param>
public sealed record ChannelAnswer(bool IsGood, string Text);

/// <summary>States of a message.</summary>
public enum MessageState
{
    /// <summary>It is to be sent, or sent again.</summary>
    Waiting,
    /// <summary>The sink took it.</summary>
    Sent,
    /// <summary>It was tried for three days.</summary>
    GivenUp,
}

/// <summary>A message.</summary>
public sealed record ChannelMessage
{
    /// <summary>Its id: the same in every try, so that a sink that got it twice can tell.</summary>
    public required MessageId Id { get; init; }
    /// <summary>How far it is.</summary>
    public required MessageState State { get; init; }
    /// <summary>What it says, in one line.</summary>
    public required string Subject { get; init; }
    /// <summary>When it was begun.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
    /// <summary>When it is tried next.</summary>
    public DateTimeOffset? DueAt { get; init; }
    /// <summary>Tries so far.</summary>
    public int Attempts { get; init; }
    /// <summary>The last answer.</summary>
    public string? Answer { get; init; }
}

/// <summary>One thing that a message tells.</summary>
public sealed record AlertEvent
{
    /// <summary>The alert.</summary>
    public required AlertId Alert { get; init; }
    /// <summary>"raised", "worse" or "cleared".</summary>
    public required string What { get; init; }
    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>What it is about.</summary>
    public required AlertKind Kind { get; init; }
    /// <summary>How bad it is.</summary>
    public required AlertSeverity Severity { get; init; }
    /// <summary>What happened.</summary>
    public required string Title { get; init; }
    /// <summary>What it means.</summary>
    public required string Effect { get; init; }
    /// <summary>Names of the items; at most 100.</summary>
    public IReadOnlyList<string> Items { get; init; } = [];
    /// <summary>When the first objective breaks.</summary>
    public DateTimeOffset? DeadlineAt { get; init; }
    /// <summary>What to do next.</summary>
    public required string Action { get; init; }
    /// <summary>Where in the console: its address where Console:PublicUrl is set, else the path.</summary>
    public required string ActionUrl { get; init; }
}

/// <summary>What a message says, frozen: the body of a webhook, and what mails and chats are written from.</summary>
public sealed record MessageContent
{
    /// <summary>The idempotency key.</summary>
    public required MessageId Id { get; init; }
    /// <summary>"alerts", "test", or "runbook" for what a step of a runbook tells.</summary>
    public required string Type { get; init; }
    /// <summary>In one line.</summary>
    public required string Subject { get; init; }
    /// <summary>In words, lines ended by line feeds.</summary>
    public required string Text { get; init; }
    /// <summary>One by one.</summary>
    public IReadOnlyList<AlertEvent> Events { get; init; } = [];
}
