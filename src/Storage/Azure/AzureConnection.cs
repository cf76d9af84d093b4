using Azure;
using Azure.Core;
using Azure.Core.Pipeline;
using Azure.Storage;
using Azure.Storage.Blobs;
using BackupDr.Contracts;
using BackupDr.Storage.Http;

namespace BackupDr.Storage.Azure;

/// <summary>Makes the SDK's client from an address, options and the variables that restic's users know.</summary>
static class AzureConnection
{
    /// <summary>The option that names an account which the machine's own identity opens.</summary>
    public const string Identity = "azure.identity";

    static readonly string[] Clouds = [".core.windows.net", ".core.chinacloudapi.cn", ".core.usgovcloudapi.net"];

    /// <summary>A client that neither retries nor has a time limit: the layers above and <see cref="Stall"/> do that.</summary>
    /// <param name="address">Container and prefix.</param>
    /// <param name="options">The environment.</param>
    /// <param name="http">Carries the requests; disposed by the caller.</param>
    /// <param name="identity">The machine's own; null where a key or signature opens the account.</param>
    /// <exception cref="BadInputException">The variables do not name an account and a way into it.</exception>
    public static BlobContainerClient Open(AzureAddress address, StoreOptions options, HttpClient http,
        TokenCredential? identity)
    {
        var settings = new BlobClientOptions { Transport = new HttpClientTransport(http) };
        settings.Retry.MaxRetries = 0;
        settings.Retry.NetworkTimeout = Timeout.InfiniteTimeSpan;
        settings.Diagnostics.IsLoggingEnabled = false;
        settings.Diagnostics.IsDistributedTracingEnabled = false;
        settings.Diagnostics.IsTelemetryEnabled = false;
        settings.AddPolicy(new OneRequest.Policy(), global::Azure.Core.HttpPipelinePosition.PerCall);
        if (identity is not null)
            return new BlobContainerClient(Place(options.Text(Identity)!, address.Container), identity, settings);
        if (options.Variable("AZURE_ACCOUNT_NAME") is not { } account)
            return options.Variable("AZURE_STORAGE_CONNECTION_STRING") is { } words ? FromWords(words, address.Container, settings)
                : throw new BadInputException("AZURE_ACCOUNT_NAME", "No Azure storage account was given.",
                    "Set AZURE_ACCOUNT_NAME with AZURE_ACCOUNT_KEY or AZURE_ACCOUNT_SAS, or AZURE_STORAGE_CONNECTION_STRING.");
        var place = Container("AZURE_ACCOUNT_NAME", account, options.Variable("AZURE_ENDPOINT_SUFFIX") ?? "core.windows.net",
            address.Container);
        return (options.Variable("AZURE_ACCOUNT_KEY"), Signature(options)) switch
        {
            ({ } key, _) => new BlobContainerClient(place, Key(account, key), settings),
            (_, { } signature) => new BlobContainerClient(place, new AzureSasCredential(signature), settings),
            _ => throw new BadInputException("AZURE_ACCOUNT_KEY", $"There are no credentials for the account {account}.",
                "Set AZURE_ACCOUNT_KEY, or AZURE_ACCOUNT_SAS."),
        };
    }

    // A name, or a whole address for other clouds and for emulators. Whoever is handed a token may use it at every account that the machine
    // may open: it goes to Azure itself, with TLS, and to nobody else.
    static Uri Place(string account, string container)
    {
        if (!account.Contains(':', StringComparison.Ordinal)) return Container(Identity, account, "core.windows.net", container);
        return Uri.TryCreate(account, UriKind.Absolute, out var uri) && uri is { Scheme: "https", UserInfo: "", Query: "", Fragment: "" }
            && (uri.IsLoopback || Clouds.Any(cloud => uri.IdnHost.EndsWith(cloud, StringComparison.OrdinalIgnoreCase)))
            ? new Uri($"{uri.AbsoluteUri.TrimEnd('/')}/{container}")
            : throw new BadInputException(Identity,
                $"'{account}' is neither a storage account nor its https address in one of Azure's clouds.",
                "Write azure.identity=ACCOUNT, or azure.identity=https://ACCOUNT.blob.core.chinacloudapi.cn.");
    }

    /// <summary>The shared access signature in use, without its question mark; null where a key is used.</summary>
    public static string? Signature(StoreOptions options)
    {
        if (options.Variable("AZURE_ACCOUNT_NAME") is not null)
            return options.Variable("AZURE_ACCOUNT_KEY") is null ? options.Variable("AZURE_ACCOUNT_SAS")?.TrimStart('?') : null;
        const string word = "SharedAccessSignature=";
        return options.Variable("AZURE_STORAGE_CONNECTION_STRING")?.Split(';')
            .FirstOrDefault(part => part.StartsWith(word, StringComparison.OrdinalIgnoreCase))?[word.Length..].TrimStart('?');
    }

    // Names become a host: nothing in them may lead elsewhere.
    static Uri Container(string field, string account, string suffix, string container)
    {
        if (!account.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
            throw new BadInputException(field, $"'{account}' is no name of a storage account.",
                "Give the name alone, without the rest of its host.");
        if (!suffix.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '.'))
            throw new BadInputException("AZURE_ENDPOINT_SUFFIX", $"'{suffix}' is not the end of a host's name.",
                "Give for example core.windows.net, core.chinacloudapi.cn or core.usgovcloudapi.net.");
        return new Uri($"https://{account}.blob.{suffix}/{container}");
    }

    static StorageSharedKeyCredential Key(string account, string key)
    {
        try { return new StorageSharedKeyCredential(account, key); }
        catch (FormatException)
        {
            throw new BadInputException("AZURE_ACCOUNT_KEY", "The account key is not in base64.",
                "Copy one of the account's two keys whole.");
        }
    }

    static BlobContainerClient FromWords(string words, string container, BlobClientOptions settings)
    {
        try { return new BlobContainerClient(words, container, settings); }
        // The message would repeat parts of the string, and so the key.
        catch (Exception e) when (e is FormatException or ArgumentException or InvalidOperationException)
        {
            throw new BadInputException("AZURE_STORAGE_CONNECTION_STRING", "The connection string cannot be read.",
                "Copy it whole: DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net.");
        }
    }
}
