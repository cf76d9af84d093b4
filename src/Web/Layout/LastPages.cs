using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Api;
using BackupDr.Web.Parts;
using Microsoft.AspNetCore.Http.HttpResults;

namespace BackupDr.Web.Layout;

/// <summary>Answers a browser with a page also where there is none, and where one failed.</summary>
public sealed class LastPages(RequestDelegate next, Refusals refusals, ILogger<LastPages> log)
{
    public async Task Invoke(HttpContext http)
    {
        try
        {
            await next(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            http.Response.StatusCode = StatusCodes.Status499ClientClosedRequest;
            return;
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            var failure = Failure.Of(Problems.Of(e));
            if (failure.Status == StatusCodes.Status500InternalServerError) log.LogError(e, "{Method} {Path} failed", http.Request.Method,
                http.Request.Path);
            if (e is DeniedException denied) await refusals.Note(http.Caller(), http.Request.Path, denied.Message, http.RequestAborted);
            http.Response.Clear();
            await Show(http, typeof(ErrorPage), typeof(Alone), failure.Status, new() { ["Failure"] = failure });
            return;
        }
        if (http.Response is { StatusCode: StatusCodes.Status404NotFound, HasStarted: false, ContentType: null, ContentLength: null })
            await Show(http, typeof(NotFoundPage), typeof(Console), StatusCodes.Status404NotFound, []);
    }

    static async Task Show(HttpContext http, Type page, Type layout, int status, Dictionary<string, object> parameters)
    {
        await using var scope = http.RequestServices.CreateAsyncScope();   // the failed page may have used up the request's own
        http.RequestServices = scope.ServiceProvider;
        var document = new { Page = page, Frame = layout, Values = parameters };
        await new RazorComponentResult<App>(document) { StatusCode = status }.ExecuteAsync(http);
    }
}
