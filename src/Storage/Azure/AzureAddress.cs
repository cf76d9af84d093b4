using BackupDr.Contracts;

namespace BackupDr.Storage.Azure;

/// <summary>Where a repository lies in an account of Azure Blob storage. The account itself comes from the environment.</summary>
/// <param name="Container">The container's name.</param>
/// <param name="Prefix">What every blob's name begins with, without slashes at its ends; empty for the container's top.</param>
public sealed record AzureAddress(string Container, string Prefix)
{
    const string Form = "Write azure:container:/prefix, and set AZURE_ACCOUNT_NAME and AZURE_ACCOUNT_KEY.";

    /// <summary>Reads restic's form "azure:container:/prefix"; the prefix may be empty.</summary>
    /// <exception cref="BadInputException">It is something else.</exception>
    public static AzureAddress Parse(string url)
    {
        var rest = url.StartsWith("azure:", StringComparison.Ordinal) ? url["azure:".Length..]
            : throw Wrong(url, "it does not begin with 'azure:'");
        var colon = rest.IndexOf(':', StringComparison.Ordinal);
        var container = colon < 0 ? rest : rest[..colon];
        if (!IsContainer(container))
            throw Wrong(url, "a container's name has 3 to 63 lower-case letters, digits and single '-' between them");
        if (colon >= 0 && rest.AsSpan(colon + 1).StartsWith("//")) throw Wrong(url, "the account's host is no part of it");
        var prefix = colon < 0 ? ""
            : string.Join('/', rest[(colon + 1)..].Split('/', StringSplitOptions.RemoveEmptyEntries).Where(part => part != "."));
        if (prefix.Length > 0 && !ObjectName.IsLegal(prefix))
            throw Wrong(url, $"the prefix '{prefix}' has other characters than ASCII letters, digits, '-', '_', '.' and '/'");
        return new AzureAddress(container, prefix);
    }

    /// <summary>The name of an object's blob.</summary>
    public string Key(string name) => Prefix.Length == 0 ? name : $"{Prefix}/{name}";

    /// <inheritdoc/>
    public override string ToString() => $"azure:{Container}:/{Prefix}";

    static bool IsContainer(string name) => name.Length is >= 3 and <= 63 && name[0] != '-' && name[^1] != '-'
        && !name.Contains("--", StringComparison.Ordinal)
        && name.All(letter => char.IsAsciiLetterLower(letter) || char.IsAsciiDigit(letter) || letter == '-');

    static BadInputException Wrong(string url, string why) => new("repository", $"'{url}' is no Azure address: {why}.", Form);
}
