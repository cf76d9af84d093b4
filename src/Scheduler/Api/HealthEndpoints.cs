using BackupDr.Scheduler.Cluster;
using BackupDr.Scheduler.Database;

namespace BackupDr.Scheduler.Api;

/// <summary>For load balancers: is the process alive, and may it get requests.</summary>
public static class HealthEndpoints
{
    static readonly TimeSpan DatabasePatience = TimeSpan.FromSeconds(2);

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => Results.Text("live\n")).ExcludeFromDescription();
        routes.MapGet("/health/ready", Ready).ExcludeFromDescription();
    }

    static async Task<IResult> Ready(Postgres db, NodeStanding standing, IHostApplicationLifetime lifetime, CancellationToken ct)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested) return Refused("stopping");
        if (standing.IsDraining) return Refused("draining");
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(DatabasePatience);
        try
        {
            await db.Scalar<DateTimeOffset>("select clock()", [], late.Token);
            return Results.Text("ready\n");
        }
        catch (Exception e) when (Outage.Is(e) || (e is OperationCanceledException && !ct.IsCancellationRequested))
        {
            return Refused("the database does not answer");
        }
    }

    static IResult Refused(string reason) => Results.Text($"not ready: {reason}\n", statusCode: StatusCodes.Status503ServiceUnavailable);
}
