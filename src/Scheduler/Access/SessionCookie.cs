using BackupDr.Contracts.Api;

namespace BackupDr.Scheduler.Access;

/// <summary>The cookie that carries a session's token: for this host only, unreadable to scripts, never sent by other sites.</summary>
public static class SessionCookie
{
    const string Secure = "__Host-backupdr";
    const string Plain = "backupdr";   // http on loopback: the prefix demands https

    static string NameFor(HttpContext http) => http.Request.IsHttps ? Secure : Plain;

    /// <summary>The token that came with the request, or null.</summary>
    public static string? Read(HttpContext http) => http.Request.Cookies.TryGetValue(NameFor(http), out var token) && token.Length > 0
        ? token : null;

    /// <summary>Signs a browser in.</summary>
    public static async Task<Me> Open(HttpContext http, SignIn signIn, SignInRequest request, CancellationToken ct)
    {
        var session = await signIn.Handle(Caller.Anonymous(http.Caller().Address), request, ct);
        http.Response.Cookies.Append(NameFor(http), session.Token, Options(http));
        return session.Me;
    }

    /// <summary>Signs a browser out.</summary>
    public static async Task Close(HttpContext http, SignOut signOut, CancellationToken ct)
    {
        await signOut.Handle(http.Caller(), ct);
        http.Response.Cookies.Delete(NameFor(http), Options(http));
    }

    static CookieOptions Options(HttpContext http)
        => new() { HttpOnly = true, Secure = http.Request.IsHttps, SameSite = SameSiteMode.Lax, Path = "/", IsEssential = true };
}
