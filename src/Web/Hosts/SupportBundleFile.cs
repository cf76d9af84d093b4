using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Telemetry;
using Microsoft.AspNetCore.Antiforgery;

namespace BackupDr.Web.Hosts;

/// <summary>The support bundle as a file, for the button of the nodes' page.</summary>
public static class SupportBundleFile
{
    /// <summary>Where the button posts to.</summary>
    public const string Route = "/nodes/support-bundle";

    public static void MapSupportBundle(this IEndpointRouteBuilder routes) => routes.MapPost(Route, Write).ExcludeFromDescription();

    static async Task<IResult> Write(HttpContext http, WriteSupportBundle bundles, IAntiforgery antiforgery)
    {
        if (!await antiforgery.IsRequestValidAsync(http)) return Results.BadRequest();
        var bundle = await bundles.Handle(http.Caller(), new WriteSupportBundleRequest(), http.RequestAborted);
        http.Response.Headers.CacheControl = "no-store";
        return Results.File(bundle.Content, "application/zip", bundle.FileName);
    }
}
