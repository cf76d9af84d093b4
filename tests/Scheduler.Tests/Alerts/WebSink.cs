using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace BackupDr.Scheduler.Tests.Alerts;

/// <summary>What was posted.</summary>
public sealed record Posted(string Method, string Path, string Key, string Timestamp, string Signature, byte[] Body)
{
    public string Text => System.Text.Encoding.UTF8.GetString(Body);
}

/// <summary>A real HTTP listener that takes messages, or does not.</summary>
public sealed class WebSink : IAsyncDisposable
{
    readonly WebApplication _app;

    WebSink(WebApplication app) => _app = app;

    public string Url => _app.Urls.First();

    /// <summary>What it answers; 200 by default.</summary>
    public Func<HttpResponse, Task> Answer { get; set; } = response => response.WriteAsync("ok");

    /// <summary>All that came, also what it refused.</summary>
    public ConcurrentQueue<Posted> All { get; } = [];

    /// <summary>What it took.</summary>
    public ConcurrentQueue<Posted> Taken { get; } = [];

    public static async Task<WebSink> Start()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var sink = new WebSink(app);
        app.Run(sink.Take);
        await app.StartAsync();
        return sink;
    }

    async Task Take(HttpContext http)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body);
        string Header(string name) => http.Request.Headers[name].ToString();
        var posted = new Posted(http.Request.Method, http.Request.Path + http.Request.QueryString, Header("Idempotency-Key"),
            Header("X-BackupDr-Timestamp"), Header("X-BackupDr-Signature"), body.ToArray());
        All.Enqueue(posted);
        await Answer(http.Response);
        if (http.Response.StatusCode < 300) Taken.Enqueue(posted);
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();
}
