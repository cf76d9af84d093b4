using System.Text.Json;
using System.Text.RegularExpressions;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Storage;
using Npgsql;

namespace BackupDr.Scheduler.Api;

/// <summary>Turns failures below /api, /agent and /gateway into problem details (RFC 9457) with our code and hint.</summary>
public sealed partial class Problems(RequestDelegate next, ILogger<Problems> log)
{
    const string ContentType = "application/problem+json";

    public async Task Invoke(HttpContext http)
    {
        try
        {
            await next(http);
            if (http.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null, ContentType: null }) await Write(http,
                OfStatus(http));
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            var problem = Of(e);
            if (problem.Status == 500) log.LogError(e, "{Method} {Path} failed", http.Request.Method, http.Request.Path);
            if (problem.Status == 503) log.LogWarning("{Method} {Path}: {Title}", http.Request.Method, http.Request.Path, problem.Title);
            http.Response.Clear();
            if (e is LimitedException limited) http.Response.Headers.RetryAfter = ((int)Math.Ceiling(limited.RetryAfter.TotalSeconds))
                .ToString(System.Globalization.CultureInfo.InvariantCulture);
            await Write(http, problem);
        }
    }

    /// <summary>The problem that stands for an exception. What is no <see cref="BackupDrException"/> shows nothing of its inside.</summary>
    public static ApiProblem Of(Exception exception) => exception switch
    {
        BadInputException e => Named(400, e) with { Field = e.Field },
        NotSignedInException e => Named(401, e),
        DeniedException e => Named(403, e),
        NotFoundException e => Named(404, e),
        ConflictException e => Named(409, e),
        LimitedException e => Named(429, e),
        UnavailableException e => Named(503, e),
        StoreException e => Named(StatusOf(e.Fault), e),
        BadHttpRequestException e => OfBadRequest(e),
        PostgresException e when IsRestarting(e.SqlState) => Away("The database is restarting."),
        PostgresException { IsTransient: true } => Away("The database does not answer."),
        _ when Outage.Is(exception) => Away("The database does not answer."),
        _ => new ApiProblem
        {
            Status = 500,
            Code = "node.bug",
            Title = "Something in this node is broken.",
            Hint =
            "The node's log has the details at this time."
        },
    };

    static bool IsRestarting(string state) => state is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
        or PostgresErrorCodes.CannotConnectNow;

    static ApiProblem Away(string title) => new()
    {
        Status = 503,
        Code = "database.unavailable",
        Title = title,
        Hint = "Nothing was lost; try again in a few seconds.",
    };

    static int StatusOf(StoreFault fault) => fault switch
    {
        StoreFault.Missing => 404,
        StoreFault.Exists => 412,
        StoreFault.ShortRead => 416,
        StoreFault.Full => 507,
        StoreFault.Throttled => 429,
        _ => 503,
    };

    static ApiProblem Named(int status, BackupDrException e) => new() { Status = status, Code = e.Code, Title = e.Message, Hint = e.Hint };

    static ApiProblem OfBadRequest(BadHttpRequestException e)
    {
        if (e.StatusCode == StatusCodes.Status413PayloadTooLarge) return new ApiProblem
        {
            Status = 413,
            Code = "input.too_large",
            Title =
            "The body is too large.",
            Hint = "Send less at once."
        };
        if (e.StatusCode == StatusCodes.Status415UnsupportedMediaType) return new ApiProblem
        {
            Status = 415,
            Code = "input.not_json",
            Title = "The body is not declared as JSON.",
            Hint = "Send 'Content-Type: application/json'."
        };
        if (e.InnerException is JsonException json)
        {
            var at = json.Path is { Length: > 1 } path ? $" at {path}" : "";
            return Shape($"The body is not the JSON that is expected{at}: {InOurWords(json.Message)}", json.Path);
        }
        return e.Message.Contains("from body", StringComparison.Ordinal) || e.Message.Contains("no body", StringComparison.Ordinal)
            ? Shape("A JSON body is required and there was none.", null)
            : new ApiProblem { Status = e.StatusCode, Code = "input.invalid", Title = e.Message };
    }

    static ApiProblem Shape(string title, string? field)
        => new() { Status = 400, Code = "input.invalid", Title = title, Field = field, Hint = "The shapes are in /api/v1/openapi.json." };

    /// <summary>The serializer's message without our types' names and without the positions, which it repeats.</summary>
    static string InOurWords(string message)
    {
        if (message.Contains("could not be converted", StringComparison.Ordinal)) return "the value is of another kind.";
        var end = message.IndexOf(" Path: ", StringComparison.Ordinal);
        return TypeName().Replace(end < 0 ? message : message[..end], "");
    }

    [GeneratedRegex(@" (?:for|on) type '[^']*'")]
    private static partial Regex TypeName();

    static ApiProblem OfStatus(HttpContext http) => http.Response.StatusCode switch
    {
        404 => new ApiProblem
        {
            Status = 404,
            Code = "route.not_found",
            Title = $"There is no {http.Request.Method} {http.Request.Path}.",
            Hint = "The routes are in /api/v1/openapi.json."
        },
        405 => new ApiProblem
        {
            Status = 405,
            Code = "route.wrong_method",
            Title =
            $"{http.Request.Path} does not take {http.Request.Method}."
        },
        413 => new ApiProblem { Status = 413, Code = "input.too_large", Title = "The body is too large.", Hint = "Send less at once." },
        415 => new ApiProblem
        {
            Status = 415,
            Code = "input.not_json",
            Title = "The body is not declared as JSON.",
            Hint =
            "Send 'Content-Type: application/json'."
        },
        429 => new ApiProblem
        {
            Status = 429,
            Code = "access.too_many_calls",
            Title = "Too many calls from this address.",
            Hint =
            "Try again in a minute."
        },
        var status => new ApiProblem { Status = status, Code = "input.invalid", Title = $"The request was refused with status {status}." },
    };

    /// <summary>Writes a problem as the answer.</summary>
    public static Task Write(HttpContext http, ApiProblem problem)
    {
        http.Response.StatusCode = problem.Status;
        return http.Response.WriteAsJsonAsync(problem, WireJson.Default.ApiProblem, ContentType, CancellationToken.None);
    }
}
