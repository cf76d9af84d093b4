using System.Globalization;
using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Web.Parts;

namespace BackupDr.Web.Evidence;

/// <summary>Evidence in words: one way on the list, the page, the report and its file.</summary>
public static class EvidenceText
{
    /// <summary>The kinds, with the word that stands for each.</summary>
    public static readonly IReadOnlyList<(string Kind, string Word)> Kinds =
    [
        ("drill", "Test restore"), ("restore", "Restore"), ("heal", "Copy mended"), ("replica", "Copies made equal"),
        ("lost", "Recovery point lost"), ("check", "Read back"), ("hold", "Retention held"), ("execution", "Runbook executed"),
    ];

    /// <summary>"Test restore".</summary>
    public static string Kind(string kind) => Kinds.FirstOrDefault(one => one.Kind == kind).Word ?? kind;

    /// <summary>What it is about: an item's name, an object, a repository.</summary>
    public static string Subject(EvidenceEntry entry) => entry.Body.ItemName ?? entry.Body.Runbook ?? entry.Body.Object
        ?? entry.Body.RepositoryUrl ?? entry.Subject;

    /// <summary>Where more of the thing that it is about is shown; null where that is no page.</summary>
    public static string? Link(EvidenceEntry entry) => entry.Body switch
    {
        { Item: { } item } => $"/items/{item}",
        { Execution: { } execution } => $"/executions/{execution}",
        { Repository: { } repository } => $"/storage/{repository}",
        _ => null,
    };

    /// <summary>How it went.</summary>
    public static (Tone Tone, string Word) Result(EvidenceEntry entry) => (entry.Kind, entry.Body.Result ?? entry.Body.Outcome) switch
    {
        (_, "Proven") => (Tone.Proven, "Proven"),
        (_, "Failed") => (Tone.Broken, "Failed"),
        (_, "Skipped") => (Tone.Off, "Not made"),
        (_, "Complete") => (Tone.Proven, "Complete"),
        (_, "Incomplete") => (Tone.Unproven, "Incomplete"),
        (_, "Succeeded") => (Tone.Proven, "Succeeded"),
        (_, "RolledBack") => (Tone.Unproven, "Rolled back"),
        (_, "Stopped") => (Tone.Unproven, "Stopped"),
        ("heal" or "replica", _) => (Tone.Unproven, "Mended"),
        ("lost", _) => (Tone.Broken, "Lost"),
        ("hold", _) => (Tone.Unproven, "On hold"),
        _ => (Tone.Off, "Told"),
    };

    /// <summary>How a step went.</summary>
    public static (Tone Tone, string Word) Result(EvidenceStep step) => step.Result switch
    {
        "done" => (Tone.Proven, "Done"),
        "skipped" => (Tone.Unproven, "Left out by a person"),
        "by hand" => (Tone.Unproven, "Done by hand"),
        "left out" => (Tone.Off, "Left out"),
        _ => (Tone.Broken, "Failed"),
    };

    /// <summary>"3 min 20 s" of a number of seconds; the text itself where it is none.</summary>
    public static string Seconds(string? text) => Number(text) is { } seconds ? Words.Duration(TimeSpan.FromSeconds(seconds)) : text ?? "–";

    /// <summary>Seconds of a duration; null where it is none.</summary>
    public static TimeSpan? Span(string? text) => Number(text) is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>A moment; null where it is none.</summary>
    public static DateTimeOffset? Moment(string? text) => DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var at) ? at : null;

    /// <summary>"1,234" of a number; the text itself where it is none.</summary>
    public static string Count(string? text) => long.TryParse(text, CultureInfo.InvariantCulture, out var number) ? Words.Number(number)
        : text ?? "–";

    static double? Number(string? text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
        && double.IsFinite(number) && Math.Abs(number) < 1e9 ? number : null;

    /// <summary>The report as a file of comma-separated values (RFC 4180): the numbers of the page, times in seconds.</summary>
    public static string Csv(EvidenceReport report)
    {
        var text = new StringBuilder("item,proven,failed,not made,restores,slowest restore s,RTO s,oldest point s,RPO s,last proven,"
            + "evidence of slowest,evidence of oldest,evidence of last proven,longest gap s,state now\r\n");
        foreach (var row in report.Rows)
        {
            string[] cells =
            [
                row.ItemName, Plain(row.Proven), Plain(row.Failed), Plain(row.Skipped), Plain(row.Restores), Plain(row.Slowest?.Seconds),
                Plain(row.Slowest?.TargetSeconds), Plain(row.Oldest?.Seconds), Plain(row.Oldest?.TargetSeconds),
                row.LastProvenAt is { } at ? Words.Machine(at) : "", $"{row.Slowest?.Evidence}", $"{row.Oldest?.Evidence}",
                $"{row.LastProven}", Plain(row.LongestGap?.TotalSeconds), row.State is { } state ? Tones.Of(state).Word : "",
            ];
            text.AppendJoin(',', cells.Select(Cell)).Append("\r\n");
        }
        return text.ToString();
    }

    static string Plain(double? number) => number?.ToString("0.###", CultureInfo.InvariantCulture) ?? "";

    /// <summary>Quoted where it must be; a text that a spreadsheet would compute is kept a text.</summary>
    static string Cell(string text)
    {
        if (text.Length > 0 && text[0] is '=' or '+' or '-' or '@' && !double.TryParse(text, CultureInfo.InvariantCulture, out _))
            text = "'" + text;
        return text.AsSpan().IndexOfAny(",\"\r\n") < 0 ? text : $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }
}
