using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Jobs;
using BackupDr.Web.Items;

namespace BackupDr.Web.Restores;

/// <summary>Addresses of the page that restores one table, and what stands on it. Pure.</summary>
public static class TablePage
{
    /// <summary>Most tables that are listed at once; the filter finds the others.</summary>
    public const int Shown = 200;

    /// <summary>Its address.</summary>
    /// <param name="item">The item.</param>
    /// <param name="at">The moment.</param>
    /// <param name="look">The run that tells its tables; null where none does.</param>
    /// <param name="table">The chosen one; null before.</param>
    public static string Url(ItemId item, DateTimeOffset at, RunId? look, TableSeen? table = null)
        => $"/restore/table?item={item}&at={Uri.EscapeDataString(TrackView.Text(at))}" + (look is { } run ? $"&look={run}" : "")
            + (table is null ? "" : $"&table={Uri.EscapeDataString(Name(table))}");

    /// <summary>"shop.public.orders", with quotes where a name has a dot.</summary>
    public static string Name(TableSeen table) => $"{Quoted(table.Database)}.{Quoted(table.Schema)}.{Quoted(table.Name)}";

    static string Quoted(string name) => name.AsSpan().IndexOfAny('.', '"') < 0 ? name
        : $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    /// <summary>Reads DATABASE.TABLE, DATABASE.SCHEMA.TABLE, or DATABASE alone.</summary>
    /// <exception cref="BadInputException">It is none of them.</exception>
    public static ClusterPart Part(string text)
    {
        var (parts, part, isQuoted) = (new List<string>(), "", false);
        for (var at = 0; at < text.Length; at++)
        {
            if (text[at] == '"' && isQuoted && at + 1 < text.Length && text[at + 1] == '"') part += text[at++];
            else if (text[at] == '"') isQuoted = !isQuoted;
            else if (text[at] == '.' && !isQuoted)
            {
                parts.Add(part);
                part = "";
            }
            else part += text[at];
        }
        parts.Add(part);
        return parts switch
        {
            _ when isQuoted || parts.Any(one => one.Length == 0) => throw None(text),
            [var database] => new ClusterPart { Database = database },
            [var database, var name] => new ClusterPart { Database = database, Tables = [new TableId("public", name)] },
            [var database, var schema, var name] => new ClusterPart { Database = database, Tables = [new TableId(schema, name)] },
            _ => throw None(text),
        };
    }

    static BadInputException None(string text) => new("table", $"'{text}' names no table and no database.",
        "Write DATABASE.SCHEMA.TABLE, DATABASE.TABLE, or DATABASE.");

    /// <summary>A schema or database that most likely does not exist: "restored_20261121_140300".</summary>
    public static string Into(ClusterPart part, DateTimeOffset at)
    {
        var moment = at.UtcDateTime.ToString("yyyyMMdd_HHmmss", CultureInfo.InvariantCulture);
        return part.Tables.Count > 0 ? $"restored_{moment}"
            : $"{(part.Database.Length > 40 ? part.Database[..40] : part.Database)}_{moment}";
    }

    /// <summary>The tables in whose name a text stands.</summary>
    public static IReadOnlyList<TableSeen> Fitting(ClusterLook look, string? text)
        => string.IsNullOrWhiteSpace(text) ? look.Tables
            : [.. look.Tables.Where(table => $"{table.Database}.{table.Schema}.{table.Name}".Contains(text.Trim(),
                StringComparison.OrdinalIgnoreCase))];
}
