using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Policies;

/// <summary>What the policy form says of a rule: text, until it is read. Without a kind there is no rule.</summary>
public sealed class RuleDraft
{
    public List<string>? Kinds { get; set; }
    public string? Hosts { get; set; }
    public string? ExceptHosts { get; set; }
    public string? Paths { get; set; }
    public string? ExceptPaths { get; set; }
    public bool NoLog { get; set; }
    public string? Mode { get; set; }
    public string? Priority { get; set; }

    /// <summary>Kinds of sources, as people call them.</summary>
    public static readonly (SourceKind Kind, string Words)[] Choices =
    [
        (SourceKind.PostgreSql, "PostgreSQL"), (SourceKind.MariaDb, "MariaDB"), (SourceKind.Sqlite, "SQLite databases"),
        (SourceKind.Files, "File systems"), (SourceKind.Volume, "Disks"),
    ];

    /// <summary>The form of a policy's first rule.</summary>
    public static RuleDraft Of(AssignSpec? assign)
    {
        var rule = assign is { Rules: [var first, ..] } ? first : null;
        return new RuleDraft
        {
            Kinds = [.. (rule?.Kinds ?? []).Select(kind => kind.ToString())],
            Hosts = rule?.Hosts,
            ExceptHosts = rule?.ExceptHosts,
            Paths = string.Join('\n', rule?.Paths ?? []),
            ExceptPaths = string.Join('\n', rule?.ExceptPaths ?? []),
            NoLog = rule is { BaseOnly: true },
            Mode = (assign?.Mode ?? AssignMode.Protect).ToString(),
            Priority = (assign?.Priority ?? 0).ToString(CultureInfo.InvariantCulture),
        };
    }

    /// <summary>The rules as they would be: this one, and those behind the first of a policy that is there.</summary>
    /// <exception cref="BadInputException">A field cannot be read.</exception>
    public AssignSpec Spec(AssignSpec? before)
    {
        var kinds = (Kinds ?? []).Select(kind => Enum.TryParse<SourceKind>(kind, out var known) ? known
            : throw new BadInputException("kinds", $"'{kind}' is no kind of source.", "Tick one of those that are offered.")).ToList();
        List<AssignRule> rules = [.. (before?.Rules ?? []).Skip(1)];
        if (kinds.Count > 0) rules.Insert(0, new AssignRule
        {
            Kinds = kinds,
            Hosts = (Hosts ?? "").Trim(),
            ExceptHosts = (ExceptHosts ?? "").Trim(),
            Paths = Lines(Paths),
            ExceptPaths = Lines(ExceptPaths),
            BaseOnly = NoLog,
        });
        var priority = string.IsNullOrWhiteSpace(Priority) ? 0 : int.TryParse(Priority, NumberStyles.AllowLeadingSign,
            CultureInfo.InvariantCulture, out var number) ? number : throw new BadInputException("priority",
                $"'{Priority}' is no whole number.", "For example 0 or 10.");
        return (before ?? new AssignSpec()) with
        {
            Rules = rules,
            Mode = Enum.TryParse<AssignMode>(Mode, out var mode) ? mode : AssignMode.Protect,
            Priority = priority,
        };
    }

    static string[] Lines(string? text)
        => (text ?? "").Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
