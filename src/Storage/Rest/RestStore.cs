using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Storage.Http;
using BackupDr.Storage.Layers;

namespace BackupDr.Storage.Rest;

/// <summary>Objects behind an HTTP server: our gateway, or any server of restic's REST protocol (version 2).</summary>
/// <remarks>
/// The gateway says that it is one in a header and takes every object by its whole name, with a condition; another server has restic's
/// kinds of objects alone, so that our own notes (garbage collection) cannot be kept there, and answers "forbidden" for an object that
/// exists already.
/// </remarks>
public sealed class RestStore : IObjectStore
{
    /// <summary>The header by which a gateway is known.</summary>
    public const string GatewayHeader = "X-BackupDr-Gateway";

    /// <summary>The media type of a listing with sizes.</summary>
    public const string ListingType = "application/vnd.x.restic.rest.v2";

    /// <summary>Path, below the repository's, of objects by their whole names.</summary>
    public const string WholeNames = "objects";

    readonly RestAddress _address;
    readonly StoreOptions _options;
    readonly Lock _renewing = new();
    readonly List<HttpClient> _former = [];
    HttpClient _http;
    string? _shown;   // thumbprint of the certificate that the connections were made with
    readonly TimeSpan _patience;
    readonly AuthenticationHeaderValue? _authorization;
    bool? _isGateway;
    volatile bool _isMade;   // the repository's folders are there, on a server that wants them made

    /// <param name="address">Where.</param>
    /// <param name="options">Certificates and retries.</param>
    /// <param name="stallPatience">Longest time without a byte; <see cref="Stall.Patience"/> where null.</param>
    /// <exception cref="BadInputException">A certificate cannot be used.</exception>
    public RestStore(RestAddress address, StoreOptions options, TimeSpan? stallPatience = null)
    {
        (_address, _options, _patience) = (address, options, stallPatience ?? Stall.Patience);
        (_http, _shown) = (StoreHttp.Open(options), options.ClientCertificate?.Invoke().Thumbprint);
        if (address.User is { } user)
            _authorization = new AuthenticationHeaderValue("Basic",
                Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{address.Password}")));
    }

    /// <inheritdoc/>
    public string Url => _address.ToString();

    /// <inheritdoc/>
    public int RequestsAtOnce => StoreHttp.RequestsAtOnce;

    /// <inheritdoc/>
    public StoreAbilities Abilities => StoreAbilities.ConditionalPut;

    /// <inheritdoc/>
    public async Task Put(ObjectName name, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        var path = await Path(name, "put", ct) ?? throw new StoreException(StoreFault.Unusable,
            $"put {name} in {Url}: a plain REST server keeps restic's own objects only.",
            "Prune with stock restic there, or use a gateway, S3 or a folder.");
        if (_isGateway == false && !_isMade) await MakeRepository(ct);
        var existed = await Guarded($"put {name}", ct, async stall =>
        {
            using var request = Request(HttpMethod.Post, path);
            if (_isGateway == true) request.Headers.IfNoneMatch.Add(EntityTagHeaderValue.Any);
            request.Content = new StreamContent(new BodyStream(content, stall), 256 << 10);
            request.Content.Headers.ContentLength = content.Length;
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            using var answer = await _http.SendAsync(request, stall.Token);
            // A plain server says "forbidden" both for what exists and for what is not allowed.
            if (_isGateway == false && answer.StatusCode == HttpStatusCode.Forbidden && await SizeOf(path, stall) is not null) return true;
            await MustSucceed($"put {name}", answer, stall.Token);
            return false;
        });
        if (existed) throw new StoreException(StoreFault.Exists, $"put {name} in {Url}: there is an object of that name already.");
    }

    /// <inheritdoc/>
    public async Task Read(ObjectName name, long offset, Memory<byte> target, CancellationToken ct)
    {
        if (target.IsEmpty)
        {
            var size = (await Head(name, ct))?.SizeBytes ?? throw Missing(name);
            if (offset > size) throw Short(name, offset, 0, 0);
            return;
        }
        var path = await Path(name, "read", ct) ?? throw Missing(name);
        var filled = await Guarded($"read {name}", ct, async stall =>
        {
            using var request = Request(HttpMethod.Get, path);
            request.Headers.Range = new RangeHeaderValue(offset, checked(offset + target.Length - 1));
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token);
            await MustSucceed($"read {name}", answer, stall.Token);
            if (answer.StatusCode != HttpStatusCode.PartialContent || answer.Content.Headers.ContentRange?.From != offset)
                throw new StoreException(StoreFault.Unusable, $"read {name} in {Url}: the server does not honour ranges.");
            await using var body = await answer.Content.ReadAsStreamAsync(stall.Token);
            var done = 0;
            while (done < target.Length)
            {
                var count = await body.ReadAsync(target[done..], stall.Token);
                if (count == 0) break;
                done += count;
                stall.Moved();
            }
            return done;
        });
        if (filled < target.Length) throw Short(name, offset, target.Length, filled);
    }

