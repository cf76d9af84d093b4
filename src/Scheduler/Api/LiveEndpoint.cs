using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Database;
using Npgsql;

namespace BackupDr.Scheduler.Api;

/// <summary>GET live: server-sent events that say which object to look at again.</summary>
static class LiveEndpoint
{
    static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(15);

    public static void Map(RouteGroupBuilder api)
        => api.MapGet("live", Stream).ExcludeFromDescription();

    static async Task Stream(HttpContext http, Caller caller, Notifications notifications, Sessions sessions,
        IHostApplicationLifetime lifetime, TimeProvider clock)
    {
        caller.MustSomewhere(Right.SafetyRead);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        http.Response.ContentType = "text/event-stream";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.Headers["X-Accel-Buffering"] = "no";
        await using var changes = notifications.Live(stop.Token).GetAsyncEnumerator(stop.Token);
        var next = changes.MoveNextAsync().AsTask();
        try
        {
            await Send(http, "retry: 2000\n\n", stop.Token);
            while (true)
            {
                using var beat = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
                var late = Task.Delay(Heartbeat, clock, beat.Token);
                if (await Task.WhenAny(next, late) == next)
                {
                    await beat.CancelAsync();
                    if (!await next) return;
                    await Send(http, $"data: {JsonSerializer.Serialize(changes.Current, WireJson.Default.LiveChange)}\n\n", stop.Token);
                    next = changes.MoveNextAsync().AsTask();
                    continue;
                }
                if (!await IsStillAllowed(http, caller, sessions, stop.Token)) return;
                await Send(http, ": still here\n\n", stop.Token);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return;   // the browser went away, or the node stops and the browser goes to another one
        }
        catch (NpgsqlException)
        {
            return;   // the database is away, so nobody can say whether the session still holds: the browser asks again
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAny(next);   // an enumerator may not be disposed in the middle of a step
        }
    }

    /// <summary>A session that ended ends its streams too.</summary>
    static async Task<bool> IsStillAllowed(HttpContext http, Caller caller, Sessions sessions, CancellationToken ct)
        => caller.Kind != CallerKind.Person || (SessionCookie.Read(http) is { } token
            && await sessions.Holds(token, ct));

    static async Task Send(HttpContext http, string text, CancellationToken ct)
    {
        await http.Response.WriteAsync(text, ct);
        await http.Response.Body.FlushAsync(ct);
    }
}
