using System.Collections.Concurrent;

namespace BackupDr.TestKit.Servers;

/// <summary>The way to an Azure emulator, which thaws in an instant, as if it took hours: what asks for the move of a blob out of the
/// archive is kept back, and until <see cref="Finish"/> the blob is told to be under way.</summary>
public sealed class SlowThaw() : DelegatingHandler(Way)
{
    static SocketsHttpHandler Way => new() { AllowAutoRedirect = false, UseCookies = false, UseProxy = false };

    readonly ConcurrentDictionary<string, HttpRequestMessage> _kept = [];
    readonly ConcurrentBag<string> _asked = [];

    /// <summary>The blobs that a thaw was asked for, as often as it was.</summary>
    public IReadOnlyCollection<string> Asked => _asked;

    /// <summary>All that was asked for is thawed now.</summary>
    public async Task Finish()
    {
        foreach (var (path, request) in _kept)
        {
            using var answer = await base.SendAsync(request, CancellationToken.None);
            answer.EnsureSuccessStatusCode();
            _kept.TryRemove(path, out _);
        }
    }

    /// <inheritdoc/>
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var path = request.RequestUri!.AbsolutePath;
        if (request.RequestUri.Query.Contains("comp=tier", StringComparison.Ordinal)
            && request.Headers.TryGetValues("x-ms-access-tier", out var tier) && tier.Contains("Hot"))
        {
            _asked.Add(path);
            _kept[path] = await Copy(request, cancellationToken);
            return new HttpResponseMessage(System.Net.HttpStatusCode.Accepted) { RequestMessage = request };
        }
        var answer = await base.SendAsync(request, cancellationToken);
        if (request.Method == HttpMethod.Head && _kept.ContainsKey(path))
            answer.Headers.TryAddWithoutValidation("x-ms-archive-status", "rehydrate-pending-to-hot");
        return answer;
    }

    // A signature holds for a quarter of an hour.
    static async Task<HttpRequestMessage> Copy(HttpRequestMessage request, CancellationToken ct)
    {
        var copy = new HttpRequestMessage(request.Method, request.RequestUri);
        foreach (var (name, values) in request.Headers) copy.Headers.TryAddWithoutValidation(name, values);
        if (request.Content is not { } content) return copy;
        copy.Content = new ByteArrayContent(await content.ReadAsByteArrayAsync(ct));
        foreach (var (name, values) in content.Headers) copy.Content.Headers.TryAddWithoutValidation(name, values);
        return copy;
    }
}
