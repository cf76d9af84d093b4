using System.Collections.Concurrent;
using System.Net;
using System.Text;

namespace BackupDr.TestKit.Servers;

/// <summary>One request that came: its key, and what it said.</summary>
public sealed record PostedText(string Key, string Text);

/// <summary>An HTTP listener on loopback that takes what is posted, and can hold an answer back as a slow one does.</summary>
public sealed class PostSink : IAsyncDisposable
{
    readonly HttpListener _listener = new();
    readonly Task _work;
    TaskCompletionSource? _holding;

    public PostSink()
    {
        Url = $"http://127.0.0.1:{FreePorts.Find()}/";
        _listener.Prefixes.Add(Url);
        _listener.Start();
        _work = Accept();
    }

    /// <summary>Where to post.</summary>
    public string Url { get; }

    /// <summary>All that came, also what was not answered.</summary>
    public ConcurrentQueue<PostedText> All { get; } = [];

    /// <summary>What was answered, to somebody who waited for it.</summary>
    public ConcurrentQueue<PostedText> Answered { get; } = [];

    /// <summary>Holds answers back from now on.</summary>
    public void Hold() => Volatile.Write(ref _holding, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>Answers what was held back, and what comes.</summary>
    public void Release() => Interlocked.Exchange(ref _holding, null)?.TrySetResult();

    async Task Accept()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try { context = await _listener.GetContextAsync(); }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException) { return; }   // the test is over
            _ = Take(context);
        }
    }

    async Task Take(HttpListenerContext context)
    {
        using var reader = new StreamReader(context.Request.InputStream, Encoding.UTF8);
        var posted = new PostedText(context.Request.Headers["Idempotency-Key"] ?? "", await reader.ReadToEndAsync());
        All.Enqueue(posted);
        if (Volatile.Read(ref _holding) is { } held) await held.Task;
        try
        {
            context.Response.Close("ok"u8.ToArray(), willBlock: true);
            Answered.Enqueue(posted);
        }
        catch (HttpListenerException) { return; }   // whoever posted is dead
    }

    public async ValueTask DisposeAsync()
    {
        Release();
        _listener.Close();
        await _work;
    }
}
