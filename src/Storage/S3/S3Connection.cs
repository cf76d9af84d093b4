using Amazon.Runtime;
using Amazon.S3;
using BackupDr.Contracts;
using BackupDr.Storage.Http;

namespace BackupDr.Storage.S3;

/// <summary>Makes the SDK's client from an address and options.</summary>
static class S3Connection
{
    /// <summary>A client that neither retries nor has a time limit: the layers above and <see cref="Stall"/> do that.</summary>
    /// <param name="address">Where.</param>
    /// <param name="options">Region, style, checksums.</param>
    /// <param name="http">Carries the requests; disposed by the caller after the client.</param>
    public static AmazonS3Client Open(S3Address address, StoreOptions options, HttpClient http)
    {
        var style = options.Choice("s3.bucket-lookup", "auto", "dns", "path");
        // Whole checksums in a trailer are refused by many servers; the signature covers the payload's SHA-256 either way.
        var checksums = options.Choice("s3.checksums", "when-required", "when-supported") == "when-supported";
        var settings = new AmazonS3Config
        {
            ServiceURL = address.Endpoint.GetLeftPart(UriPartial.Authority),
            ForcePathStyle = style == "path" || (style == "auto" && !address.WantsVirtualHost),
            AuthenticationRegion = Region(address, options),
            MaxErrorRetry = 0,
            Timeout = Timeout.InfiniteTimeSpan,
            RequestChecksumCalculation = checksums ? RequestChecksumCalculation.WHEN_SUPPORTED : RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = checksums ? ResponseChecksumValidation.WHEN_SUPPORTED : ResponseChecksumValidation.WHEN_REQUIRED,
            HttpClientFactory = new OneClient(http),
            DisableLogging = true,
        };
        return Credentials(options) is { } given ? new AmazonS3Client(given, settings) : new AmazonS3Client(settings);
    }

    /// <summary>The region that requests are signed for: given, else by the host's name, else by the environment.</summary>
    public static string Region(S3Address address, StoreOptions options) => options.Text("s3.region") ?? address.RegionOfHost
        ?? options.Variable("AWS_REGION") ?? options.Variable("AWS_DEFAULT_REGION") ?? "us-east-1";

    // The usual three variables are read here, so that what is half given is told at once. Profiles, web identities, containers and
    // machine roles are the SDK's own chain.
    static AWSCredentials? Credentials(StoreOptions options)
    {
        var id = options.Variable("AWS_ACCESS_KEY_ID");
        var secret = options.Variable("AWS_SECRET_ACCESS_KEY");
        if (id is null && secret is null) return null;
        if (id is null || secret is null)
            throw new BadInputException(id is null ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                "Only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set.", "Set both, or neither and AWS_PROFILE.");
        return options.Variable("AWS_SESSION_TOKEN") is { } token
            ? new SessionAWSCredentials(id, secret, token) : new BasicAWSCredentials(id, secret);
    }

    sealed class OneClient(HttpClient http) : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => http;
        public override bool UseSDKHttpClientCaching(IClientConfig clientConfig) => false;
        public override bool DisposeHttpClientsAfterUse(IClientConfig clientConfig) => false;
    }
}
