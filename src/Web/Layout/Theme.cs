using Microsoft.AspNetCore.Mvc;

namespace BackupDr.Web.Layout;

/// <summary>Light, dark, or as the system: a cookie, so that the first byte of HTML is right already.</summary>
public static class Theme
{
    const string Cookie = "backupdr-theme";

    public static readonly string[] All = ["system", "light", "dark"];

    /// <summary>What was chosen; without a choice a screen on a wall is dark.</summary>
    public static string Of(HttpContext http) => http.Request.Cookies[Cookie] is { } theme && All.Contains(theme) ? theme
        : http.Request.Path == Wall.Path ? "dark" : "system";

    public static string Word(string theme) => theme switch { "light" => "Light", "dark" => "Dark", _ => "System colours" };

    public static void MapTheme(this IEndpointRouteBuilder routes) => routes.MapPost("/theme", Set).ExcludeFromDescription();

    static IResult Set(HttpContext http, [FromForm] string theme, [FromForm] string? back)
    {
        if (!All.Contains(theme)) return Results.BadRequest();
        http.Response.Cookies.Append(Cookie, theme, new CookieOptions
        {
            HttpOnly = true,
            SameSite = SameSiteMode.Lax,
            IsEssential = true,
            MaxAge = TimeSpan.FromDays(365),
            Path = "/",
        });
        return Results.LocalRedirect(Local(back));
    }

    /// <summary>The address where it leads to this console; Home where it leads elsewhere.</summary>
    public static string Local(string? url) => url is ['/', ..] && url is not ['/', '/' or '\\', ..]
        && !url.AsSpan().ContainsAnyInRange('\0', '\x1f') ? url : "/";
}
