using System.Globalization;
using System.Text.Json;
using Azure.Core;

namespace BackupDr.Storage.Azure;

/// <summary>The identity that Azure gives to a machine: tokens from the machine's own endpoint, without a secret.</summary>
/// <remarks>
/// "Managed identities for Azure resources", "How to use managed identities on an Azure VM to acquire an access token", api-version
/// 2018-02-01; on App Service and its like "Connect to Azure services in app code", api-version 2019-08-01. A token is kept until five
/// minutes before its end.
/// </remarks>
sealed class ManagedIdentity : TokenCredential, IDisposable
{
    const string OfMachine = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";
    const string OfStorage = "https://storage.azure.com/";
    const int LongestAnswer = 64 * 1024;
    static readonly TimeSpan Early = TimeSpan.FromMinutes(5), Patience = TimeSpan.FromSeconds(10);

    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = Patience })
    {
        Timeout = Patience,
        MaxResponseContentBufferSize = LongestAnswer,
    };
    readonly SemaphoreSlim _turn = new(1, 1);
    readonly TimeProvider _clock;
    readonly Uri _endpoint;
    readonly (string Name, string Value) _header;
    AccessToken _token;

    /// <param name="options">IDENTITY_ENDPOINT and IDENTITY_HEADER where the host has them; AZURE_CLIENT_ID for one of several.</param>
    public ManagedIdentity(StoreOptions options)
    {
        _clock = options.Clock;
        var endpoint = OfMachine;
        _header = ("Metadata", "true");
        if (options.Variable("IDENTITY_ENDPOINT") is { } given && options.Variable("IDENTITY_HEADER") is { } secret)
            (endpoint, _header) = ($"{given}{(given.Contains('?', StringComparison.Ordinal) ? '&' : '?')}api-version=2019-08-01",
                ("X-IDENTITY-HEADER", secret));
        var who = options.Variable("AZURE_CLIENT_ID") is { } id ? $"&client_id={Uri.EscapeDataString(id)}" : "";
        _endpoint = new Uri($"{endpoint}&resource={Uri.EscapeDataString(OfStorage)}{who}");
    }

    /// <inheritdoc/>
    public override async ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_token.ExpiresOn > _clock.GetUtcNow() + Early) return _token;
            return _token = await Fetch(cancellationToken);
        }
        finally { _turn.Release(); }
    }

    /// <inheritdoc/>
    public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken)
        => throw new NotSupportedException("Every request of ours waits without a thread.");

    async Task<AccessToken> Fetch(CancellationToken ct)
    {
        const string what = "ask this machine for its Azure identity";
        using var request = new HttpRequestMessage(HttpMethod.Get, _endpoint);
        request.Headers.Add(_header.Name, _header.Value);
        try
        {
            using var answer = await _http.SendAsync(request, ct);
            var body = await answer.Content.ReadAsByteArrayAsync(ct);
            if (answer.IsSuccessStatusCode) return Read(body);
            var isPassing = (int)answer.StatusCode is 404 or 410 or 429 or >= 500;   // as the page on retries says
            throw new StoreException(isPassing ? StoreFault.Unavailable : StoreFault.Denied,
                string.Create(CultureInfo.InvariantCulture, $"{what}: the answer is {(int)answer.StatusCode}{Words(body)}."),
                "Give the machine an identity with the role Storage Blob Data Contributor; with several, set AZURE_CLIENT_ID.");
        }
        catch (Exception e) when (e is HttpRequestException || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            throw new StoreException(StoreFault.Denied, $"{what}: there is no answer at {_endpoint.Authority}.",
                "A machine of Azure has it; elsewhere give an account key or a signature.", e);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new StoreException(StoreFault.Unusable, $"{what}: the answer is no token.", null, e);
        }
    }

    static AccessToken Read(byte[] body)
    {
        using var answer = JsonDocument.Parse(body);
        var ends = answer.RootElement.GetProperty("expires_on");   // a number, or a number as text
        var seconds = ends.ValueKind == JsonValueKind.Number ? ends.GetInt64()
            : long.Parse(ends.GetString()!, NumberStyles.None, CultureInfo.InvariantCulture);
        return new AccessToken(answer.RootElement.GetProperty("access_token").GetString()!, DateTimeOffset.FromUnixTimeSeconds(seconds));
    }

    static string Words(byte[] body)
    {
        try
        {
            using var answer = JsonDocument.Parse(body);
            return answer.RootElement.ValueKind == JsonValueKind.Object
                && answer.RootElement.TryGetProperty("error_description", out var text)
                && text.ValueKind == JsonValueKind.String ? ", " + text.GetString()!.TrimEnd('.', '\r', '\n') : "";
        }
        catch (JsonException) { return ""; }   // the number alone counts
    }

    public void Dispose()
    {
        _http.Dispose();
        _turn.Dispose();
    }
}
