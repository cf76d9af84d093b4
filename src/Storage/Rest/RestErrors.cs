using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace BackupDr.Storage.Rest;

/// <summary>The store's words for what a REST server answered.</summary>
static class RestErrors
{
    const int LongestTitle = 500;

    /// <summary>What a refused request means. Its body is read where it is a problem in JSON (RFC 9457), as our gateway sends it.</summary>
    public static async Task<StoreException> Of(string what, HttpResponseMessage answer, CancellationToken ct)
    {
        var (fault, hint) = Of(answer.StatusCode);
        var problem = await Problem(answer, ct);
        var text = problem.Title is { Length: > 0 } title ? title[..Math.Min(title.Length, LongestTitle)]
            : $"the server answered {(int)answer.StatusCode} {answer.ReasonPhrase}";
        return new StoreException(fault, $"{what}: {text.TrimEnd('.')}.", problem.Hint ?? hint)
        {
            RetryAfter = answer.Headers.RetryAfter switch
            {
                { Delta: { } delta } => delta,
                { Date: { } date } => date - (answer.Headers.Date ?? date),
                _ => null,
            },
        };
    }

    static (StoreFault, string?) Of(HttpStatusCode status) => (int)status switch
    {
        401 => (StoreFault.Denied, "Check user and password: rest:https://user:password@host/path/."),
        403 => (StoreFault.Denied, "The server does not allow this; it may be append-only."),
        404 => (StoreFault.Missing, null),
        409 or 412 => (StoreFault.Exists, null),
        413 => (StoreFault.Unusable, "Choose smaller packs, or a larger limit on the server."),
        416 => (StoreFault.ShortRead, null),
        429 => (StoreFault.Throttled, null),
        507 => (StoreFault.Full, "Raise the quota, or free space on the server."),
        408 or >= 500 => (StoreFault.Unavailable, null),
        _ => (StoreFault.Unusable, "Check that a REST server for restic is at this address."),
    };

    static async Task<(string? Title, string? Hint)> Problem(HttpResponseMessage answer, CancellationToken ct)
    {
        if (answer.Content.Headers.ContentType?.MediaType != "application/problem+json") return default;
        try
        {
            var found = await answer.Content.ReadFromJsonAsync(RestJson.Default.RestProblem, ct);
            return (found?.Title, found?.Hint);
        }
        catch (Exception e) when (e is JsonException or HttpRequestException or IOException) { return default; }   // the status says enough
    }
}
