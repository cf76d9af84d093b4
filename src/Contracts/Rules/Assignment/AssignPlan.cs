using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Rules.Assignment;

/// <summary>Something that could be assigned to a policy.</summary>
/// <param name="HostName">The host's name.</param>
/// <param name="Labels">The host's labels.</param>
/// <param name="Kind">By which kind of source it is protected.</param>
/// <param name="Path">Where it is.</param>
public sealed record Assignable(string HostName, IReadOnlyDictionary<string, string> Labels, SourceKind Kind, FilePath Path);

/// <summary>A policy with rules.</summary>
/// <param name="Id">The policy.</param>
/// <param name="Name">Its name.</param>
/// <param name="Assign">Its rules.</param>
/// <param name="CreatedAt">When it was made.</param>
public sealed record AssigningPolicy(PolicyId Id, string Name, AssignSpec Assign, DateTimeOffset CreatedAt);

/// <summary>A rule that matches something.</summary>
/// <param name="Policy">Whose.</param>
/// <param name="Rule">Which of its rules, from 0: that with most conditions.</param>
/// <param name="Conditions">How many conditions the rule has: terms of labels, and one for a path.</param>
public sealed record AssignMatch(AssigningPolicy Policy, int Rule, int Conditions);

/// <summary>Which rule takes what. Pure: the node asks it when it assigns, a page when it shows what a rule would do.</summary>
public static class AssignPlan
{
    /// <summary>The matches, the one that takes it first: the higher priority, then more conditions, then the older policy.</summary>
    public static IReadOnlyList<AssignMatch> Of(Assignable what, IEnumerable<AssigningPolicy> policies)
        => [.. policies.Select(policy => Best(what, policy)).OfType<AssignMatch>().OrderByDescending(match => match.Policy.Assign.Priority)
            .ThenByDescending(match => match.Conditions).ThenBy(match => match.Policy.CreatedAt).ThenBy(match => match.Policy.Id.Value)];

    /// <summary>The rule of a policy with most conditions that matches; null for none.</summary>
    public static AssignMatch? Best(Assignable what, AssigningPolicy policy)
    {
        AssignMatch? best = null;
        for (var at = 0; at < policy.Assign.Rules.Count; at++)
            if (Conditions(what, policy.Assign.Rules[at]) is { } conditions && !(best?.Conditions >= conditions))
                best = new AssignMatch(policy, at, conditions);
        return best;
    }

    /// <summary>Why one match comes before another, in words.</summary>
    public static string Why(AssignMatch first, AssignMatch second)
    {
        var (one, other) = (first.Policy.Assign.Priority, second.Policy.Assign.Priority);
        if (one != other) return $"its priority is {one}, that of {second.Policy.Name} {other}";
        return first.Conditions != second.Conditions
            ? $"its rule has {Words(first.Conditions)}, that of {second.Policy.Name} {Words(second.Conditions)}"
            : $"it is older than {second.Policy.Name}, and their rules have the same number of conditions";
    }

    static string Words(int conditions) => conditions == 1 ? "one condition" : $"{conditions} conditions";

    /// <summary>How many conditions a rule has where it matches; null where it does not.</summary>
    static int? Conditions(Assignable what, AssignRule rule)
    {
        if (!rule.Kinds.Contains(what.Kind)) return null;
        var labels = new Dictionary<string, string>(what.Labels) { [LabelSelector.HostKey] = what.HostName };
        var hosts = LabelSelector.Parse(rule.Hosts, "hosts");
        if (!hosts.Holds(labels)) return null;
        if (LabelSelector.Parse(rule.ExceptHosts, "exceptHosts") is { Terms.Count: > 0 } except && except.Holds(labels)) return null;
        var path = what.Path.ToString();
        if (rule.ExceptPaths.Any(pattern => PathPattern.Matches(pattern, path))) return null;
        if (rule.Paths.Count > 0 && !rule.Paths.Any(pattern => PathPattern.Matches(pattern, path))) return null;
        return hosts.Terms.Count + (rule.Paths.Count > 0 ? 1 : 0);
    }

    /// <summary>What is wrong with rules, one sentence each. The field is that of the first rule, or of all.</summary>
    public static IEnumerable<(string Field, string Problem, string Hint)> Problems(AssignSpec assign)
    {
        if (assign.Rules.Count > AssignSpec.MostRules)
            yield return ("assign", $"{assign.Rules.Count} rules are too many.", $"At most {AssignSpec.MostRules}.");
        if (assign.Priority is < AssignSpec.LeastPriority or > AssignSpec.HighestPriority)
            yield return ("priority", $"A priority of {assign.Priority} is outside of {AssignSpec.LeastPriority} to "
                + $"{AssignSpec.HighestPriority}.", "For example 10.");
        foreach (var (rule, at) in assign.Rules.Select((rule, at) => (rule, at + 1)))
            foreach (var (field, problem, hint) in Problems(rule)) yield return (field, $"Rule {at}: {problem}", hint);
    }

    static IEnumerable<(string Field, string Problem, string Hint)> Problems(AssignRule rule)
    {
        if (rule.Kinds.Count == 0)
            yield return ("kinds", "it names no kind of source.", $"Of {string.Join(", ", Enum.GetNames<SourceKind>())}.");
        foreach (var (field, text) in new[] { ("hosts", rule.Hosts), ("exceptHosts", rule.ExceptHosts) })
        {
            if (text.Length > AssignRule.LongestSelector)
                yield return (field, $"a selector of {text.Length} characters is too long.", $"At most {AssignRule.LongestSelector}.");
            else if (Broken(field, text) is { } broken) yield return (field, broken.Message, broken.Hint ?? "");
        }
        foreach (var (field, paths) in new[] { ("paths", rule.Paths), ("exceptPaths", rule.ExceptPaths) })
        {
            if (paths.Count > AssignRule.MostPaths)
                yield return (field, $"{paths.Count} patterns are too many.", $"At most {AssignRule.MostPaths}.");
            foreach (var path in paths)
                if (path.Length is 0 or > AssignRule.LongestPattern || path[0] != '/')
                    yield return (field, $"'{path}' is no pattern of an absolute path.",
                        "For example /srv/** or /var/lib/postgresql/*/main");
        }
    }

    static BadInputException? Broken(string field, string text)
    {
        try { LabelSelector.Parse(text, field); }
        catch (BadInputException e) { return e; }   // one problem among those that are listed
        return null;
    }
}

/// <summary>Patterns of paths: "*" and "?" stay within a name, "**" goes over folders.</summary>
public static class PathPattern
{
    /// <summary>Whether a whole path matches. Takes no longer than the two lengths multiplied.</summary>
    public static bool Matches(string pattern, string path)
    {
        // Row by row: which beginnings of the path the beginning of the pattern matches.
        var row = new bool[path.Length + 1];
        row[0] = true;
        for (var at = 0; at < pattern.Length; at++)
        {
            var next = new bool[path.Length + 1];
            var isDeep = pattern[at] == '*' && at + 1 < pattern.Length && pattern[at + 1] == '*';
            if (isDeep) at++;
            for (var end = 0; end <= path.Length; end++)
            {
                if (pattern[at] == '*') next[end] = row[end] || (end > 0 && next[end - 1] && (isDeep || path[end - 1] != '/'));
                else next[end] = end > 0 && row[end - 1] && (pattern[at] == path[end - 1] || (pattern[at] == '?' && path[end - 1] != '/'));
            }
            row = next;
        }
        return row[path.Length];
    }
}
