using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Sources.PostgreSql;

/// <summary>A table of a database.</summary>
/// <param name="Database">Database.</param>
/// <param name="Schema">Schema.</param>
/// <param name="Name">Table.</param>
public sealed record TableName(string Database, string Schema, string Name)
{
    const string Hint = "Write DATABASE.TABLE or DATABASE.SCHEMA.TABLE; a name with a dot in double quotes: 'shop.\"odd.name\"'.";

    /// <summary>Reads DATABASE.TABLE (of the schema public) or DATABASE.SCHEMA.TABLE.</summary>
    /// <exception cref="BadInputException">It is neither.</exception>
    public static TableName Parse(string text, string option)
    {
        var (parts, part, isQuoted) = (new List<string>(), new StringBuilder(), false);
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] == '"' && isQuoted && at + 1 < text.Length && text[at + 1] == '"') part.Append(text[at++]);
            else if (text[at] == '"') isQuoted = !isQuoted;
            else if (text[at] == '.' && !isQuoted)
            {
                parts.Add(part.ToString());
                part.Clear();
            }
            else part.Append(text[at]);
        }
        parts.Add(part.ToString());
        if (isQuoted || parts.Any(one => one.Length == 0)) throw new BadInputException(option, $"'{text}' names no table.", Hint);
        return parts switch
        {
            [var database, var name] => new TableName(database, "public", name),
            [var database, var schema, var name] => new TableName(database, schema, name),
            _ => throw new BadInputException(option, $"'{text}' names no table.", Hint),
        };
    }

    /// <summary>As SQL and the pattern options of pg_dump want it.</summary>
    internal string Quoted => $"{Quote(Schema)}.{Quote(Name)}";

    internal static string Quote(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>A database as the option -d of the server's programs wants it: a name may look like a connection string, and so it stands
    /// in one.</summary>
    internal static string Connection(string database)
        => $"dbname='{database.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";

    /// <summary>"shop.public.orders".</summary>
    public override string ToString() => $"{Database}.{Schema}.{Name}";
}
