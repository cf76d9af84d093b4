using System.Globalization;
using BackupDr.Contracts.Api;
using BackupDr.Web.Parts;

namespace BackupDr.Web.Notifications;

/// <summary>Channels in words.</summary>
public static class ChannelText
{
    /// <summary>"E-mail".</summary>
    public static string Of(ChannelKind kind) => kind switch
    {
        ChannelKind.Email => "E-mail",
        ChannelKind.Webhook => "Webhook",
        ChannelKind.Chat => "Chat",
        _ => "Dead man's switch",
    };

    /// <summary>What it is good for.</summary>
    public static string Meaning(ChannelKind kind) => kind switch
    {
        ChannelKind.Email => "A mail through your mail server.",
        ChannelKind.Webhook => "A POST of JSON, signed with a key that both sides know.",
        ChannelKind.Chat => "A POST of {\"text\": …}, as incoming webhooks of Slack, Teams and Mattermost take it.",
        _ => "An address outside of this installation that is called as long as somebody here looks for alerts. Its owner tells you "
            + "when the calls stop: no message can say that its own sender is gone.",
    };

    /// <summary>The rule as a sentence.</summary>
    public static string Rule(AlertChannel channel) => channel.Kind == ChannelKind.DeadMan
        ? $"Called every {Words.Duration(channel.Settings.Every)}."
        : $"Told {(channel.Settings.Least == AlertSeverity.Broken ? "of what is broken" : "of warnings and of what is broken")}"
            + (channel.Settings is { QuietFrom: { } from, QuietTo: { } to, Least: AlertSeverity.Warning }
                ? $"; warnings wait from {Time(from)} to {Time(to)} ({channel.Settings.TimeZone}), what is broken never." : ".");

    /// <summary>Where it goes.</summary>
    public static string Target(AlertChannel channel) => channel.Kind == ChannelKind.Email
        ? $"{string.Join(", ", channel.Settings.To)} through {channel.Settings.SmtpHost}:{channel.Settings.SmtpPort}"
        : channel.Settings.Url ?? "";

    /// <summary>How it stands.</summary>
    public static (Tone Tone, string Word) State(AlertChannel channel) => channel switch
    {
        { IsPaused: true } => (Tone.Off, "Paused"),
        { Answer: null } => (Tone.Off, "Not tried yet"),
        { Answer.IsGood: false } => (Tone.Broken, "Not reached"),
        _ => (Tone.Proven, "Answers"),
    };

    /// <summary>How far a message is.</summary>
    public static (Tone Tone, string Word) State(ChannelMessage message) => message.State switch
    {
        MessageState.Sent => (Tone.Proven, "Sent"),
        MessageState.GivenUp => (Tone.Broken, "Given up"),
        _ => message.Attempts == 0 ? (Tone.Running, "Collecting") : (Tone.Unproven, "Tried again"),
    };

    /// <summary>"22:00".</summary>
    public static string Time(TimeOnly? time) => time?.ToString("HH:mm", CultureInfo.InvariantCulture) ?? "";
}
