using System.Reflection;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;
using BackupDr.Scheduler.Policies;
using BackupDr.Scheduler.Repositories;
using BackupDr.Scheduler.Tests.Fixtures;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace BackupDr.Scheduler.Tests.Api;

public sealed class EndpointTableTests(SchedulerDatabases databases)
{
    /// <summary>Routes that are no use cases: they carry no data of an installation, or (live) only hints to look again.</summary>
    static readonly string[] WithoutHandler =
        ["/health/live", "/health/ready", "/api/v1/openapi.json", "/api/v1/live", "/agent/v1/authority", "/install.sh", "/agent.tar.gz"];

    /// <summary>Handlers that only the node's own loops call.</summary>
    static readonly Type[] WithoutEndpoint = [typeof(FirePolicy)];

    static IEnumerable<(Type Type, MethodInfo Handle)> Handlers() => typeof(Caller).Assembly.GetTypes()
        .Where(type => type is { IsClass: true, IsAbstract: false })
        .Select(type => (type, type.GetMethod("Handle")!))
        .Where(handler => handler.Item2?.GetParameters().FirstOrDefault()?.ParameterType == typeof(Caller));

    [Fact]
    public void Every_handler_is_in_the_table_of_rights_and_nothing_else_is()
        => Assert.Equal(Handlers().Select(handler => handler.Type.Name).Order(StringComparer.Ordinal),
            Rights.Handlers.Select(type => type.Name).Order(StringComparer.Ordinal));

    [Fact]
    public async Task Every_handler_has_an_endpoint_and_every_endpoint_a_handler()
    {
        await using var node = await TestNode.Start(databases);
        var endpoints = node.App.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .ToList();
        if (endpoints.Count == 0) endpoints = [.. ((IEndpointRouteBuilder)node.App).DataSources.SelectMany(source => source.Endpoints)
            .OfType<RouteEndpoint>()];

        var bound = endpoints.Select(endpoint => endpoint.Metadata.GetMetadata<EndpointHandler>()?.Handler).OfType<Type>().ToHashSet();
        var unbound = endpoints.Where(endpoint => endpoint.Metadata.GetMetadata<EndpointHandler>() is null)
            .Select(endpoint => "/" + endpoint.RoutePattern.RawText!.TrimStart('/'));

        Assert.Empty(Rights.Handlers.Except(bound).Except(WithoutEndpoint));
        Assert.Empty(unbound.Except(WithoutHandler));
    }

    [Fact]
    public async Task The_first_line_of_every_handler_asks_for_the_right_of_the_table()
    {
        await using var node = await TestNode.Start(databases);
        Caller[] callers = [Caller.Anonymous(), Caller.Agent(HostId.New(TimeProvider.System)), TestNode.Admin, Caller.System("test")];
        foreach (var (type, handle) in Handlers())
        {
            var right = Rights.Of(type);
            var caller = callers.First(candidate => candidate.Kind != CallerKind.Anonymous && !candidate.May(right));
            var arguments = handle.GetParameters().Select(parameter => parameter.ParameterType == typeof(Caller) ? caller
                : parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType)
                : parameter.ParameterType.IsAbstract || parameter.ParameterType == typeof(string) ? null
                : System.Runtime.CompilerServices.RuntimeHelpers.GetUninitializedObject(parameter.ParameterType)).ToArray();

            var e = await Assert.ThrowsAsync<DeniedException>(async () =>
            {
                try { await (Task)handle.Invoke(node.App.Services.GetRequiredService(type), arguments)!; }
                catch (TargetInvocationException wrapped) { throw wrapped.InnerException!; }
            });

            Assert.Contains($"right {right}", e.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_OpenAPI_document_lists_the_public_routes_with_ids_as_texts()
    {
        await using var node = await TestNode.Start(databases);

        using var document = JsonDocument.Parse(await node.Client().GetStringAsync("/api/v1/openapi.json"));

        var paths = document.RootElement.GetProperty("paths");
        Assert.True(paths.TryGetProperty("/api/v1/hosts", out var hosts));
        Assert.Equal("ListHosts", hosts.GetProperty("get").GetProperty("operationId").GetString());
        Assert.DoesNotContain(paths.EnumerateObject(), path => path.Name.StartsWith("/agent", StringComparison.Ordinal));
        var id = document.RootElement.GetProperty("components").GetProperty("schemas").GetProperty("HostId");
        Assert.Equal("string", id.GetProperty("type").GetString());
    }

    [Fact]
    public async Task The_live_feed_tells_of_a_change_made_on_another_node()
    {
        await using var node = await TestNode.Start(databases);
        await using var other = await TestNode.Start(databases, shared: node);
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var response = await node.AdminClient().GetAsync("/api/v1/live", HttpCompletionOption.ResponseHeadersRead, stop.Token);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(stop.Token));

        var made = await other.Get<CreateLocation>().Handle(TestNode.Admin, new CreateLocationRequest
        {
            Name = "NAS",
            Path =
            FilePath.FromText("/srv/nas")
        }, default);

        LiveChange? change = null;
        while (change?.Id != made.Id.ToString())
        {
            var line = await lines.ReadLineAsync(stop.Token) ?? throw new InvalidOperationException("The feed ended.");
            if (line.StartsWith("data: ", StringComparison.Ordinal)) change = JsonSerializer.Deserialize(line[6..],
                WireJson.Default.LiveChange);
        }
        Assert.Equal("storage", change.Topic);
    }

    [Fact]
    public async Task The_live_feed_needs_a_caller()
    {
        await using var node = await TestNode.Start(databases);

        var response = await node.Client().GetAsync("/api/v1/live");

        Assert.Equal("access.not_signed_in", (await response.Problem()).Code);
    }
}
