using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace BackupDr.TestKit.Servers;

/// <summary>What happens to a request on its way.</summary>
public enum ProxyFault
{
    /// <summary>It is passed on.</summary>
    None,
    /// <summary>Answered 500 without reaching the server.</summary>
    ServerError,
    /// <summary>Answered 503 with Retry-After: 0, without reaching the server.</summary>
    Throttle,
    /// <summary>The connection is reset before the server hears of it.</summary>
    ResetBefore,
    /// <summary>The server does it, and the connection is reset instead of its answer.</summary>
    ResetAfter,
    /// <summary>The server gets it twice; the second answer is given.</summary>
    Duplicate,
    /// <summary>Passed on a little later.</summary>
    Late,
    /// <summary>Never answered.</summary>
    Stall,
    /// <summary>The connection is reset in the middle of the answer's body.</summary>
    CutBody,
    /// <summary>One byte of the answer's body is another.</summary>
    WrongByte,
}

/// <summary>A request as the proxy sees it.</summary>
/// <param name="Number">From 1, in the order of arrival.</param>
/// <param name="Method">Its verb.</param>
/// <param name="Target">Path and query.</param>
public readonly record struct ProxiedRequest(int Number, string Method, string Target);

/// <summary>Stands between a store and its server and spoils what it is told to. The Host header is passed on, as signatures need
/// it.</summary>
public sealed class FaultProxy : IAsyncDisposable
{
    static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(50);

    // Those that belong to one connection, and what HttpClient sets itself.
    static readonly HashSet<string> NotPassed = new(StringComparer.OrdinalIgnoreCase)
        { "Connection", "Keep-Alive", "Transfer-Encoding", "Proxy-Connection", "Expect", "Upgrade" };

    readonly WebApplication _app;
    readonly HttpClient _http;
    readonly Uri _upstream;
    readonly Func<ProxiedRequest, ProxyFault> _decide;
    readonly CancellationTokenSource _closing = new();
    int _requests, _faults;

    FaultProxy(WebApplication app, Uri upstream, Func<ProxiedRequest, ProxyFault> decide, HttpMessageHandler way)
    {
        (_app, _upstream, _decide) = (app, upstream, decide);
        _http = new HttpClient(way) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>Requests so far.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>How many of them were spoilt.</summary>
    public int Faults => Volatile.Read(ref _faults);

    /// <summary>Where it listens: "http://127.0.0.1:PORT".</summary>
    public string Url => _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Starts it on a free port.</summary>
    /// <param name="upstream">The server.</param>
    /// <param name="decide">Says what happens to each request; called for one at a time.</param>
    /// <param name="way">To the server, where it wants a certificate.</param>
    /// <param name="certificate">Its own, to speak TLS; null for plain HTTP.</param>
    public static async Task<FaultProxy> Start(Uri upstream, Func<ProxiedRequest, ProxyFault> decide, HttpMessageHandler? way = null,
        X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (certificate is not null) listen.UseHttps(certificate);
            });
        });
        var app = builder.Build();
        var proxy = new FaultProxy(app, upstream, decide, way ?? new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
        });
        app.Run(proxy.Pass);
        await app.StartAsync();
        return proxy;
    }

    async Task Pass(HttpContext http)
    {
        var target = http.Features.Get<IHttpRequestFeature>()!.RawTarget;
        ProxyFault fault;
        lock (_closing) fault = _decide(new ProxiedRequest(Interlocked.Increment(ref _requests), http.Request.Method, target));
        if (fault != ProxyFault.None) Interlocked.Increment(ref _faults);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, _closing.Token);
        try
        {
            // The whole body first: who is still sending would see a reset instead of an answer.
            using var body = new MemoryStream();
            await http.Request.Body.CopyToAsync(body, end.Token);
            await Spoil(http, target, body.ToArray(), fault, end.Token);
        }
        catch (OperationCanceledException) { http.Abort(); }
        catch (Exception e) when (e is HttpRequestException or IOException) { http.Abort(); }
    }

    async Task Spoil(HttpContext http, string target, byte[] body, ProxyFault fault, CancellationToken ct)
    {
        switch (fault)
        {
            case ProxyFault.ServerError: http.Response.StatusCode = 500; return;
            case ProxyFault.Throttle:
                http.Response.StatusCode = 503;
                http.Response.Headers.RetryAfter = "0";
                return;
            case ProxyFault.ResetBefore: http.Abort(); return;
            case ProxyFault.Stall: await Task.Delay(Timeout.Infinite, ct); return;
            case ProxyFault.Late: await Task.Delay(Delay, ct); break;
            case ProxyFault.Duplicate: (await Send(http, target, body, ct)).Dispose(); break;
        }
        using var answer = await Send(http, target, body, ct);
        if (fault == ProxyFault.ResetAfter) { http.Abort(); return; }
        await Copy(http, answer, fault, ct);
    }

    async Task<HttpResponseMessage> Send(HttpContext http, string target, byte[] body, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(new HttpMethod(http.Request.Method), new Uri(_upstream, target));
        if (body.Length > 0 || http.Request.ContentLength is not null) request.Content = new ByteArrayContent(body);
        foreach (var (name, values) in http.Request.Headers)
        {
            if (NotPassed.Contains(name) || request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values)) continue;
            request.Content?.Headers.Remove(name);
            request.Content?.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
        }
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
    }

    static async Task Copy(HttpContext http, HttpResponseMessage answer, ProxyFault fault, CancellationToken ct)
    {
        var body = await answer.Content.ReadAsByteArrayAsync(ct);
        if (fault == ProxyFault.WrongByte && body.Length > 0) body[body.Length / 2] ^= 1;
        http.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.Concat(answer.Content.Headers))
            if (!NotPassed.Contains(name)) http.Response.Headers[name] = values.ToArray();
        if (http.Request.Method == "HEAD" || body.Length == 0) return;
        http.Response.ContentLength = body.Length;
        if (fault != ProxyFault.CutBody) { await http.Response.Body.WriteAsync(body, ct); return; }
        await http.Response.Body.WriteAsync(body.AsMemory(0, body.Length / 2), ct);
        await http.Response.Body.FlushAsync(ct);
        http.Abort();
    }

    /// <summary>Ends the requests under way and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _app.DisposeAsync();
        _http.Dispose();
        _closing.Dispose();
    }
}
