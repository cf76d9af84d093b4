using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Restores;

/// <summary>Looks into a PostgreSQL cluster, and parts of one: what a restore to a moment is where it is not of the whole
/// cluster.</summary>
static class ClusterParts
{
    const int LongestName = 63, MostTables = 100;

    /// <exception cref="BadInputException">What is asked for cannot be.</exception>
    public static void Check(RestoreMomentRequest request, RecoveryPoint newest)
    {
        var part = request.Part;
        if (part is null && !request.OnlyLooks) return;
        if (newest.Backup.Cluster is null)
            throw new BadInputException(part is null ? "onlyLooks" : "part", "This is no PostgreSQL cluster.", "Leave it out.");
        if (request.InPlace || request.Starts)
            throw new BadInputException("starts", "Only a whole cluster is started, or takes the place of the original.", "Leave it out.");
        if (part is null) return;
        if (request.OnlyLooks) throw new BadInputException("onlyLooks", "A look takes nothing out.", "Leave one of them out.");
        if (part.Tables.Count > MostTables)
            throw new BadInputException("tables", $"These are {part.Tables.Count} tables.", $"At most {MostTables}, or a whole database.");
        Check("database", part.Database);
        foreach (var table in part.Tables)
        {
            Check("tables", table.Schema);
            Check("tables", table.Name);
        }
        if (part.Into is not { } into) return;
        Check("into", into);
        if (into.StartsWith("pg_", StringComparison.Ordinal))
            throw new BadInputException("into", $"'{into}' is a name of the server's own.", "Choose one that does not begin with pg_.");
        if (request.Host is not null)
            throw new BadInputException("host", "Only the item's host can load into its server.", "Leave it out.");
    }

    static void Check(string field, string? name)
    {
        if (name is not { Length: > 0 and <= LongestName } || name.Any(char.IsControl))
            throw new BadInputException(field, $"'{name}' is no name.", $"Write 1 to {LongestName} characters.");
    }

    /// <summary>The run's title: "Restore shop.public.orders of db1 as of … into the schema restored".</summary>
    public static string Title(RestoreMomentRequest request, Item item, string moment, FilePath target)
    {
        if (request.OnlyLooks) return $"Look into {item.Name} as of {moment}";
        var part = request.Part!;
        var what = part.Tables switch
        {
            [] => part.Database,
            [var table] => $"{part.Database}.{table.Schema}.{table.Name}",
            _ => $"{part.Tables.Count} tables of {part.Database}",
        };
        return $"Restore {what} of {item.Name} as of {moment} "
            + (part.Into is not { } into ? $"to {target}" : part.Tables.Count == 0 ? $"as the database {into}" : $"into the schema {into}");
    }

    /// <summary>Where it is put where nobody says otherwise: a file where copies are made. A look writes nothing and a load no file; an
    /// agent that does not know them would restore the whole cluster, and refuses to do that where the cluster is.</summary>
    public static FilePath Target(RestoreMomentRequest request, Item item, FilePath data, DateTimeOffset now)
    {
        if (request.OnlyLooks || request.Part!.Into is not null) return data;
        var folder = item.Source.PostgreSql?.Scratch?.ToString() ?? "/var/tmp";
        return FilePath.FromText(PlanRestore.Beside(FilePath.FromText($"{folder}/{request.Part.Database.Replace('/', '_')}"), now)
            + (request.Part.IsPlain ? ".sql" : ".dump"));
    }
}
