using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources.Files;

/// <summary>Who owns what is restored: the stored numbers, others in their place, or whoever restores.</summary>
public sealed class OwnerRules
{
    readonly bool _sets;
    readonly Dictionary<string, uint> _users, _groups;

    OwnerRules(bool sets, Dictionary<string, uint> users, Dictionary<string, uint> groups)
        => (_sets, _users, _groups) = (sets, users, groups);

    /// <summary>The stored numbers.</summary>
    public static OwnerRules AsStored { get; } = new(sets: true, [], []);

    /// <summary>Whoever restores.</summary>
    public static OwnerRules None { get; } = new(sets: false, [], []);

    /// <summary>Reads rules such as <c>alice=bob</c> or <c>1000=2000</c>: names or numbers of the snapshot before the equals sign, names
    /// or numbers of this host behind it.</summary>
    /// <param name="users">Rules for owners.</param>
    /// <param name="groups">Rules for groups.</param>
    /// <exception cref="BadInputException">A rule has another form, or this host has no such user or group.</exception>
    public static OwnerRules Parse(IReadOnlyList<string> users, IReadOnlyList<string> groups) => new(sets: true,
        users.Select(rule => Parse("--map-owner", rule, AccountNames.UidOf)).ToDictionary(StringComparer.Ordinal),
        groups.Select(rule => Parse("--map-group", rule, AccountNames.GidOf)).ToDictionary(StringComparer.Ordinal));

    static KeyValuePair<string, uint> Parse(string option, string rule, Func<string, uint?> find)
    {
        var equals = rule.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0 || equals == rule.Length - 1)
            throw new BadInputException(option, $"{option}: '{rule}' is not of the form FROM=TO.", "Write names or numbers, as alice=bob.");
        var to = rule[(equals + 1)..];
        var number = uint.TryParse(to, NumberStyles.None, CultureInfo.InvariantCulture, out var written) ? written : find(to);
        return new(rule[..equals], number ?? throw new BadInputException(option, $"{option}: there is no '{to}' on this host.",
            "Make it first, or write its number."));
    }

    /// <summary>The owner of an entry here; null where it stays whoever restores. A rule for a number goes before one for a name.</summary>
    public (uint Uid, uint Gid)? Of(Node node)
        => _sets ? (Mapped(_users, node.Uid, node.User), Mapped(_groups, node.Gid, node.Group)) : null;

    static uint Mapped(Dictionary<string, uint> rules, uint number, string name)
    {
        if (rules.Count == 0) return number;
        if (rules.TryGetValue(number.ToString(CultureInfo.InvariantCulture), out var to)) return to;
        return name.Length > 0 && rules.TryGetValue(name, out to) ? to : number;
    }
}
