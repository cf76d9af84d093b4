using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Gateway;

namespace BackupDr.Scheduler.Api;

/// <summary>The gateway's one route, on the agents' listener.</summary>
static class GatewayEndpoint
{
    /// <summary>The path in front of a repository's id.</summary>
    public const string Root = "/gateway";

    public static void MapGateway(this IEndpointRouteBuilder app)
        => app.MapMethods($"{Root}/{{repository}}/{{**path}}", ["GET", "HEAD", "POST", "DELETE"],
            (Caller caller, string repository, HttpContext http, ServeObjects handler, CancellationToken ct, string path = "")
                => handler.Handle(caller, RepositoryId.Parse(repository), path, http, ct)).For<ServeObjects>().ExcludeFromDescription();
}
