using System.Diagnostics.CodeAnalysis;

namespace BackupDr.Storage.Rest;

/// <summary>Where restic's REST protocol has the objects of a repository.</summary>
/// <remarks>
/// Source: restic documentation, "REST backend", version 2. Packs are named without the folder that the layout puts them in, so
/// "data/ab/ab12…" is at "data/ab12…".
/// </remarks>
public static class RestNames
{
    /// <summary>restic's kinds of objects that have a name.</summary>
    public static readonly IReadOnlyList<string> Kinds = ["data", "index", "keys", "locks", "snapshots"];

    /// <summary>The path below the repository's address.</summary>
    /// <returns>False where the protocol has no place for such an object.</returns>
    public static bool TryPath(ObjectName name, [NotNullWhen(true)] out string? path)
    {
        var parts = name.Value.Split('/');
        path = parts switch
        {
            ["config"] => "config",
            ["data", { Length: 2 } folder, var pack] when pack.StartsWith(folder, StringComparison.Ordinal) => $"data/{pack}",
            [var kind, var own] when kind != "data" && Kinds.Contains(kind) => $"{kind}/{own}",
            _ => null,
        };
        return path is not null;
    }

    /// <summary>The object at "kind/name".</summary>
    /// <returns>False where the kind is unknown or the name cannot be one.</returns>
    public static bool TryName(string kind, string own, out ObjectName name)
    {
        var value = kind == "data" && own.Length > 2 ? $"data/{own[..2]}/{own}" : $"{kind}/{own}";
        var isOne = Kinds.Contains(kind) && !own.Contains('/', StringComparison.Ordinal) && own.Length > 2 && ObjectName.IsLegal(value);
        name = isOne ? new ObjectName(value) : default;
        return isOne;
    }
}
