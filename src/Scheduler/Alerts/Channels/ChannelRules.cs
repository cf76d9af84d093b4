using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Storage.Http;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>Refuses what a channel cannot be. Pure.</summary>
static class ChannelRules
{
    const int MostRecipients = 20;
    static readonly TimeSpan LongestCollect = TimeSpan.FromMinutes(15), ShortestPing = TimeSpan.FromMinutes(1),
        LongestPing = TimeSpan.FromDays(1);

    /// <summary>Refuses, and gives the settings as they are kept: without what is secret and what the kind does not have.</summary>
    /// <param name="kind">What it is.</param>
    /// <param name="settings">As they were written.</param>
    /// <param name="url">The address that counts: the new one, or the former.</param>
    /// <exception cref="BadInputException">Something is not right; the field is named.</exception>
    public static ChannelSettings Check(ChannelKind kind, ChannelSettings settings, string? url)
    {
        if (settings.Collect < TimeSpan.Zero || settings.Collect > LongestCollect)
            throw Wrong("collect", "A message cannot wait for others that long.", "0 to 15 minutes.");
        if (settings.QuietFrom is null != settings.QuietTo is null)
            throw Wrong("quietTo", "Quiet hours need a beginning and an end.", "Or leave both empty.");
        if (settings.TimeZone is null || !TimeZoneInfo.TryFindSystemTimeZoneById(settings.TimeZone, out _))
            throw Wrong("timeZone", $"'{settings.TimeZone}' is no time zone known here.", "For example Europe/Berlin or UTC.");
        settings = settings with
        {
            AuthorityPem = string.IsNullOrWhiteSpace(settings.AuthorityPem) ? null
                : Authorities.Text(Authorities.Parse("authority", settings.AuthorityPem)),
        };
        if (kind == ChannelKind.Email) return Mail(settings) with { Url = null };
        var address = Egress.Url(url);
        if (kind == ChannelKind.DeadMan && (settings.Every < ShortestPing || settings.Every > LongestPing))
            throw Wrong("every", "It cannot be called at that interval.", "1 minute to 1 day.");
        // The rest of an address may be what gives the right to use it.
        return settings with { Url = $"{address.Scheme}://{address.Authority}/…", SmtpHost = null, SmtpUser = null, From = null, To = [] };
    }

    static ChannelSettings Mail(ChannelSettings settings)
    {
        var host = settings.SmtpHost?.Trim() ?? "";
        if (Uri.CheckHostName(host) == UriHostNameType.Unknown)
            throw Wrong("smtpHost", $"'{host}' is no name of a mail server.", "For example smtp.example.org");
        if (settings.SmtpPort is < 1 or > 65535) throw Wrong("smtpPort", $"{settings.SmtpPort} is no port.", "As a rule 587, 465 or 25.");
        if (settings is { SmtpUser.Length: > 0, SmtpSecurity: SmtpSecurity.None })
            throw Wrong("smtpSecurity", "A password is not sent without encryption.", "Use STARTTLS or TLS, or no user.");
        if (!IsAddress(settings.From))
            throw Wrong("from", $"'{settings.From}' is no address of a sender.", "For example backup@example.org");
        var to = (settings.To ?? []).Select(one => one.Trim()).Where(one => one.Length > 0).ToList();
        if (to.Count is 0 or > MostRecipients)
            throw Wrong("to", $"{to.Count} recipients are not what a channel has.", $"1 to {MostRecipients}.");
        if (to.Find(one => !IsAddress(one)) is { } wrong) throw Wrong("to", $"'{wrong}' is no address.", "For example ops@example.org");
        return settings with { SmtpHost = host, To = to, SmtpUser = settings.SmtpUser?.Trim() is { Length: > 0 } user ? user : null };
    }

    // What goes into the conversation with a mail server and into headers: letters that cannot end a line or an address.
    static bool IsAddress(string? text) => text is { Length: > 2 and <= 254 } && text.Count(letter => letter == '@') == 1
        && text[0] != '@' && text[^1] != '@' && text.All(letter => letter is > ' ' and <= '~' and not ('<' or '>' or ',' or ';' or '"'));

    static BadInputException Wrong(string field, string message, string hint) => new(field, message, hint);
}
