using System.Globalization;
using System.Threading.RateLimiting;
using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using Microsoft.AspNetCore.RateLimiting;

namespace BackupDr.Scheduler.Api;

/// <summary>How often callers may ask one node. Whoever is over it is told when to try again.</summary>
static class CallerLimits
{
    /// <summary>Name of the limit on calls by nobody in particular.</summary>
    public const string Anonymous = "anonymous";

    /// <summary>Name of the limit on everything that tries a password.</summary>
    public const string SignIn = "sign-in";

    /// <summary>Calls a minute of one address to what needs no certificate and no session.</summary>
    public const int AnonymousCallsAMinute = 300;

    /// <summary>Passwords that one address may try in a minute, right or wrong, for whatever name.</summary>
    public const int SignInsAMinute = 60;

    /// <summary>Calls of the public API that one person, key or address may make at once before it has to wait.</summary>
    public const int ApiBurst = 600;

    /// <summary>Calls of the public API a second that one person, key or address gets back.</summary>
    public const int ApiCallsASecond = 50;

    public static void Add(RateLimiterOptions options)
    {
        options.RejectionStatusCode = StatusCodes.Status429TooManyRequests;
        options.OnRejected = Refuse;
        options.AddPolicy(Anonymous, http => Window(http, AnonymousCallsAMinute));
        options.AddPolicy(SignIn, http => Window(http, SignInsAMinute));
        options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(http =>
            http.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal)
                ? RateLimitPartition.GetTokenBucketLimiter(NameOf(http), _ => new TokenBucketRateLimiterOptions
                {
                    TokenLimit = ApiBurst,
                    TokensPerPeriod = ApiCallsASecond,
                    ReplenishmentPeriod = TimeSpan.FromSeconds(1),
                    QueueLimit = 0,
                }) : RateLimitPartition.GetNoLimiter(""));
    }

    static RateLimitPartition<string> Window(HttpContext http, int calls)
        => RateLimitPartition.GetFixedWindowLimiter(http.Connection.RemoteIpAddress?.ToString() ?? "",
            _ => new FixedWindowRateLimiterOptions { PermitLimit = calls, Window = TimeSpan.FromMinutes(1) });

    static string NameOf(HttpContext http)
    {
        var caller = http.Caller();
        return caller.Kind == CallerKind.Anonymous ? $"from {caller.Address}" : $"{caller.Person}{caller.Key} {caller.Name}";
    }

    static async ValueTask Refuse(OnRejectedContext rejected, CancellationToken ct)
    {
        var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) && after > TimeSpan.FromSeconds(1) ? after
            : TimeSpan.FromSeconds(1);
        var http = rejected.HttpContext;
        http.Response.Headers.RetryAfter = Math.Ceiling(wait.TotalSeconds).ToString("0", CultureInfo.InvariantCulture);
        await Problems.Write(http, Problems.Of(new LimitedException("access.too_many_calls", "There were too many calls in a short time.",
            wait)));
    }
}
