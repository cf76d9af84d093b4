using BackupDr.Contracts.Api;

namespace BackupDr.Web.Items;

/// <summary>Parts of an item in words.</summary>
public static class ItemText
{
    public static string Paths(Item item) => string.Join(", ", item.Source.Files?.Paths ?? []);
}
