using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts.Api;

namespace BackupDr.Contracts.Agents;

/// <summary>Speaks the agent protocol to one node. Trusts exactly one authority: by its certificate, or before joining by its
/// fingerprint.</summary>
public sealed class AgentApiClient : IDisposable
{
    // A node that vanished without a word is left within 15 seconds, also by those that wait in a long poll.
    static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(4), CallTimeout = TimeSpan.FromSeconds(20),
        PollSlack = TimeSpan.FromSeconds(4), ReportTimeout = TimeSpan.FromSeconds(5);
    /// <summary>Whoever joins has one address and nobody else to ask, and the node may just have started.</summary>
    static readonly TimeSpan JoiningTimeout = TimeSpan.FromSeconds(15);
    // A node that came gets its share because the others end connections; this is for balancers that change without their knowing.
    static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);
    const int KeepAliveSeconds = 4, KeepAlivePause = 2, KeepAliveTries = 3;
    const string ServerAuth = "1.3.6.1.5.5.7.3.1";

    readonly HttpClient _http;
    readonly Uri _url;
    readonly Action<AgentApiClient>? _failed;

    AgentApiClient(Uri url, X509Certificate2 authority, X509Certificate2? certificate, Action<AgentApiClient>? failed = null)
    {
        (_url, _failed) = (url, failed);
        _http = Connect(url, leaf => IsTrusted(leaf, authority), certificate);
    }

    static HttpClient Connect(Uri url, Func<X509Certificate2, bool> isTrusted, X509Certificate2? certificate)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = certificate is null ? JoiningTimeout : ConnectTimeout,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            PooledConnectionLifetime = ConnectionLifetime,
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            ConnectCallback = OpenWatched,
        };
        handler.SslOptions.RemoteCertificateValidationCallback = (_, presented, _, _) => presented is X509Certificate2 leaf
            && isTrusted(leaf);
        if (certificate is not null) handler.SslOptions.ClientCertificates = [certificate];
        return new HttpClient(handler) { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>A connection whose other end is asked whether it is still there while nothing is said.</summary>
    static async ValueTask<Stream> OpenWatched(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAlivePause);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveTries);
            await socket.ConnectAsync(context.DnsEndPoint, ct);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>The node's address.</summary>
    public Uri Url => _url;

    /// <summary>For a host that has joined.</summary>
    /// <param name="url">Address of the agents' listener.</param>
    /// <param name="authority">The authority's certificate, as join gave it.</param>
    /// <param name="certificate">The agent's certificate with its key.</param>
    /// <param name="failed">Told when this node cannot be reached, or says that it cannot serve now, or no more.</param>
    public static AgentApiClient Joined(Uri url, X509Certificate2 authority, X509Certificate2 certificate,
        Action<AgentApiClient>? failed = null) => new(url, authority, certificate, failed);

    /// <summary>For joining: only the authority's fingerprint is known, so its certificate is fetched first. Nothing else is sent or
    /// believed on that connection.</summary>
    /// <param name="url">Address of the agents' listener.</param>
    /// <param name="fingerprint">SHA-256 of the authority's certificate, 64 hex characters, from the token.</param>
    /// <param name="ct">Cancels.</param>
    /// <exception cref="DeniedException">The node has another authority than the token's.</exception>
    /// <exception cref="UnavailableException">There is no node at this address.</exception>
    public static async Task<AgentApiClient> Joining(Uri url, string fingerprint, CancellationToken ct)
    {
        using var http = Connect(url, _ => true, null);
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(CallTimeout);
        try
        {
            var pem = await http.GetStringAsync(new Uri($"{AgentProtocol.Root}/authority", UriKind.Relative), late.Token);
            var authority = X509Certificate2.CreateFromPem(pem);
            if (string.Equals(Convert.ToHexStringLower(SHA256.HashData(authority.RawData)), fingerprint,
                StringComparison.Ordinal)) return new AgentApiClient(url, authority, null);
            authority.Dispose();
            throw new DeniedException($"The node at {url} is not the one that made this token: its authority has another fingerprint.",
                "Check the address, and that nobody sits in between.");
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new UnavailableException("node.unreachable",
            $"The node at {url} did not answer within {CallTimeout.TotalSeconds:0} seconds.", "Check the address and the way there.", e);
        }
        catch (HttpRequestException e)
        {
            throw new UnavailableException("node.unreachable",
            $"The node at {url} cannot be reached: {e.InnerException?.Message ?? e.Message}", "Check the address and the way there.", e);
        }
        catch (CryptographicException e)
        {
            throw new UnavailableException("node.failed",
            $"The node at {url} answered with something that is no certificate.",
            "Check that this is the agents' address, not the console's.", e);
        }
    }

    /// <summary>The presented certificate must be signed by the one authority; names are not compared, because every listener of the
    /// installation shares one key.</summary>
    static bool IsTrusted(X509Certificate2 leaf, X509Certificate2 authority)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerAuth));
        return chain.Build(leaf);
    }

    /// <summary>Turns a token into an identity.</summary>
    public Task<JoinAnswer> Join(JoinRequest request, CancellationToken ct) => Call("join", request, WireJson.Default.JoinRequest,
        WireJson.Default.JoinAnswer, CallTimeout, ct)!;

    /// <summary>Fetches what a further node needs.</summary>
    public Task<JoinNodeAnswer> JoinNode(JoinNodeRequest request, CancellationToken ct) => Call("nodes/join", request,
        WireJson.Default.JoinNodeRequest, WireJson.Default.JoinNodeAnswer, CallTimeout, ct)!;

    /// <summary>Renews the certificate.</summary>
    public Task<RenewAnswer> Renew(RenewRequest request, CancellationToken ct) =>
        Call("renew", request, WireJson.Default.RenewRequest, WireJson.Default.RenewAnswer, CallTimeout, ct)!;

    /// <summary>Long poll; null where there is nothing.</summary>
    public Task<LeaseAnswer?> Lease(LeaseRequest request, CancellationToken ct)
        => Call("lease", request, WireJson.Default.LeaseRequest, WireJson.Default.LeaseAnswer, PollSlack
            + TimeSpan.FromSeconds(request.WaitSeconds), ct);

    /// <summary>Progress and events. Given up after a few seconds, so that another node can be told in time.</summary>
    /// <exception cref="ConflictException">"run.lease_lost".</exception>
    public Task<ReportAnswer> Report(ReportRequest request, CancellationToken ct) =>
        Call("report", request, WireJson.Default.ReportRequest, WireJson.Default.ReportAnswer, ReportTimeout, ct)!;

    /// <summary>The end of a run.</summary>
    /// <exception cref="ConflictException">"run.lease_lost".</exception>
    public Task Complete(CompleteRequest request, CancellationToken ct) => Call("complete", request, WireJson.Default.CompleteRequest,
        WireJson.Default.ReportAnswer, CallTimeout, ct);

    /// <summary>What was found on the host.</summary>
    public Task Inventory(InventoryRequest request, CancellationToken ct) => Call("inventory", request, WireJson.Default.InventoryRequest,
        WireJson.Default.ReportAnswer, CallTimeout, ct);

    /// <summary>How the duties go, and which there are.</summary>
    public Task<DutiesAnswer> Duties(DutiesRequest request, CancellationToken ct) => Call("duties", request,
        WireJson.Default.DutiesRequest, WireJson.Default.DutiesAnswer, CallTimeout, ct)!;

    /// <summary>What was done alone, and what may be.</summary>
    public Task<AloneAnswer> Alone(AloneRequest request, CancellationToken ct) => Call("alone", request, WireJson.Default.AloneRequest,
        WireJson.Default.AloneAnswer, CallTimeout, ct)!;

    /// <summary>The answer to a question.</summary>
    public Task Answer(RequestId id, AgentRequestAnswer answer, CancellationToken ct) =>
        Call($"requests/{id}", answer, WireJson.Default.AgentRequestAnswer, WireJson.Default.ReportAnswer, CallTimeout, ct);

    async Task<TAnswer?> Call<TRequest, TAnswer>(string path, TRequest request, JsonTypeInfo<TRequest> requestShape,
        JsonTypeInfo<TAnswer> answerShape, TimeSpan timeout, CancellationToken ct) where TAnswer : class
    {
        try { return await Send(path, request, requestShape, answerShape, timeout, ct); }
        catch (BackupDrException e) when (e is UnavailableException || e.Code == AgentProtocol.Superseded)
        {
            _failed?.Invoke(this);
            throw;
        }
    }

    async Task<TAnswer?> Send<TRequest, TAnswer>(string path, TRequest request, JsonTypeInfo<TRequest> requestShape,
        JsonTypeInfo<TAnswer> answerShape, TimeSpan timeout, CancellationToken ct) where TAnswer : class
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(timeout);
        try
        {
            using var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request, requestShape));
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await _http.PostAsync(new Uri($"{AgentProtocol.Root}/{path}", UriKind.Relative), content, late.Token);
            if (response.StatusCode == HttpStatusCode.NoContent) return null;
            var body = await response.Content.ReadAsByteArrayAsync(late.Token);
            if (!response.IsSuccessStatusCode) throw Problem(response.StatusCode, body);
            return JsonSerializer.Deserialize(body, StoredJson.Of(answerShape));
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw Away($"did not answer within "
            + $"{timeout.TotalSeconds:0} seconds", e);
        }
        catch (HttpRequestException e) when (e.InnerException is System.Security.Authentication.AuthenticationException)
        {
            throw new DeniedException($"The node at {_url} is not the one that this host belongs to: its certificate is of another "
                + $"authority, or it refuses ours.",
                "Check the address, and that nobody sits in between. A retired host must join again.");
        }
        catch (HttpRequestException e) { throw Away(e.InnerException?.Message ?? e.Message, e); }
        catch (JsonException e) { throw Away($"answered with something that is no answer ({e.Message})", e); }
    }

    UnavailableException Away(string what, Exception inner) => new("node.unreachable", $"The node at {_url} cannot be reached: {what}",
        "It is tried again by itself; check the address and the way there if it lasts.", inner);

    BackupDrException Problem(HttpStatusCode status, byte[] body)
    {
        ApiProblem? problem = null;
        try { problem = JsonSerializer.Deserialize(body, WireJson.Default.ApiProblem); }
        catch (JsonException) { problem = null; }   // a balancer's page: the status alone counts
        var title = problem?.Title is { Length: > 0 } text ? text : $"The node at {_url} answered with HTTP {(int)status}.";
        return (int)status switch
        {
            401 or 403 => new DeniedException(title, problem?.Hint),
            409 => new ConflictException(problem?.Code ?? "conflict", title, problem?.Hint),
            >= 400 and < 500 and not 408 and not 429 => new BadInputException(problem?.Field ?? "request", title, problem?.Hint),
            _ => new UnavailableException(problem?.Code is { Length: > 0 } code ? code : "node.failed", title, problem?.Hint),
        };
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _http.Dispose();
}
