using System.Globalization;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>What a message says. Pure.</summary>
static class MessageText
{
    const int LongestSubject = 150;

    /// <summary>One message of all that happened while it was open.</summary>
    public static MessageContent Of(MessageId id, IReadOnlyList<AlertEvent> events)
    {
        // The last word on each alert counts for the subject; the text tells all, in order.
        var last = events.GroupBy(one => one.Alert).Select(group => group.Last()).ToList();
        var open = last.Where(one => one.What != "cleared").OrderByDescending(one => one.Severity).ToList();
        var subject = open.Count switch
        {
            0 when last.Count == 1 => $"Over: {last[0].Title}",
            0 => $"Over: {last.Count} alerts",
            1 => $"{open[0].Severity}: {open[0].Title}",
            _ => $"{open[0].Severity}: {open.Count} alerts, first {open[0].Title}",
        };
        var text = new StringBuilder();
        foreach (var one in events) Append(text, one);
        return new MessageContent
        {
            Id = id,
            Type = "alerts",
            Subject = Cut(OneLine(subject)),
            Text = text.ToString().TrimEnd('\n') + "\n",
            Events = events,
        };
    }

    /// <summary>The same with addresses that can be followed from anywhere.</summary>
    /// <param name="events">Events that name paths of the console.</param>
    /// <param name="console">How people reach it; empty leaves the paths.</param>
    public static IReadOnlyList<AlertEvent> WithAddresses(IReadOnlyList<AlertEvent> events, string console) => console.Length == 0 ? events
        : [.. events.Select(one => one.ActionUrl.StartsWith('/') ? one with { ActionUrl = console.TrimEnd('/') + one.ActionUrl } : one)];

    /// <summary>A message that only says that it is a test.</summary>
    public static MessageContent Test(MessageId id, string channel, string caller) => new()
    {
        Id = id,
        Type = "test",
        Subject = Cut(OneLine($"Test of the channel {channel}")),
        Text = $"{caller} asked for this test of the channel {channel}. Nothing happened; alerts will come this way.\n",
    };

    /// <summary>What a step of a runbook tells.</summary>
    public static MessageContent Runbook(MessageId id, string subject, string text) => new()
    {
        Id = id,
        Type = "runbook",
        Subject = Cut(OneLine(subject)),
        Text = text.ReplaceLineEndings("\n").TrimEnd('\n') + "\n",
    };

    static void Append(StringBuilder text, AlertEvent one)
    {
        var word = one.What == "cleared" ? "Over" : one.What == "worse" ? $"{one.Severity} now" : one.Severity.ToString();
        text.Append(CultureInfo.InvariantCulture, $"{word}: {one.Title}\n");
        if (one.What == "cleared")
        {
            text.Append(CultureInfo.InvariantCulture, $"  Over since {Time(one.At)}.\n\n");
            return;
        }
        text.Append(CultureInfo.InvariantCulture, $"  {one.Effect}\n");
        if (one.DeadlineAt is { } deadline) text.Append(CultureInfo.InvariantCulture, $"  The first objective breaks {Time(deadline)}.\n");
        if (one.Items.Count > 1) text.Append(CultureInfo.InvariantCulture, $"  Items: {string.Join(", ", one.Items)}\n");
        text.Append(CultureInfo.InvariantCulture, $"  Next: {one.Action} {one.ActionUrl}\n\n");
    }

    static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);

    static string OneLine(string text) => string.Concat(text.Select(letter => char.IsControl(letter) ? ' ' : letter));

    static string Cut(string text) => text.Length <= LongestSubject ? text
        : text[..(char.IsHighSurrogate(text[LongestSubject - 2]) ? LongestSubject - 2 : LongestSubject - 1)] + "…";
}
