using BackupDr.Contracts;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Policies.Documents;

/// <summary>Documents name hosts and locations as people do; the wire names them by id. A name that several have is no name.</summary>
sealed class WireNames
{
    readonly Dictionary<Type, List<(string Id, string Name, bool IsGone)>> _known = [];

    /// <summary>For documents without hosts and locations: every name is an id.</summary>
    public static WireNames None { get; } = new();

    public static async Task<WireNames> Read(SqlSource db, CancellationToken ct)
    {
        var names = new WireNames();
        names._known[typeof(HostId)] = await db.Query("select id, name, retired_at is not null as gone from host", [],
            row => (row.Id<HostId>("id").ToString(), row.Text("name"), row.Bool("gone")), ct);
        names._known[typeof(LocationId)] = await db.Query("select id, name, is_closed as gone from location", [],
            row => (row.Id<LocationId>("id").ToString(), row.Text("name"), row.Bool("gone")), ct);
        return names;
    }

    /// <summary>Whether values of a type are written by name.</summary>
    public static bool Has(Type type) => type == typeof(HostId) || type == typeof(LocationId);

    /// <summary>The name of an id where it leads back to it, else the id.</summary>
    public string Name(Type type, string id)
    {
        var known = _known.GetValueOrDefault(type, []);
        var own = known.Find(one => one.Id == id);
        return own is { Name.Length: > 0, IsGone: false } && Find(known, own.Name) is [_] ? own.Name : id;
    }

    /// <summary>The id of a name.</summary>
    /// <returns>The id, or what is wrong with the name.</returns>
    public (string? Id, string? Problem, string? Hint) Id(Type type, string name)
    {
        var (what, where) = type == typeof(HostId) ? ("host", "Agents") : ("location", "Storage");
        var known = _known.GetValueOrDefault(type, []);
        if (known.Exists(one => one.Id == name) || this == None) return (name, null, null);
        return Find(known, name) switch
        {
            [var only] => (only.Id, null, null),
            [] => (null, $"There is no {what} '{name}'.", Nearest.To(name, known.Where(one => !one.IsGone).Select(one => one.Name))
                is { } near ? $"Is '{near}' meant?" : $"See the page {where} for their names."),
            var several => (null, $"{several.Count} {what}s are named '{name}'.", $"Write the id: {string.Join(", ",
                several.Take(5).Select(one => one.Id))}."),
        };
    }

    static List<(string Id, string Name, bool IsGone)> Find(List<(string Id, string Name, bool IsGone)> known, string name)
        => known.FindAll(one => !one.IsGone && string.Equals(one.Name, name, StringComparison.OrdinalIgnoreCase));
}

/// <summary>Finds what somebody may have meant.</summary>
static class Nearest
{
    /// <summary>The candidate with the fewest letters to change, where they are few; null for none.</summary>
    public static string? To(string text, IEnumerable<string> candidates) => candidates
        .Select(one => (Name: one, Distance: Distance(text.ToUpperInvariant(), one.ToUpperInvariant())))
        .Where(one => one.Distance <= Math.Max(1, Math.Min(one.Name.Length, text.Length) / 3)).OrderBy(one => one.Distance)
        .Select(one => one.Name).FirstOrDefault();

    /// <summary>Letters to add, leave out, exchange, or swap with the next.</summary>
    static int Distance(string one, string other)
    {
        if (Math.Abs(one.Length - other.Length) > 10 || one.Length > 100) return int.MaxValue;
        var at = new int[one.Length + 1, other.Length + 1];
        for (var i = 0; i <= one.Length; i++) at[i, 0] = i;
        for (var j = 0; j <= other.Length; j++) at[0, j] = j;
        for (var i = 1; i <= one.Length; i++)
            for (var j = 1; j <= other.Length; j++)
            {
                at[i, j] = Math.Min(Math.Min(at[i - 1, j], at[i, j - 1]) + 1, at[i - 1, j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                    at[i, j] = Math.Min(at[i, j], at[i - 2, j - 2] + 1);
            }
        return at[one.Length, other.Length];
    }
}
