using System.Security.Cryptography;
using System.Text;

namespace BackupDr.Scheduler.Cluster;

/// <summary>The addresses of the agents' listeners. Agents keep them on disk and tell only their mark, so that a poll stays
/// small.</summary>
/// <param name="Urls">In the order of the nodes' names.</param>
/// <param name="Mark">Changes with the list; 16 hex characters, empty for an empty list.</param>
public sealed record AgentAddresses(IReadOnlyList<string> Urls, string Mark)
{
    /// <summary>Most addresses that are told.</summary>
    public const int Most = 32;

    /// <summary>Nothing is known yet.</summary>
    public static AgentAddresses None { get; } = new([], "");

    /// <summary>The list of these, or this one where they are the same.</summary>
    internal AgentAddresses Or(IEnumerable<string> urls)
    {
        string[] now = [.. urls.Where(url => url.Length > 0).Distinct(StringComparer.Ordinal).Take(Most)];
        return now.SequenceEqual(Urls, StringComparer.Ordinal) ? this : now.Length == 0 ? None : new AgentAddresses(now, MarkOf(now));
    }

    static string MarkOf(string[] urls)
        => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', urls))).AsSpan(0, 8));
}