    /// <inheritdoc/>
    public async Task<StoredObject?> Head(ObjectName name, CancellationToken ct)
    {
        if (await Path(name, "look at", ct) is not { } path) return null;
        return await Guarded<StoredObject?>($"look at {name}", ct, async stall =>
            await SizeOf(path, stall) is { } size ? new StoredObject(name, size) : null);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> List(string folder, [EnumeratorCancellation] CancellationToken ct)
    {
        if (folder.Length > 0 && !ObjectName.IsLegal(folder))
            throw new ArgumentException($"'{folder}' is not a folder name.", nameof(folder));
        await NeedDialect("list", ct);
        if (_isGateway == true)
        {
            foreach (var found in await Listing($"{WholeNames}/?folder={folder}", ct))
                if (ObjectName.IsLegal(found.Name)) yield return new StoredObject(new ObjectName(found.Name), found.Size);
            yield break;
        }
        if (folder.Length == 0 && await Head(new ObjectName("config"), ct) is { } config) yield return config;
        var kinds = folder.Length == 0 ? RestNames.Kinds : RestNames.Kinds.Where(kind => folder.Split('/')[0] == kind);
        foreach (var kind in kinds)
            foreach (var found in await Listing($"{kind}/", ct))
                if (RestNames.TryName(kind, found.Name, out var name)
                    && (folder.Length == 0 || name.Value.StartsWith(folder + "/", StringComparison.Ordinal)))
                    yield return new StoredObject(name, found.Size);
    }

    /// <inheritdoc/>
    public async Task<bool> Delete(ObjectName name, CancellationToken ct)
    {
        if (await Path(name, "delete", ct) is not { } path) return false;
        return await Guarded($"delete {name}", ct, async stall =>
        {
            using var request = Request(HttpMethod.Delete, path);
            using var answer = await _http.SendAsync(request, stall.Token);
            if (answer.StatusCode == HttpStatusCode.NotFound) return false;
            await MustSucceed($"delete {name}", answer, stall.Token);
            return true;
        });
    }

    /// <summary>Ends the connections.</summary>
    public ValueTask DisposeAsync()
    {
        foreach (var former in _former) former.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    async Task<string?> Path(ObjectName name, string verb, CancellationToken ct)
    {
        await NeedDialect($"{verb} {name}", ct);
        return _isGateway == true ? $"{WholeNames}/{name}" : RestNames.TryPath(name, out var path) ? path : null;
    }

    async ValueTask NeedDialect(string what, CancellationToken ct) => _isGateway ??= await Guarded(what, ct, async stall =>
    {
        using var request = Request(HttpMethod.Get, "config");   // not HEAD, whose answer cannot say why it is refused
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token);
        // A server that fails for a moment, or does not know us, may still be a gateway.
        if (answer.StatusCode != HttpStatusCode.NotFound) await MustSucceed(what, answer, stall.Token);
        _isMade = answer.IsSuccessStatusCode;
        return answer.Headers.Contains(GatewayHeader);
    });

    Task<bool> MakeRepository(CancellationToken ct) => Guarded("make the repository's folders", ct, async stall =>
    {
        using var request = Request(HttpMethod.Post, "?create=true");
        using var answer = await _http.SendAsync(request, stall.Token);
        await MustSucceed("make the repository's folders", answer, stall.Token);
        return _isMade = true;
    });

    async Task<long?> SizeOf(string path, Stall stall)
    {
        using var request = Request(HttpMethod.Head, path);
        using var answer = await _http.SendAsync(request, stall.Token);
        if (answer.StatusCode == HttpStatusCode.NotFound) return null;
        await MustSucceed($"look at {path}", answer, stall.Token);
        return answer.Content.Headers.ContentLength
            ?? throw new StoreException(StoreFault.Unusable, $"look at {path} in {Url}: the server does not tell the size.");
    }

    // A listing is one answer; it is asked for again as a whole until the patience ends, and a kind without a folder is empty.
    Task<List<RestListed>> Listing(string path, CancellationToken ct) => Retries.Run(() => Guarded($"list {path}", ct, async stall =>
    {
        using var request = Request(HttpMethod.Get, path);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(ListingType));
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, stall.Token);
        if (answer.StatusCode == HttpStatusCode.NotFound && _isGateway == false) return [];
        await MustSucceed($"list {path}", answer, stall.Token);
        if (answer.Content.Headers.ContentType?.MediaType != ListingType)
            throw new StoreException(StoreFault.Unusable, $"list {path} in {Url}: the server speaks version 1 of the protocol.",
                "Use a REST server from 2018 or later.");
        await using var body = await answer.Content.ReadAsStreamAsync(stall.Token);
        var found = new List<RestListed>();
        await foreach (var one in JsonSerializer.DeserializeAsyncEnumerable(body, RestJson.Default.RestListed, stall.Token))
        {
            stall.Moved();
            found.Add(one ?? throw new StoreException(StoreFault.Unusable, $"list {path} in {Url}: an entry is null."));
        }
        return found;
    }), _options.Retry, _options.Clock, ct);

    HttpRequestMessage Request(HttpMethod verb, string path)
    {
        var request = new HttpRequestMessage(verb, new Uri(_address.Base, path));
        request.Headers.Authorization = _authorization;
        return request;
    }

    async Task MustSucceed(string what, HttpResponseMessage answer, CancellationToken ct)
    {
        if (answer.IsSuccessStatusCode) return;
        var failure = await RestErrors.Of($"{what} in {Url}", answer, ct);
        throw answer.StatusCode == HttpStatusCode.Unauthorized && HasNewCertificate()
            ? new StoreException(StoreFault.Unavailable, $"{what} in {Url}: our certificate was renewed meanwhile.", null, failure)
            : failure;
    }

    /// <summary>Connections keep the certificate that they were made with; a renewed one needs new connections.</summary>
    bool HasNewCertificate()
    {
        if (_options.ClientCertificate is not { } current) return false;
        lock (_renewing)
        {
            var now = current().Thumbprint;
            if (now == _shown) return false;
            _former.Add(_http);   // requests of others may still be under way on it
            (_http, _shown) = (StoreHttp.Open(_options), now);
            return true;
        }
    }

    [SuppressMessage("Design", "CA1068", Justification = "The request is many lines long and reads as a block only where it stands last.")]
    Task<T> Guarded<T>(string what, CancellationToken ct, Func<Stall, Task<T>> request)
        => Stall.Guard($"{what} in {Url}", _options.Clock, _patience, request, static (tried, e) => e switch
        {
            JsonException => new StoreException(StoreFault.Unavailable, $"{tried}: the answer is cut or no JSON: {e.Message}", null, e),
            HttpRequestException or IOException => NoAnswer.Translate(tried, e),
            _ => null,
        }, ct);

    StoreException Missing(ObjectName name) => new(StoreFault.Missing, $"read {name} in {Url}: there is no such object.");

    StoreException Short(ObjectName name, long offset, int wanted, int filled) => new(StoreFault.ShortRead,
        $"read {name} in {Url}: wanted {wanted} bytes from offset {offset}, but the object ends after {offset + filled}.");
}
