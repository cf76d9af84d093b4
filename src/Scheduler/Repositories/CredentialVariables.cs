using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Which credentials a kind of object store takes, and the environment variables under which a store looks for them.</summary>
static class CredentialVariables
{
    /// <summary>Longest value in characters; a connection string with a signature has a few hundred.</summary>
    const int Longest = 8192;

    sealed record Rule(LocationKind Kind, string Field, string Variable, Func<StoreCredentials, string?> Value);

    static readonly Rule[] Rules =
    [
        new(LocationKind.S3, "accessKey", "AWS_ACCESS_KEY_ID", given => given.AccessKey),
        new(LocationKind.S3, "secretKey", "AWS_SECRET_ACCESS_KEY", given => given.SecretKey),
        new(LocationKind.S3, "sessionToken", "AWS_SESSION_TOKEN", given => given.SessionToken),
        new(LocationKind.Azure, "connectionString", "AZURE_STORAGE_CONNECTION_STRING", given => given.ConnectionString),
        new(LocationKind.Azure, "account", "AZURE_ACCOUNT_NAME", given => given.Account),
        new(LocationKind.Azure, "accountKey", "AZURE_ACCOUNT_KEY", given => given.AccountKey),
        new(LocationKind.Azure, "signature", "AZURE_ACCOUNT_SAS", given => given.Signature),
        new(LocationKind.Azure, "endpointSuffix", "AZURE_ENDPOINT_SUFFIX", given => given.EndpointSuffix),
        new(LocationKind.Rest, "user", "RESTIC_REST_USERNAME", given => given.User),
        new(LocationKind.Rest, "userPassword", "RESTIC_REST_PASSWORD", given => given.UserPassword),
    ];

    /// <summary>The field of <see cref="StoreCredentials"/> behind a variable, or null.</summary>
    public static string? FieldOf(string variable) => Array.Find(Rules, rule => rule.Variable == variable)?.Field;

    /// <summary>Names and values; null where none were given.</summary>
    /// <exception cref="BadInputException">They are not those of the kind, or not whole.</exception>
    public static IReadOnlyDictionary<string, string>? Of(LocationKind kind, StoreCredentials? given)
    {
        if (given is null) return null;
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var rule in Rules)
        {
            if (rule.Value(given) is not { Length: > 0 } value) continue;
            if (rule.Kind != kind)
                throw new BadInputException(rule.Field, $"A location of the kind {kind} has no such credential.", "Leave it out.");
            if (value.Length > Longest || value.Any(char.IsControl))
                throw new BadInputException(rule.Field, $"It has more than {Longest} characters or a line break in it.",
                    "Copy it again, on one line.");
            found[rule.Variable] = value;
        }
        if (kind == LocationKind.S3) CheckKeys(given);
        else if (kind == LocationKind.Azure) CheckAccount(given);
        else if (string.IsNullOrEmpty(given.User))
            throw new BadInputException("user", "The user is missing.", "Give user and password, or no credentials at all.");
        return found;
    }

    static void CheckKeys(StoreCredentials given)
    {
        if (string.IsNullOrEmpty(given.AccessKey))
            throw new BadInputException("accessKey", "The access key is missing.", "Give both keys, or no credentials at all.");
        if (string.IsNullOrEmpty(given.SecretKey))
            throw new BadInputException("secretKey", "The secret key is missing.", "Give both keys, or no credentials at all.");
    }

    static void CheckAccount(StoreCredentials given)
    {
        var (words, account) = (!string.IsNullOrEmpty(given.ConnectionString), !string.IsNullOrEmpty(given.Account));
        var (key, signature) = (!string.IsNullOrEmpty(given.AccountKey), !string.IsNullOrEmpty(given.Signature));
        if (words && (account || key || signature || !string.IsNullOrEmpty(given.EndpointSuffix)))
            throw new BadInputException("connectionString", "A connection string says account, key and endpoint already.",
                "Give it alone, or the account with its key or signature.");
        if (words) return;
        if (!account)
            throw new BadInputException("account", "The storage account is missing.",
                "Give its name with a key or signature, or a connection string.");
        if (key == signature)
            throw new BadInputException(key ? "signature" : "accountKey", key ? "There are both a key and a signature."
                : "There is neither a key nor a signature.", "Give one of the two.");
    }
}
