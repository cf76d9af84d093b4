using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Sources.PostgreSql;

/// <summary>The names of relations whose files are known.</summary>
static class RelationNames
{
    const long GlobalTablespace = 1664;

    /// <summary>"database: schema.relation" of a file; null where the catalog does not tell.</summary>
    /// <param name="address">The server.</param>
    /// <param name="session">A session in any database.</param>
    /// <param name="file">Path below the data folder: "base/5/1259.1", "global/1262", "PG_15_202209061/5/16384".</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<string?> Find(ServerAddress address, ServerSession session, string file, CancellationToken ct)
    {
        var parts = file.Split('/');
        if (ClusterRules.RelationOf(parts[^1]) is not { } relation) return null;
        var node = long.Parse(relation.Node, CultureInfo.InvariantCulture);
        try
        {
            if (parts[0] == "global") return Named("", await Ask(session, [GlobalTablespace], node, ct));
            if (parts.Length < 3 || !long.TryParse(parts[^2], CultureInfo.InvariantCulture, out var database)) return null;
            var name = await session.Text("select datname from pg_database where oid = $1::text::oid", ct,
                database.ToString(CultureInfo.InvariantCulture));
            await using var inside = await ServerSession.Open(address, ct, name);
            var spaces = parts[0] == "base" ? [0L]
                : await inside.Rows("select oid::bigint from pg_tablespace", row => row.GetInt64(0), ct);
            return Named($"{name}: ", await Ask(inside, spaces, node, ct));
        }
        catch (BackupDrException e) when (e is DeniedException or ServerException or SourceException) { return null; }   // by path then
    }

    static string? Named(string before, string? name) => name is null ? null : before + name;

    static async Task<string?> Ask(ServerSession session, IEnumerable<long> spaces, long node, CancellationToken ct)
    {
        foreach (var space in spaces)
            if (await session.Text("select pg_filenode_relation($1::text::oid, $2::text::oid)::regclass::text", ct,
                space.ToString(CultureInfo.InvariantCulture), node.ToString(CultureInfo.InvariantCulture)) is { Length: > 0 } name)
                return name;
        return null;
    }
}
