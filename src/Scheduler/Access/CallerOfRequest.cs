using System.Security.Claims;
using BackupDr.Contracts;
using BackupDr.Scheduler.Api;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Gateway;
using BackupDr.Scheduler.Hosts;

namespace BackupDr.Scheduler.Access;

/// <summary>Finds out who asks: by session cookie or API key on the console's listener, by client certificate on the agents',
/// and there at the gateway also by a repository's user and password.</summary>
public sealed class CallerOfRequest(RequestDelegate next, Sessions sessions, AgentAdmission admission,
    GatewayUsers gatewayUsers, TermFence fence)
{
    /// <summary>Calls that change something by cookie must carry this header: other sites cannot set it.</summary>
    public const string GuardHeader = "X-BackupDr";

    const string Bearer = "Bearer ";

    public async Task Invoke(HttpContext http)
    {
        var address = http.Connection.RemoteIpAddress?.ToString() ?? "";
        var caller = http.Features.Get<ListenerFeature>()?.Listener == Listener.Agents
            ? await OfCertificate(http, address)
            : await OfConsole(http, address);
        if (fence.Later is { } later) caller = caller with { Later = later };
        http.Features.Set(caller);
        if (caller.Kind == CallerKind.Person)
            http.User = new ClaimsPrincipal(new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, caller.Person.ToString()!),
                new Claim(ClaimTypes.Name, caller.Name)], "session"));
        await next(http);
    }

    async Task<Caller> OfCertificate(HttpContext http, string address)
    {
        if (http.Connection.ClientCertificate is not { } certificate) return await OfGatewayUser(http, address);
        return await admission.Of(certificate, address, http.RequestAborted)
            ?? throw new NotSignedInException("agent.not_admitted", "This host's certificate is not admitted: it was replaced, or the "
                + "host is out of service.",
                "Join again with a new token from the console.");
    }

    async Task<Caller> OfGatewayUser(HttpContext http, string address)
    {
        var header = http.Request.Headers.Authorization.ToString();
        if (header.Length == 0 || !http.Request.Path.StartsWithSegments(GatewayEndpoint.Root, StringComparison.Ordinal))
            return Caller.Anonymous(address);
        return await gatewayUsers.Of(header, address, http.RequestAborted)
            ?? throw new NotSignedInException("gateway.wrong_user", "User and password are not those of a repository here.",
                "Make them anew on the repository's page in the console.");
    }

    async Task<Caller> OfConsole(HttpContext http, string address)
    {
        var header = http.Request.Headers.Authorization.ToString();
        if (header.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
            return await sessions.OfKey(header[Bearer.Length..].Trim(), address, http.RequestAborted)
                ?? throw new NotSignedInException("access.unknown_key", "This API key is not known here, or was revoked.",
                    "Use another key.");
        if (IsAsset(http.Request.Path) || SessionCookie.Read(http) is not { } token) return Caller.Anonymous(address);
        var caller = await sessions.OfSession(token, address, http.RequestAborted) ?? Caller.Anonymous(address);
        if (caller.Kind == CallerKind.Person && IsForged(http))
            throw new DeniedException($"A call that changes something by cookie needs the header {GuardHeader}.",
                $"Send '{GuardHeader}: 1', or use an API key.");
        return caller;
    }

    /// <summary>Pages guard their forms by form tokens; the API by a header.</summary>
    static bool IsForged(HttpContext http)
        => http.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal) && !HttpMethods.IsGet(http.Request.Method)
            && !HttpMethods.IsHead(http.Request.Method)
            && !http.Request.Headers.ContainsKey(GuardHeader);

    /// <summary>The console's own files are everybody's, and asking for one keeps no session alive. A page whose address has a dot in it
    /// is a page.</summary>
    static bool IsAsset(PathString path) => path.StartsWithSegments("/assets", StringComparison.Ordinal);
}
