using System.Text;
using BackupDr.Scheduler;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;
using Microsoft.AspNetCore.Routing;

namespace BackupDr.Architecture.Tests;

/// <summary>docs/reference/roles.md is made from the table of roles and the routes of a node that is built and not started.</summary>
public sealed class RolesPageTests
{
    const string Regenerate = "BACKUPDR_WRITE_DOCS", Page = "docs/reference/roles.md";

    const string Beginning = """
        # Roles and operations

        What each role may call. Every role of people signs in and changes its own password. This page is made from the tables in
        `src/Scheduler/Access` (`Roles.cs`, `Rights.cs`) and the routes of a node; one test keeps it so,
            another calls every operation as every
        role. A role may count for [a part of the fleet](../operate/access.md#only-for-a-part-of-the-fleet) only.

        """;

    [Fact]
    public async Task The_page_of_roles_is_what_the_tables_say()
    {
        var made = await Make();
        var file = Path.Combine(SourceTree.Root, Page);
        if (Environment.GetEnvironmentVariable(Regenerate) == "1") await File.WriteAllTextAsync(file, made);

        Assert.True(File.Exists(file) && await File.ReadAllTextAsync(file) == made,
            $"{Page} is stale. Run this test with {Regenerate}=1 in the environment; it writes the page.");
    }

    static async Task<string> Make()
    {
        var settings = new NodeSettings { Database = new DatabaseOptions { ConnectionString = "Host=127.0.0.1;Username=nobody" } };
        await using var app = SchedulerNode.Create(settings);
        var operations = ((IEndpointRouteBuilder)app).DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.RoutePattern.RawText!.TrimStart('/').StartsWith("api/v1/", StringComparison.Ordinal))
            .Select(endpoint => (Endpoint: endpoint, Bound: endpoint.Metadata.GetMetadata<EndpointHandler>()))
            .Where(one => one.Bound is not null)
            .Select(one => (Path: "/" + one.Endpoint.RoutePattern.RawText!.TrimStart('/')["api/v1/".Length..],
                Method: one.Endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods[0], one.Bound!.Right))
            .OrderBy(one => one.Path, StringComparer.Ordinal).ThenBy(one => one.Method, StringComparer.Ordinal);
        var page = new StringBuilder(Beginning).Append('\n');
        page.Append("| role | what it is for |\n|---|---|\n");
        foreach (var role in Roles.OfPeople) page.Append($"| {Roles.Words(role)} | {Roles.Meaning(role)} |\n");
        page.Append("\nPaths are below `/api/v1`.\n\n| operation | right |");
        foreach (var role in Roles.OfPeople) page.Append($" {Roles.Words(role)} |");
        page.Append("\n|---|---|").Append(string.Concat(Roles.OfPeople.Select(_ => ":-:|"))).Append('\n');
        foreach (var (path, method, right) in operations)
        {
            page.Append($"| `{method} {path}` | {right} |");
            foreach (var role in Roles.OfPeople) page.Append(Roles.Has(role, right) ? " yes |" : " |");
            page.Append('\n');
        }
        return page.ToString();
    }
}
