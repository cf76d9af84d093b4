using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>What a sink said to one try.</summary>
/// <param name="IsGood">It took it.</param>
/// <param name="Text">What it said, or why it said nothing.</param>
/// <param name="RetryAfter">How long it wants to be left alone.</param>
sealed record SinkAnswer(bool IsGood, string Text, TimeSpan? RetryAfter = null);

/// <summary>Webhooks, chats and dead man's switches.</summary>
sealed class HttpSink(TimeProvider clock) : IDisposable
{
    /// <summary>When it was signed, in seconds since 1970.</summary>
    public const string TimestampHeader = "X-BackupDr-Timestamp";

    /// <summary>"sha256=" and the HMAC-SHA256 of timestamp, a dot, and the body, in hex.</summary>
    public const string SignatureHeader = "X-BackupDr-Signature";

    /// <summary>The message's id.</summary>
    public const string KeyHeader = "Idempotency-Key";

    const int MostOfBody = 300;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    readonly HttpClient _usual = Egress.Client(Limit, []);

    /// <summary>Posts the message as it was frozen, signed where there is a key.</summary>
    public Task<SinkAnswer> Webhook(Uri url, string? secret, ChannelSettings settings, MessageContent content, CancellationToken ct)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(content, WireJson.Default.MessageContent);
        var request = Post(url, body, content.Id);
        if (secret is { Length: > 0 })
        {
            var timestamp = clock.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            request.Headers.Add(TimestampHeader, timestamp);
            request.Headers.Add(SignatureHeader, "sha256=" + Signature(secret, timestamp, body));
        }
        return Send(request, settings, ct);
    }

    /// <summary>Signs a body.</summary>
    public static string Signature(string secret, string timestamp, ReadOnlySpan<byte> body)
        => Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret),
            (byte[])[.. Encoding.ASCII.GetBytes(timestamp + "."), .. body]));

    /// <summary>Posts the words.</summary>
    public Task<SinkAnswer> Chat(Uri url, ChannelSettings settings, MessageContent content, CancellationToken ct)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("text", Plain($"{content.Subject}\n{content.Text}"));
            json.WriteEndObject();
        }
        return Send(Post(url, buffer.ToArray(), content.Id), settings, ct);
    }

    /// <summary>Names from hosts are no markup of a chat, and call nobody: not "&lt;!channel&gt;", not "@all".</summary>
    internal static string Plain(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("@", "@\u200b", StringComparison.Ordinal);

    /// <summary>Calls the address; any answer of 200 to 299 is good.</summary>
    public Task<SinkAnswer> Ping(Uri url, ChannelSettings settings, CancellationToken ct)
        => Send(new HttpRequestMessage(HttpMethod.Get, url), settings, ct);

    static HttpRequestMessage Post(Uri url, byte[] body, MessageId id)
    {
        var content = new ByteArrayContent(body);
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
        var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = content };
        request.Headers.Add(KeyHeader, id.ToString());
        return request;
    }

    async Task<SinkAnswer> Send(HttpRequestMessage message, ChannelSettings settings, CancellationToken ct)
    {
        using var request = message;
        // Who vouches for one channel's server does not for another's, so its connections are its own.
        using var own = settings.AuthorityPem is null ? null : Egress.Client(Limit, Egress.Authorities(settings));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("BackupDr", "1"));
        try
        {
            using var response = await (own ?? _usual).SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
            var status = (int)response.StatusCode;
            var text = $"HTTP {status} {response.ReasonPhrase}".Trim() + await Beginning(response, ct);
            return new SinkAnswer(status is >= 200 and < 300, text, RetryAfter(response));
        }
        catch (HttpRequestException e) when (e.InnerException is AuthenticationException refused)
        {
            return new SinkAnswer(false, $"The certificate of {request.RequestUri!.Host} is not trusted: {refused.Message}. Nothing was "
                + "sent.");
        }
        catch (HttpRequestException e) { return new SinkAnswer(false, e.InnerException?.Message ?? e.Message); }
        catch (IOException e) { return new SinkAnswer(false, e.Message); }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new SinkAnswer(false, $"No answer within {Limit.TotalSeconds:0} seconds.");
        }
    }

    static async Task<string> Beginning(HttpResponseMessage response, CancellationToken ct)
    {
        var buffer = new byte[MostOfBody];
        await using var body = await response.Content.ReadAsStreamAsync(ct);
        var read = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, ct);
        var text = string.Concat(Encoding.UTF8.GetString(buffer, 0, read).Select(letter => char.IsControl(letter) ? ' ' : letter)).Trim();
        return text.Length == 0 ? "" : $": {text}";
    }

    TimeSpan? RetryAfter(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } pause } => pause,
        { Date: { } date } when date > clock.GetUtcNow() => date - clock.GetUtcNow(),
        _ => null,
    };

    public void Dispose() => _usual.Dispose();
}
