using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Web.Notifications;

/// <summary>The fields of a channel, as a form sends them.</summary>
public sealed class ChannelForm
{
    public string? Name { get; set; }
    public string? Url { get; set; }
    public string? SmtpHost { get; set; }
    public string? SmtpPort { get; set; }
    public string? SmtpSecurity { get; set; }
    public string? SmtpUser { get; set; }
    public string? Secret { get; set; }
    public string? From { get; set; }
    public string? To { get; set; }
    public string? Least { get; set; }
    public string? Collect { get; set; }
    public string? QuietFrom { get; set; }
    public string? QuietTo { get; set; }
    public string? TimeZone { get; set; }
    public string? Every { get; set; }
    public string? Authority { get; set; }
    public string? Paused { get; set; }

    /// <summary>The form of a channel as it is.</summary>
    public static ChannelForm Of(AlertChannel? channel)
    {
        var settings = channel?.Settings ?? new ChannelSettings();
        return new ChannelForm
        {
            Name = channel?.Name,
            SmtpHost = settings.SmtpHost,
            SmtpPort = settings.SmtpPort.ToString(CultureInfo.InvariantCulture),
            SmtpSecurity = settings.SmtpSecurity.ToString(),
            SmtpUser = settings.SmtpUser,
            From = settings.From,
            To = string.Join("\n", settings.To),
            Least = settings.Least.ToString(),
            Collect = settings.Collect.TotalSeconds.ToString(CultureInfo.InvariantCulture),
            QuietFrom = ChannelText.Time(settings.QuietFrom),
            QuietTo = ChannelText.Time(settings.QuietTo),
            TimeZone = settings.TimeZone,
            Every = settings.Every.TotalMinutes.ToString(CultureInfo.InvariantCulture),
            Authority = settings.AuthorityPem,
            Paused = channel?.IsPaused == true ? "on" : null,
        };
    }

    /// <summary>What is asked for.</summary>
    /// <exception cref="BadInputException">A number or a time is none.</exception>
    public SaveChannelRequest Request(ChannelId? id, ChannelKind kind) => new()
    {
        Id = id,
        Name = Name ?? "",
        Kind = kind,
        Secret = string.IsNullOrEmpty(Secret) ? null : Secret,
        IsPaused = Paused is not null,
        Settings = new ChannelSettings
        {
            Url = Url,
            SmtpHost = SmtpHost,
            SmtpPort = kind == ChannelKind.Email ? Number("smtpPort", SmtpPort, "587") : 587,
            SmtpSecurity = Enum.TryParse<SmtpSecurity>(SmtpSecurity, out var security) ? security : default,
            SmtpUser = SmtpUser,
            AuthorityPem = string.IsNullOrWhiteSpace(Authority) ? null : Authority,
            From = From?.Trim(),
            To = [.. (To ?? "").Split(['\n', ',', ';', ' ', '\r'], StringSplitOptions.RemoveEmptyEntries)],
            Least = Enum.TryParse<AlertSeverity>(Least, out var least) ? least : default,
            Collect = TimeSpan.FromSeconds(Number("collect", Collect, "30")),
            QuietFrom = Time("quietFrom", QuietFrom),
            QuietTo = Time("quietTo", QuietTo),
            TimeZone = TimeZone is { Length: > 0 } zone ? zone.Trim() : "UTC",
            Every = TimeSpan.FromMinutes(Number("every", Every, "5")),
        },
    };

    static int Number(string field, string? text, string usual)
        => int.TryParse(string.IsNullOrWhiteSpace(text) ? usual : text, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : throw new BadInputException(field, $"'{text}' is no whole number.", $"For example {usual}.");

    static TimeOnly? Time(string field, string? text) => string.IsNullOrWhiteSpace(text) ? null
        : TimeOnly.TryParseExact(text.Trim(), "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out var time) ? time
        : throw new BadInputException(field, $"'{text}' is no time of the day.", "For example 22:00.");
}
