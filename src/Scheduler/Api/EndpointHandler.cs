using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;

namespace BackupDr.Scheduler.Api;

/// <summary>Marks an endpoint with the handler that it binds to HTTP.</summary>
/// <param name="Handler">The handler's type.</param>
/// <param name="Right">The right that it needs.</param>
public sealed record EndpointHandler(Type Handler, Right Right);

/// <summary>How slices bind their handlers.</summary>
public static class EndpointConventions
{
    /// <summary>Says which handler the endpoint binds: <c>api.MapGet("hosts", …).For&lt;ListHosts&gt;()</c>.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="name">The operation's name where a handler has several; null for the handler's.</param>
    /// <exception cref="InvalidOperationException">The handler is not in the table of rights.</exception>
    public static RouteHandlerBuilder For<THandler>(this RouteHandlerBuilder endpoint, string? name = null)
        => endpoint.WithMetadata(new EndpointHandler(typeof(THandler), Rights.Of(typeof(THandler))))
            .WithName(name ?? typeof(THandler).Name)
            .WithTags(typeof(THandler).Namespace!.Split('.')[^1])
            .Produces<ApiProblem>(StatusCodes.Status400BadRequest, "application/problem+json");
}
