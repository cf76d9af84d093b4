using System.Text.RegularExpressions;
using BackupDr.Scheduler;
using BackupDr.Scheduler.Api;
using Microsoft.AspNetCore.Routing;

namespace BackupDr.Architecture.Tests;

/// <summary>The page of the HTTP API is compared with the routes of a node that is built and not started.</summary>
public sealed partial class EndpointTests
{
    [GeneratedRegex(@"^\| (GET|POST|PUT|DELETE) \| `(/[^`]*)` \|", RegexOptions.Multiline)]
    private static partial Regex Row { get; }

    static IEnumerable<string> OnPage => Row.Matches(SourceTree.File("docs/reference/api.md").Text)
        .Select(match => $"{match.Groups[1].Value} {match.Groups[2].Value}");

    [Fact]
    public async Task Every_endpoint_is_on_the_page_and_the_page_names_no_other()
    {
        var mapped = await Mapped();

        Rule.Holds(mapped.Except(OnPage).Select(route => $"not on the page: {route}")
            .Concat(OnPage.Except(mapped).Select(route => $"not mapped: {route}")));
    }

    static async Task<IReadOnlyList<string>> Mapped()
    {
        var settings = new NodeSettings { Database = new DatabaseOptions { ConnectionString = "Host=127.0.0.1;Username=nobody" } };
        await using var app = SchedulerNode.Create(settings);
        return [.. ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<EndpointHandler>() is not null)
            .Select(endpoint => $"{endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0]} "
                + $"{Shape(endpoint.RoutePattern.RawText!)}")];
    }

    // Constraints such as {id:guid} are the code's business.
    static string Shape(string route) => Regex.Replace("/" + route.Trim('/'), @"\{(\w+)[^}]*\}", "{$1}");
}
