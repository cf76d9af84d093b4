using BackupDr.Scheduler.Access;
using Microsoft.AspNetCore.Antiforgery;

namespace BackupDr.Web.Access;

/// <summary>What the button in the bar posts to.</summary>
public static class SignOutForm
{
    public static void MapSignOut(this IEndpointRouteBuilder routes) => routes.MapPost("/sign-out", Leave).ExcludeFromDescription();

    static async Task<IResult> Leave(HttpContext http, SignOut signOut, IAntiforgery antiforgery)
    {
        if (!await antiforgery.IsRequestValidAsync(http)) return Results.BadRequest();
        await SessionCookie.Close(http, signOut, http.RequestAborted);
        return Results.LocalRedirect("/sign-in");
    }
}
