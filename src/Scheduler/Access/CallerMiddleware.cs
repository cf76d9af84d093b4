using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Access;

/// <summary>Puts the caller into each request: by client certificate on the agents' listener, by API key or session cookie on the other.</summary>
public sealed class CallerMiddleware(RequestDelegate next, Sessions sessions, AgentIdentities agents)
{
    /// <summary>Sent by scripts that use the session's cookie; a page of another site cannot send it.</summary>
    public const string CrossSiteHeader = "X-BackupDr";
    const string Bearer = "Bearer ";

    /// <summary>Resolves and goes on.</summary>
    public async Task Invoke(HttpContext http)
    {
        var address = http.Connection.RemoteIpAddress?.ToString() ?? "";
        var caller = await Of(http, address, http.RequestAborted) ?? Caller.Anonymous(address);
        var isWrite = !HttpMethods.IsGet(http.Request.Method) && !HttpMethods.IsHead(http.Request.Method);
        if (isWrite && caller.Session is not null && http.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal) && !http.Request.Headers.ContainsKey(CrossSiteHeader))
            throw new DeniedException($"A change by cookie needs the header {CrossSiteHeader}.", "Send it with any value, or use an API key instead of the cookie.");
        http.Features.Set(caller);
        await next(http);
    }

    async Task<Caller?> Of(HttpContext http, string address, CancellationToken ct)
    {
        if (http.Features.Get<ListenerFeature>()?.Listener == Listener.Agents) return await agents.Of(http.Connection.ClientCertificate, address, ct);
        var header = http.Request.Headers.Authorization.ToString();
        if (header.StartsWith(Bearer, StringComparison.Ordinal)) return await sessions.OfKey(header[Bearer.Length..].Trim(), address, ct);
        return http.Request.Cookies.TryGetValue(SessionCookie.Name, out var token) && token.Length > 0 ? await sessions.OfSession(token, address, ct) : null;
    }
}

/// <summary>The browser's session.</summary>
public static class SessionCookie
{
    /// <summary>The cookie's name.</summary>
    public const string Name = "backupdr-session";

    /// <summary>Signs a browser in.</summary>
    public static async Task<Me> Open(HttpContext http, SignIn signIn, SignInRequest request, CancellationToken ct)
    {
        var session = await signIn.Handle(Caller.Anonymous(http.Connection.RemoteIpAddress?.ToString() ?? ""), request, ct);
        http.Response.Cookies.Append(Name, session.Token, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Lax, Secure = http.Request.IsHttps, Path = "/", MaxAge = Sessions.Lifetime });
        return session.Me;
    }

    /// <summary>Signs a browser out.</summary>
    public static async Task Close(HttpContext http, SignOut signOut, CancellationToken ct)
    {
        await signOut.Handle(http.Caller(), ct);
        http.Response.Cookies.Delete(Name);
    }
}
