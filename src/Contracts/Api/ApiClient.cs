using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace BackupDr.Contracts.Api;

/// <summary>Speaks the public API of one node with an API key.</summary>
public sealed partial class ApiClient : IDisposable
{
    static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(30);
    static readonly TimeSpan ExportTimeout = TimeSpan.FromMinutes(10);
    const string Root = "/api/v1/";
    readonly HttpClient _http;

    /// <param name="url">The console's address.</param>
    /// <param name="key">An API key.</param>
    public ApiClient(Uri url, Secret key)
    {
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ConnectTimeout =
            TimeSpan.FromSeconds(5)
        })
        { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key.Reveal());
    }

    /// <summary>Whether the node answers and may get requests.</summary>
    public async Task<bool> IsReady(CancellationToken ct)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri("/health/ready", UriKind.Relative), ct);
            return response.IsSuccessStatusCode;
        }
        catch (HttpRequestException) { return false; }
    }

    /// <summary>POST users.</summary>
    public Task<UserCreated> CreateUser(CreateUserRequest request, CancellationToken ct) =>
        Send(HttpMethod.Post, "users", request, WireJson.Default.CreateUserRequest, WireJson.Default.UserCreated, ct);
    /// <summary>POST join-tokens.</summary>
    public Task<JoinToken> CreateJoinToken(CreateJoinTokenRequest request, CancellationToken ct) =>
        Send(HttpMethod.Post, "join-tokens", request, WireJson.Default.CreateJoinTokenRequest, WireJson.Default.JoinToken, ct);
    /// <summary>GET hosts/{id}.</summary>
    public Task<Host> Host(HostId id, CancellationToken ct) => Get($"hosts/{id}", WireJson.Default.Host, ct);
    /// <summary>POST locations.</summary>
    public Task<Location> CreateLocation(CreateLocationRequest request, CancellationToken ct) =>
        Send(HttpMethod.Post, "locations", request, WireJson.Default.CreateLocationRequest, WireJson.Default.Location, ct);
    /// <summary>GET items.</summary>
    public Task<IReadOnlyList<Item>> Items(CancellationToken ct) => Get("items", WireJson.Default.IReadOnlyListItem, ct);
    /// <summary>POST policies.</summary>
    public Task<Policy> CreatePolicy(CreatePolicyRequest request, CancellationToken ct) =>
        Send(HttpMethod.Post, "policies", request, WireJson.Default.CreatePolicyRequest, WireJson.Default.Policy, ct);
    /// <summary>POST policies/{id}/run.</summary>
    public Task<RunsStarted> RunPolicy(PolicyId id, CancellationToken ct) => Send(HttpMethod.Post, $"policies/{id}/run",
        new RunPolicyRequest(id), WireJson.Default.RunPolicyRequest, WireJson.Default.RunsStarted, ct);
    /// <summary>GET runs of an item, newest first.</summary>
    public Task<RunPage> Runs(ItemId item, CancellationToken ct) => Get($"runs?item={item}&limit=50", WireJson.Default.RunPage, ct);
    /// <summary>GET runs/{id}.</summary>
    public Task<Run> Run(RunId id, CancellationToken ct) => Get($"runs/{id}", WireJson.Default.Run, ct);
    /// <summary>GET points/{id}.</summary>
    public Task<RecoveryPoint> Point(RecoveryPointId id, CancellationToken ct) => Get($"points/{id}", WireJson.Default.RecoveryPoint, ct);
    /// <summary>POST points/{id}/drill.</summary>
    public Task<RunStarted> Drill(RecoveryPointId id, CancellationToken ct) => Send(HttpMethod.Post, $"points/{id}/drill",
        new RequestDrillRequest(id), WireJson.Default.RequestDrillRequest, WireJson.Default.RunStarted, ct);
    /// <summary>POST repositories/{id}/reveal.</summary>
    public Task<RepositoryEscape> Reveal(RepositoryId id, CancellationToken ct)
        => Send(HttpMethod.Post, $"repositories/{id}/reveal", new RevealRepositoryPasswordRequest(id),
            WireJson.Default.RevealRepositoryPasswordRequest, WireJson.Default.RepositoryEscape, ct);

    /// <summary>GET nodes.</summary>
    public Task<IReadOnlyList<Node>> Nodes(CancellationToken ct) => Get("nodes", WireJson.Default.IReadOnlyListNode, ct);
    /// <summary>POST nodes/tokens.</summary>
    public Task<NodeToken> CreateNodeToken(CancellationToken ct) => Send(HttpMethod.Post, "nodes/tokens", new CreateNodeTokenRequest(),
        WireJson.Default.CreateNodeTokenRequest, WireJson.Default.NodeToken, ct);
    /// <summary>POST nodes/{name}/drain.</summary>
    public Task DrainNode(DrainNodeRequest request, CancellationToken ct) => Tell(HttpMethod.Post,
        $"nodes/{Uri.EscapeDataString(request.Name)}/drain", request, WireJson.Default.DrainNodeRequest, ct);
    /// <summary>DELETE nodes/{name}.</summary>
    public Task RemoveNode(string name, CancellationToken ct) => Tell(HttpMethod.Delete, $"nodes/{Uri.EscapeDataString(name)}",
        new RemoveNodeRequest(name), WireJson.Default.RemoveNodeRequest, ct);

    /// <summary>GET evidence/export, written as it comes. On an exception <paramref name="into"/> holds a part that does not
    /// verify.</summary>
    public Task ExportEvidence(ExportEvidenceRequest request, Stream into, CancellationToken ct)
    {
        var period = string.Join('&', new[] { ("since", request.Since), ("until", request.Until) }.Where(one => one.Item2 is not null)
            .Select(one => $"{one.Item1}={Uri.EscapeDataString(one.Item2!.Value.ToString("O"))}"));
        return Stream($"evidence/export?{period}", "evidence", into, ct);
    }

    async Task Stream(string path, string what, Stream into, CancellationToken ct, HttpMethod? method = null)
    {
        using var message = new HttpRequestMessage(method ?? HttpMethod.Get, new Uri(Root + path, UriKind.Relative));
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(ExportTimeout);
        try
        {
            using var response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, late.Token);
            if (!response.IsSuccessStatusCode)
                throw Problem(response.StatusCode, await response.Content.ReadAsByteArrayAsync(late.Token));
            await response.Content.CopyToAsync(into, late.Token);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new UnavailableException("node.unreachable",
                $"The node at {_http.BaseAddress} did not send its {what} within {ExportTimeout.TotalMinutes:0} minutes.", inner: e);
        }
        catch (HttpRequestException e)
        {
            throw new UnavailableException("node.unreachable", $"The node at {_http.BaseAddress} cannot be reached: {e.Message}",
                "Check the address and whether the node runs.", e);
        }
    }

    Task<T> Get<T>(string path, JsonTypeInfo<T> shape, CancellationToken ct) =>
        Call(new HttpRequestMessage(HttpMethod.Get, new Uri(Root + path, UriKind.Relative)), shape, ct);

    Task<T> Send<TRequest, T>(HttpMethod method, string path, TRequest request, JsonTypeInfo<TRequest> requestShape, JsonTypeInfo<T> shape,
        CancellationToken ct)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request, requestShape));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return Call(new HttpRequestMessage(method, new Uri(Root + path, UriKind.Relative)) { Content = content }, shape, ct);
    }

    /// <summary>A call that is answered with nothing.</summary>
    Task Tell<TRequest>(HttpMethod method, string path, TRequest request, JsonTypeInfo<TRequest> shape, CancellationToken ct)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(request, shape));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return Exchange(new HttpRequestMessage(method, new Uri(Root + path, UriKind.Relative)) { Content = content }, _ => true, ct);
    }

    Task<T> Call<T>(HttpRequestMessage message, JsonTypeInfo<T> shape, CancellationToken ct) => Exchange(message, body =>
        JsonSerializer.Deserialize(body, StoredJson.Of(shape)) ?? throw new UnavailableException("node.failed",
            $"The node at {_http.BaseAddress} answered with nothing."), ct);

    async Task<T> Exchange<T>(HttpRequestMessage message, Func<byte[], T> read, CancellationToken ct)
    {
        using var request = message;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(CallTimeout);
        try
        {
            using var response = await _http.SendAsync(request, late.Token);
            var body = await response.Content.ReadAsByteArrayAsync(late.Token);
            if (!response.IsSuccessStatusCode) throw Problem(response.StatusCode, body);
            return read(body);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new UnavailableException("node.unreachable",
            $"The node at {_http.BaseAddress} did not answer within {CallTimeout.TotalSeconds:0} seconds.", inner: e);
        }
        catch (HttpRequestException e)
        {
            throw new UnavailableException("node.unreachable",
            $"The node at {_http.BaseAddress} cannot be reached: {e.Message}", "Check the address and whether the node runs.", e);
        }
        catch (JsonException e)
        {
            throw new UnavailableException("node.failed",
            $"The node at {_http.BaseAddress} answered with something that is no answer: {e.Message}", inner: e);
        }
    }

    BackupDrException Problem(HttpStatusCode status, byte[] body)
    {
        ApiProblem? problem = null;
        try { problem = JsonSerializer.Deserialize(body, WireJson.Default.ApiProblem); }
        catch (JsonException) { problem = null; }   // a balancer's page: the status alone counts
        var title = problem?.Title is { Length: > 0 } text ? text : $"The node at {_http.BaseAddress} answered with HTTP {(int)status}.";
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
