using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;

namespace BackupDr.Scheduler.Cluster;

/// <summary>The routes about nodes.</summary>
static class NodeEndpoints
{
    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("nodes", (Caller caller, ListNodes handler, CancellationToken ct) => handler.Handle(caller, new ListNodesRequest(), ct))
            .For<ListNodes>();
        api.MapPost("nodes/tokens", (Caller caller, CreateNodeToken handler, CancellationToken ct) =>
            handler.Handle(caller, new CreateNodeTokenRequest(), ct)).For<CreateNodeToken>();
        api.MapPost("nodes/{name}/drain", async (Caller caller, string name, DrainNodeRequest request, DrainNode handler,
            CancellationToken ct) =>
        {
            await handler.Handle(caller, request with { Name = name }, ct);
            return Results.NoContent();
        }).For<DrainNode>();
        api.MapDelete("nodes/{name}", async (Caller caller, string name, RemoveNode handler, CancellationToken ct) =>
        {
            await handler.Handle(caller, new RemoveNodeRequest(name), ct);
            return Results.NoContent();
        }).For<RemoveNode>();
    }

    /// <summary>On the agents' listener, whose authority a token names.</summary>
    public static void MapJoin(RouteGroupBuilder agents)
        => agents.MapPost("nodes/join", (Caller caller, JoinNodeRequest request, JoinNode handler, CancellationToken ct) =>
            handler.Handle(caller, request, ct)).For<JoinNode>().ExcludeFromDescription().RequireRateLimiting(CallerLimits.Anonymous);
}
