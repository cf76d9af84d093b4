using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Policies;

/// <summary>A rule in words.</summary>
public static class RuleText
{
    /// <summary>"PostgreSQL on hosts with site=berlin, except on hosts with tier=test".</summary>
    public static string Sentence(AssignRule rule)
    {
        var kinds = string.Join(", ", rule.Kinds.Select(kind => RuleDraft.Choices.First(choice => choice.Kind == kind).Words));
        var hosts = rule.Hosts.Length == 0 ? "on every host" : $"on hosts with {rule.Hosts}";
        var paths = rule.Paths.Count == 0 ? "" : $" at {string.Join(" or ", rule.Paths)}";
        string[] except = [.. rule.ExceptHosts.Length == 0 ? [] : new[] { $"on hosts with {rule.ExceptHosts}" },
            .. rule.ExceptPaths.Count == 0 ? [] : new[] { $"at {string.Join(" or ", rule.ExceptPaths)}" }];
        return $"{kinds} {hosts}{paths}{(except.Length == 0 ? "" : $", except {string.Join(" and ", except)}")}";
    }
}
