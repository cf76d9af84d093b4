using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Runbooks;
using Microsoft.AspNetCore.Antiforgery;

namespace BackupDr.Web.Runbooks;

/// <summary>A bundle as a file, for the button of a runbook's page.</summary>
public static class BundleDownload
{
    /// <summary>Where the button posts to.</summary>
    public static string RouteOf(RunbookId id) => $"/runbooks/{id}/bundle";

    public static void MapBundles(this IEndpointRouteBuilder routes)
        => routes.MapPost("/runbooks/{id}/bundle", Write).ExcludeFromDescription();

    static async Task<IResult> Write(HttpContext http, string id, SaveBundle bundles, IAntiforgery antiforgery)
    {
        if (!await antiforgery.IsRequestValidAsync(http)) return Results.BadRequest();
        var form = await http.Request.ReadFormAsync(http.RequestAborted);
        var passphrase = form["passphrase"].ToString();
        if (passphrase != form["again"].ToString())
            throw new BadInputException("again", "The two passphrases are not the same.", "Type it twice: what is mistyped opens nothing.");
        var saved = await bundles.Handle(http.Caller(), new SaveBundleRequest(RunbookId.Parse(id), passphrase), http.RequestAborted);
        http.Response.Headers.CacheControl = "no-store";
        return Results.File(Encoding.UTF8.GetBytes(saved.Text), "application/octet-stream", saved.FileName);
    }
}
