using System.Text;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Repositories;
using Microsoft.AspNetCore.Antiforgery;

namespace BackupDr.Web.Repositories;

/// <summary>The recovery kit as a file, for the button of the storage page.</summary>
public static class RecoveryKitFile
{
    /// <summary>Where the button posts to.</summary>
    public const string Route = "/storage/recovery-kit";

    public static void MapRecoveryKit(this IEndpointRouteBuilder routes) => routes.MapPost(Route, Write).ExcludeFromDescription();

    static async Task<IResult> Write(HttpContext http, WriteRecoveryKit kits, IAntiforgery antiforgery)
    {
        if (!await antiforgery.IsRequestValidAsync(http)) return Results.BadRequest();
        var kit = await kits.Handle(http.Caller(), new WriteRecoveryKitRequest(), http.RequestAborted);
        http.Response.Headers.CacheControl = "no-store";
        return Results.File(Encoding.UTF8.GetBytes(kit.Text), "text/plain; charset=utf-8", kit.FileName);
    }
}
