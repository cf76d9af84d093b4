using BackupDr.Scheduler;
using BackupDr.Scheduler.Access;
using BackupDr.Web.Access;
using BackupDr.Web.Audit;
using BackupDr.Web.Evidence;
using BackupDr.Web.Hosts;
using BackupDr.Web.Layout;
using BackupDr.Web.Repositories;
using BackupDr.Web.Runbooks;

namespace BackupDr.Web;

/// <summary>The console as a role of a node: its pages beside the API, on the console's listener.</summary>
public static class ConsoleRole
{
    const string SignIn = "/sign-in", Password = "/password";

    // No inline script or style, nothing from elsewhere: a file name that looks like HTML stays text twice over.
    const string ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        + "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

    static readonly string[] Elsewhere = ["/api", "/agent", "/health", "/assets", "/install.sh", "/agent.tar.gz"];
    static readonly string[] Open = [SignIn, "/theme", "/welcome"];

    /// <summary>Adds what the pages need.</summary>
    public static void Add(WebApplicationBuilder builder)
    {
        builder.Services.AddRazorComponents();
        builder.Services.AddTransient<IStartupFilter, Outermost>();
        builder.Services.AddAntiforgery(options =>
        {
            options.Cookie.Name = "backupdr-form";
            options.Cookie.SameSite = SameSiteMode.Strict;
            options.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;   // http is for loopback only
            options.FormFieldName = "antiforgery";
            options.SuppressXFrameOptionsHeader = true;   // frame-ancestors says it
        });
    }

    /// <summary>Maps the pages, where the node has the role.</summary>
    public static void Map(WebApplication app)
    {
        if (!app.Services.GetRequiredService<NodeOptions>().Is(NodeRole.Console)) return;
        app.UseWhen(http => !IsElsewhere(http.Request.Path), pages => pages.Use(Gate));
        app.UseAntiforgery();
        app.MapAssets();
        app.MapTheme();
        app.MapSignOut();
        app.MapRecoveryKit();
        app.MapBundles();
        app.MapSupportBundle();
        app.MapReport();
        app.MapAuditFiles();
        app.MapRazorComponents<App>();
    }

    /// <summary>Stands around the whole node, so that a page answers also while, for example, the session cannot be looked up.</summary>
    sealed class Outermost(NodeOptions node) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            if (node.Is(NodeRole.Console))
            {
                app.UseWhen(http => !IsElsewhere(http.Request.Path), pages =>
                {
                    pages.Use(Protect);
                    pages.UseMiddleware<LastPages>();
                });
            }
            next(app);
        };
    }

    static bool IsElsewhere(PathString path) => Array.Exists(Elsewhere, root => path.StartsWithSegments(root, StringComparison.Ordinal));

    static Task Protect(HttpContext http, RequestDelegate next)
    {
        http.Response.OnStarting(() =>
        {
            var headers = http.Response.Headers;
            headers.ContentSecurityPolicy = ContentSecurityPolicy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "same-origin";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            if (headers.CacheControl.Count == 0) headers.CacheControl = "no-store";   // pages show secrets and states of a moment
            return Task.CompletedTask;
        });
        return next(http);
    }

    /// <summary>Lets nobody in who is not signed in, and nobody further whose password was made for one sign-in.</summary>
    static Task Gate(HttpContext http, RequestDelegate next)
    {
        var path = http.Request.Path;
        if (Array.Exists(Open, open => path == open)) return next(http);
        var caller = http.Caller();
        if (caller.Kind == CallerKind.Anonymous)
        {
            var back = HttpMethods.IsGet(http.Request.Method) ? path + http.Request.QueryString : "/";
            http.Response.Redirect(back == "/" ? SignIn : $"{SignIn}?back={Uri.EscapeDataString(back)}");
            return Task.CompletedTask;
        }
        if (caller.MustChangePassword && path != Password && path != "/sign-out")
        {
            http.Response.Redirect(Password);
            return Task.CompletedTask;
        }
        return next(http);
    }
}
