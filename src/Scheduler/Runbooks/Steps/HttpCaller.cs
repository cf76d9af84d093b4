using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Alerts.Channels;
using BackupDr.Storage.Http;

namespace BackupDr.Scheduler.Runbooks.Steps;

/// <summary>What came of one call.</summary>
/// <param name="Outcome">Succeeded where the answer is a good one. Unknown where it may have been carried out all the same.</param>
/// <param name="Text">In words.</param>
/// <param name="Status">Status code; null for no answer.</param>
/// <param name="Digest">SHA-256 of the answer's body in hex; null for no answer.</param>
/// <param name="Found">What stood at the place in JSON.</param>
sealed record HttpAnswer(ActivityOutcome Outcome, string Text, int? Status = null, string? Digest = null, string? Found = null);

/// <summary>Makes the calls of steps: one request each, no redirect followed, no proxy, no cookie, no address that only clouds' metadata
/// services have.</summary>
sealed class HttpCaller(IStepSecrets secrets)
{
    const int MostLookedAt = 1024 * 1024, LongestFound = 200;
    const long MostRead = 64L * 1024 * 1024;

    /// <summary>Calls once.</summary>
    /// <param name="call">What.</param>
    /// <param name="key">The idempotency key; null for none.</param>
    /// <param name="limit">Longest time.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<HttpAnswer> Call(HttpCallSpec call, string? key, TimeSpan limit, CancellationToken ct)
    {
        Secret? token = null;
        if (call.BearerSecret is { } name && (token = await secrets.Find(name, ct)) is null)
            return new(ActivityOutcome.Failed, $"There is no stored secret '{name}', so nothing was called.");
        X509Certificate2Collection authorities;
        try { authorities = call.AuthorityPem is { } pem ? Authorities.Parse("authorityPem", pem) : []; }
        catch (BadInputException e) { return new(ActivityOutcome.Failed, $"authorityPem: {e.Message} Nothing was called."); }
        // The client sends a request again by itself where a connection ends before it answers: it gets no second one.
        var (connections, ended) = (0, "The connection ended before an answer.");
        using var client = Egress.Client(Timeout.InfiniteTimeSpan, authorities, () =>
        {
            if (++connections > 1) throw new IOException(ended);
        });
        using var request = Request(call, key, token);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(limit);
        var where = Where(request.RequestUri!);
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, late.Token);
            return await Judge(call, where, response, late.Token);
        }
        catch (HttpRequestException e) when (connections < 2 && e.HttpRequestError is HttpRequestError.NameResolutionError
            or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError)
        {
            return new(ActivityOutcome.Failed, $"{where} was not reached: {(e.InnerException ?? e).Message} Nothing was sent.");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return new(Broken(call), $"{where} broke off: {(e.InnerException ?? e).Message}{Doubt(call)}");
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new(Broken(call), $"{where} did not answer within {limit.TotalSeconds:0.#} seconds.{Doubt(call)}");
        }
    }

    /// <summary>Whether a call changes nothing, so that one without an answer has failed and no more.</summary>
    public static bool IsSafe(HttpCallSpec call) => call.Method is "GET" or "HEAD";

    static ActivityOutcome Broken(HttpCallSpec call) => IsSafe(call) ? ActivityOutcome.Failed : ActivityOutcome.Unknown;

    static string Doubt(HttpCallSpec call) => IsSafe(call) ? "" : " Whether it did what was asked, nobody knows: look there.";

    static HttpRequestMessage Request(HttpCallSpec call, string? key, Secret? token)
    {
        var request = new HttpRequestMessage(new HttpMethod(call.Method), call.Url);
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("BackupDr", "1"));
        if (call.Body is { } body)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", "application/json; charset=utf-8");
        }
        foreach (var (name, value) in call.Headers)
        {
            if (request.Headers.TryAddWithoutValidation(name, value)) continue;
            request.Content?.Headers.Remove(name);
            request.Content?.Headers.TryAddWithoutValidation(name, value);
        }
        if (key is not null) request.Headers.TryAddWithoutValidation(HttpSink.KeyHeader, key);
        if (token is not null) request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token.Reveal().Trim()}");
        return request;
    }

    static async Task<HttpAnswer> Judge(HttpCallSpec call, string where, HttpResponseMessage response, CancellationToken ct)
    {
        var (body, digest) = await Read(response, ct);
        var status = (int)response.StatusCode;
        var found = Found(call.Expect, body);
        var answer = new HttpAnswer(ActivityOutcome.Failed, "", status, digest, found);
        if (!(call.Expect.Status.Count == 0 ? status is >= 200 and < 300 : call.Expect.Status.Contains(status)))
        {
            var to = status is < 300 or >= 400 || response.Headers.Location is not { } location ? ""
                : $" It leads to {(location.IsAbsoluteUri ? Where(location) : location.OriginalString.Split('?')[0])}, which is not "
                    + "followed.";
            return answer with { Text = $"{where} answers {status}.{to}{Beginning(body)}" };
        }
        if (call.Expect.Contains is { } text && !Encoding.UTF8.GetString(body).Contains(text, StringComparison.Ordinal))
            return answer with { Text = $"{where} answers {status}, without '{text}' in it.{Beginning(body)}" };
        if (call.Expect.JsonPath is { } path && found is null)
            return answer with { Text = $"{where} answers {status}, with nothing at {path}.{Beginning(body)}" };
        if (call.Expect.JsonGives is { } gives && found != gives)
            return answer with { Text = $"{where} answers {status}, with '{found}' at {call.Expect.JsonPath} and not '{gives}'." };
        return answer with { Outcome = ActivityOutcome.Succeeded, Text = $"{where} answers {status}." };
    }

    static string? Found(HttpExpectation expect, byte[] body)
    {
        if (expect.JsonPath is null || JsonPlace.Parse(expect.JsonPath) is not { } place) return null;
        try
        {
            using var json = JsonDocument.Parse(body);
            return place.Of(json.RootElement) is not { } found ? null : found.Length <= LongestFound ? found : found[..LongestFound];
        }
        catch (JsonException) { return null; }   // a body that is no JSON has nothing at any place
    }

    static async Task<(byte[] Body, string Digest)> Read(HttpResponseMessage response, CancellationToken ct)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var kept = new MemoryStream();
        await using var stream = await response.Content.ReadAsStreamAsync(ct);
        var buffer = new byte[32 * 1024];
        for (long total = 0; await stream.ReadAsync(buffer, ct) is > 0 and var read;)
        {
            hash.AppendData(buffer, 0, read);
            if (kept.Length < MostLookedAt) kept.Write(buffer, 0, (int)Math.Min(read, MostLookedAt - kept.Length));
            if ((total += read) > MostRead) throw new IOException($"It says more than {MostRead / 1024 / 1024} MiB.");
        }
        return (kept.ToArray(), Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    static string Beginning(byte[] body)
    {
        var text = string.Concat(Encoding.UTF8.GetString(body, 0, Math.Min(body.Length, LongestFound))
            .Select(letter => char.IsControl(letter) ? ' ' : letter)).Trim();
        return text.Length == 0 ? "" : $" It says: {text}";
    }

    // What follows the path may be what gives the right to call.
    static string Where(Uri url) => $"{url.Scheme}://{url.Authority}{url.AbsolutePath}";
}
