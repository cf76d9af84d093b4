using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Items;

/// <summary>Parts of an item in words.</summary>
public static class ItemText
{
    public static string Paths(Item item) => item.Source.Files is { } files ? string.Join(", ", files.Paths) : item.Source.Title;

    /// <summary>What it is of and where; null where its name says so already.</summary>
    public static string? Where(Item item) => $"{Paths(item)} on {item.HostName}" is var where && where == item.Name ? null : where;

    /// <summary>What kind of thing was found.</summary>
    public static string Of(FoundKind kind) => kind switch
    {
        FoundKind.FileSystem => "File system",
        FoundKind.Subvolume => "Subvolume",
        FoundKind.BlockDevice => "Block device",
        FoundKind.PostgreSql => "PostgreSQL cluster",
        FoundKind.MariaDb => "MariaDB server",
        _ => "SQLite database",
    };

    /// <summary>Where a policy for something that was found is made.</summary>
    public static string ProtectUrl(Unprotected one) => $"/policies/new?host={one.Host}&path={Uri.EscapeDataString($"{one.Found.Path}")}"
        + (one.ProtectAs is { } kind and not SourceKind.Files ? $"&source={kind.ToString().ToLowerInvariant()}" : "");

    /// <summary>Where it is hidden, or listed again.</summary>
    public static string HideUrl(Unprotected one)
        => $"/items/hide?host={one.Host}&kind={one.Found.Kind}&path={Uri.EscapeDataString($"{one.Found.Path}")}";
}
