using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;
using BackupDr.Scheduler.Tests.Fixtures;
using Microsoft.AspNetCore.Routing;

namespace BackupDr.Scheduler.Tests.Access;

/// <summary>Every operation of the OpenAPI document is called as every role; what comes is what the table of roles says.</summary>
public sealed class RoleMatrixTests(SchedulerDatabases databases)
{
    [Fact]
    public async Task Each_role_gets_exactly_the_operations_that_the_table_gives_it()
    {
        await using var node = await TestNode.Start(databases);
        var operations = await Operations(node);
        var rights = Rights(node);
        Assert.Empty(operations.Select(operation => operation.Name).Except(rights.Keys));   // no operation without a right
        Assert.Empty(rights.Keys.Except(operations.Select(operation => operation.Name)));   // and none that the document leaves out
        var wrong = new List<string>();
        foreach (var role in Roles.OfPeople.Append(Role.Anonymous))
        {
            var client = role switch
            {
                Role.Anonymous => node.Client(),
                Role.Approver => await node.PersonClient("approver", new RoleGrant(role.ToString())),
                _ => node.Client(await node.Key($"as-{role}", new RoleGrant(role.ToString()))),
            };
            foreach (var operation in operations.OrderBy(operation => operation.Name == nameof(SignOut)))   // which ends the session
            {
                var response = await client.SendAsync(operation.Message());
                var has = Roles.Has(role, rights[operation.Name]);
                var got = response.StatusCode is not (HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized)
                    || has && (await response.Problem()).Code is "access.invitation_over" or "access.wrong_password";
                if (got != has) wrong.Add($"{role} {operation.Method} {operation.Path}: {(int)response.StatusCode}, the table says {has}");
                if (response.StatusCode == HttpStatusCode.InternalServerError) wrong.Add($"{role} {operation.Path}: 500");
            }
        }

        Assert.Empty(wrong);
    }

    sealed record Operation(string Name, HttpMethod Method, string Path)
    {
        /// <summary>With an id that is none: whoever has the right is told so, before anything is done.</summary>
        public HttpRequestMessage Message()
        {
            var message = new HttpRequestMessage(Method, System.Text.RegularExpressions.Regex.Replace(Path, @"\{\w+\}", "x"));
            if (Method == HttpMethod.Post || Method == HttpMethod.Put)
            {
                message.Content = new StringContent("{}");
                message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            }
            return message;
        }
    }

    static async Task<List<Operation>> Operations(TestNode node)
    {
        using var document = JsonDocument.Parse(await node.Client().GetStringAsync("/api/v1/openapi.json"));
        return [.. document.RootElement.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Select(method => new Operation(method.Value.GetProperty("operationId").GetString()!,
                new HttpMethod(method.Name.ToUpperInvariant()),
                path.Name)))];
    }

    static Dictionary<string, Right> Rights(TestNode node) => ((IEndpointRouteBuilder)node.App).DataSources
        .SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
        .Where(endpoint => endpoint.RoutePattern.RawText!.Contains("api/v1", StringComparison.Ordinal)
            && endpoint.Metadata.GetMetadata<EndpointHandler>() is not null)
        .ToDictionary(endpoint => endpoint.Metadata.GetMetadata<EndpointNameMetadata>()!.EndpointName,
            endpoint => endpoint.Metadata.GetMetadata<EndpointHandler>()!.Right);

    [Fact]
    public async Task Whoever_is_refused_is_told_which_role_would_do_and_the_audit_log_tells_of_it_once_a_minute()
    {
        await using var node = await TestNode.Start(databases);
        var client = node.Client(await node.Key("reader", new RoleGrant("viewer")));

        for (var at = 0; at < 5; at++)
        {
            var problem = await (await client.PostAsync("/api/v1/join-tokens", null)).Problem();
            Assert.Equal("access.denied", problem.Code);
            Assert.Contains("Agent admin", problem.Hint, StringComparison.Ordinal);
        }

        var refused = (await node.Get<ListAudit>().Handle(TestNode.Admin, new ListAuditRequest(Action: "access.refused"), default)).Entries;
        Assert.Equal("key:reader CreateJoinToken", Assert.Single(refused) is { } one ? $"{one.Actor} {one.Object}" : "");
    }
}
