using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage;

/// <summary>What a repository's address does not say: options as restic users write them, and
/// certificates.</summary>
public sealed record StoreOptions
{
    static readonly string[] Known =
    [
        "s3.region", "s3.bucket-lookup", "s3.storage-class", "s3.conditional-put", "s3.checksums", "s3.retention-days",
        "s3.retention-mode", "azure.access-tier", "azure.identity", "azure.rehydrate-priority",
    ];

    readonly IReadOnlyDictionary<string, string> _values;

    /// <param name="pairs">Each "name=value".</param>
    /// <exception cref="BadInputException">One is not of that form, or its name is not known.</exception>
    public StoreOptions(params IEnumerable<string> pairs)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in pairs)
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = equals > 0 ? pair[..equals].Trim() : "";
            if (Array.IndexOf(Known, name) < 0)
                throw new BadInputException("--option", $"'{pair}' is not an option of a store.",
                    $"Write NAME=VALUE with one of {string.Join(", ", Known)}.");
            values[name] = pair[(equals + 1)..].Trim();
        }
        _values = values;
    }

    /// <summary>How long a connection may take to come about, over HTTP; default 20 s.</summary>
    public TimeSpan ConnectPatience { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>A PEM file with the certificates of authorities to trust beside the system's; null for those alone.</summary>
    public string? CaCertificateFile { get; init; }

    /// <summary>The same as the text itself.</summary>
    public string? AuthorityPem { get; init; }

    /// <summary>Gives the certificate, with its key, that we show to a server that asks for one. Called for each new connection, because
    /// certificates are renewed while a store is open; null for none. What it gives is not disposed here.</summary>
    public Func<X509Certificate2>? ClientCertificate { get; init; }

    /// <summary>The one authority to trust, whatever name its certificate is for: it signs for one installation's servers and nobody
    /// else. Not disposed here.</summary>
    public X509Certificate2? Authority { get; init; }

    /// <summary>How fast bytes may pass, shared with others who go to the place; null for no limit. For stores over HTTP.</summary>
    public BandwidthLimits? Bandwidth { get; init; }

    /// <summary>How often and how long a failed operation is tried again.</summary>
    public RetryOptions Retry { get; init; } = new();

    /// <summary>Reads environment variables; exchanged by tests.</summary>
    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;

    /// <summary>The system's clock unless a test has its own.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>An option's value, or null where it was not given.</summary>
    public string? Text(string name) => _values.GetValueOrDefault(name) is { Length: > 0 } value ? value : null;

    /// <summary>A whole number.</summary>
    /// <exception cref="BadInputException">It is none, or outside the range.</exception>
    public int? Number(string name, int least, int most)
    {
        if (Text(name) is not { } text) return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new BadInputException(name, $"'{text}' is not a whole number from {least} to {most}.", $"Write {name}={least}.");
    }

    /// <summary>One of a few words; the first where it was not given.</summary>
    /// <exception cref="BadInputException">It is none of them.</exception>
    public string Choice(string name, params IReadOnlyList<string> words)
    {
        var text = Text(name) ?? words[0];
        return words.Contains(text) ? text
            : throw new BadInputException(name, $"'{text}' is not a choice.", $"Choose one of {string.Join(", ", words)}.");
    }

    /// <summary>A setting of the environment; null where it is absent or empty.</summary>
    public string? Variable(string name) => Environment(name) is { Length: > 0 } value ? value : null;
}
