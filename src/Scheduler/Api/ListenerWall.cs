using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Api;

/// <summary>Keeps the two listeners apart: what belongs to the other one does not exist here.</summary>
public sealed class ListenerWall(RequestDelegate next)
{
    static readonly string[] AgentPaths = ["/agent", "/install.sh", "/agent.tar.gz", GatewayEndpoint.Root];

    public Task Invoke(HttpContext http)
    {
        var isAgents = http.Features.Get<ListenerFeature>()?.Listener == Listener.Agents;
        var path = http.Request.Path;
        if (path.StartsWithSegments("/health", StringComparison.Ordinal) || isAgents == Array.Exists(AgentPaths, agent =>
            path.StartsWithSegments(agent, StringComparison.Ordinal))) return next(http);
        return Problems.Write(http, new ApiProblem
        {
            Status = 404,
            Code = "route.not_found",
            Title = $"There is no {path} on this listener.",
            Hint = isAgents ? "The console and /api/v1 are on Console:Url." : "Agents use Agents:Url.",
        });
    }
}
