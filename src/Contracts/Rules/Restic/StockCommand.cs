namespace BackupDr.Contracts.Rules.Restic;

/// <summary>What the unmodified restic program is given, so that it opens a repository as we do. Pure.</summary>
public static class StockCommand
{
    /// <summary>Its variables: ours, and the parts of an Azure connection string, which it does not read whole.</summary>
    /// <param name="given">Credentials of the store.</param>
    public static IEnumerable<(string Name, string Value)> Variables(IReadOnlyDictionary<string, string>? given)
    {
        if (given is null) yield break;
        foreach (var (name, value) in given) yield return (name, value);
        if (!given.TryGetValue("AZURE_STORAGE_CONNECTION_STRING", out var words)) yield break;
        foreach (var part in words.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals >= 0 && OfAzure(part[..equals]) is { } name) yield return (name, part[(equals + 1)..]);
        }
    }

    static string? OfAzure(string part) => part.ToUpperInvariant() switch
    {
        "ACCOUNTNAME" => "AZURE_ACCOUNT_NAME",
        "ACCOUNTKEY" => "AZURE_ACCOUNT_KEY",
        "SHAREDACCESSSIGNATURE" => "AZURE_ACCOUNT_SAS",
        "ENDPOINTSUFFIX" => "AZURE_ENDPOINT_SUFFIX",
        _ => null,
    };

    /// <summary>The option of ours that it knows and needs: the region. Null for none.</summary>
    /// <param name="given">Options of the store, each NAME=VALUE.</param>
    public static string? Region(IReadOnlyList<string>? given)
        => given?.FirstOrDefault(option => option.StartsWith("s3.region=", StringComparison.Ordinal));
}
