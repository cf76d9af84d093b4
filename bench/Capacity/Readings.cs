using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace BackupDr.Capacity;

/// <summary>All that can be read of an installation: what the API's own description lists, and the pages to which the console's links
/// lead.</summary>
/// <remarks>Both are found, not written down here: a page or list that is added is measured without anybody thinking of it.</remarks>
static partial class Readings
{
    const int MostPages = 200;

    // Whole files and endless streams are no lists.
    static readonly string[] LeftOut = ["/export", "/live"];

    /// <summary>Every GET of the API, each with an object that is there, and once more with each filter.</summary>
    /// <param name="http">Signed in.</param>
    /// <param name="ids">An id for the path's part before it: "hosts" gives "host_…".</param>
    /// <param name="filters">Queries of a list, by its path.</param>
    /// <param name="ct">Cancels.</param>
    public static async Task<(List<string> Paths, List<string> Unknown)> OfApi(HttpClient http, IReadOnlyDictionary<string, string> ids,
        IReadOnlyDictionary<string, string[]> filters, CancellationToken ct)
    {
        using var document = JsonDocument.Parse(await http.GetStringAsync(new Uri("/api/v1/openapi.json", UriKind.Relative), ct));
        var (paths, unknown) = (new List<string>(), new List<string>());
        foreach (var path in document.RootElement.GetProperty("paths").EnumerateObject())
        {
            if (!path.Value.TryGetProperty("get", out var get)
                || LeftOut.Any(end => path.Name.EndsWith(end, StringComparison.Ordinal))) continue;
            var known = IdPlace().Replace(path.Name, place => ids.GetValueOrDefault(place.Groups[1].Value) is { } id
                ? $"/{place.Groups[1].Value}/{id}" : place.Value);
            var needs = get.TryGetProperty("parameters", out var parameters) ? parameters.EnumerateArray().Where(one
                => one.GetProperty("in").GetString() == "query" && one.TryGetProperty("required", out var must) && must.GetBoolean())
                .Select(one => one.GetProperty("name").GetString()!).ToList() : [];
            if (known.Contains('{', StringComparison.Ordinal)) unknown.Add(path.Name);
            else paths.Add(needs.Count == 0 ? known : $"{known}?{string.Join('&', needs.Select(name
                => $"{name}={ids.GetValueOrDefault($"{name}s") ?? "1"}"))}");
            paths.AddRange(filters.GetValueOrDefault(path.Name, []).Select(query => $"{known}?{query}"));
        }
        return (paths, unknown);
    }

    /// <summary>Every page to which links lead from the first one; of pages that differ only in the object they are about, one.</summary>
    public static async Task<List<string>> OfConsole(HttpClient http, CancellationToken ct)
    {
        var (seen, waiting, pages) = (new HashSet<string> { "/" }, new Queue<string>(["/"]), new List<string>());
        while (waiting.TryDequeue(out var page) && pages.Count < MostPages)
        {
            using var response = await http.GetAsync(new Uri(page, UriKind.Relative), ct);
            if (!response.IsSuccessStatusCode || response.Content.Headers.ContentType?.MediaType != "text/html") continue;
            pages.Add(page);
            foreach (Match link in Link().Matches(await response.Content.ReadAsStringAsync(ct)))
            {
                var to = WebUtility.HtmlDecode(link.Groups[1].Value);
                if (!to.StartsWith("//", StringComparison.Ordinal) && !to.StartsWith("/api/", StringComparison.Ordinal)
                    && seen.Add(Shape(to))) waiting.Enqueue(to);
            }
        }
        return pages;
    }

    /// <summary>What is alike of pages that differ only in their object, day or text.</summary>
    static string Shape(string to) => Value().Replace(Id().Replace(to, "{id}"), "=");

    [GeneratedRegex("<a [^>]*?href=\"(/[^\"#]*)")]
    private static partial Regex Link();

    [GeneratedRegex("[a-z]+_[0-9a-f]{32}")]
    private static partial Regex Id();

    [GeneratedRegex("=(?:[^&]*[^A-Za-z&][^&]*)")]
    private static partial Regex Value();

    [GeneratedRegex("/([a-z-]+)/\\{[a-z]+\\}")]
    private static partial Regex IdPlace();
}
