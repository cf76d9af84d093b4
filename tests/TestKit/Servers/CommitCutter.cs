using System.Net;
using System.Net.Sockets;

namespace BackupDr.TestKit.Servers;

/// <summary>Where the connection is cut.</summary>
public enum Cut
{
    /// <summary>The server never hears of the commit.</summary>
    Before,
    /// <summary>The server has the commit, and may be still at it.</summary>
    During,
    /// <summary>The server has done it; its answer is lost.</summary>
    After,
}

/// <summary>Stands between a program and PostgreSQL (without TLS) and cuts the connection at a commit, where it is told to.</summary>
public sealed class CommitCutter : IAsyncDisposable
{
    static readonly byte[] Commit = "commit\0"u8.ToArray();

    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _closing = new();
    readonly (string Host, int Port) _server;
    readonly Func<Cut?> _decide;
    readonly Task _accepting;
    int _cuts;

    /// <param name="host">The server's.</param>
    /// <param name="port">The server's.</param>
    /// <param name="decide">Asked at each commit; null lets it pass.</param>
    public CommitCutter(string host, int port, Func<Cut?> decide)
    {
        (_server, _decide) = ((host, port), decide);
        _listener.Start();
        _accepting = Accept();
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Connections cut so far.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    async Task Accept()
    {
        var passing = new List<Task>();
        try
        {
            while (true) passing.Add(Pass(await _listener.AcceptTcpClientAsync(_closing.Token)));
        }
        catch (OperationCanceledException) { await Task.WhenAll(passing); }
    }

    async Task Pass(TcpClient client)
    {
        using var _ = client;
        using var server = new TcpClient();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
        try
        {
            await server.ConnectAsync(_server.Host, _server.Port, end.Token);
            (client.NoDelay, server.NoDelay) = (true, true);
            var answers = new TaskCompletionSource<bool>();   // set once: from then on the next answer is the commit's
            var isCutting = false;
            var back = Back(server.GetStream(), client.GetStream(), () => Volatile.Read(ref isCutting), answers, end.Token);
            await Forth(client.GetStream(), server.GetStream(), () => Volatile.Write(ref isCutting, true), answers.Task, end.Token);
            await end.CancelAsync();
            await back;
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            await end.CancelAsync();   // one side ended, or we do: so does the other
        }
    }

    async Task Forth(NetworkStream from, NetworkStream to, Action cutting, Task answered, CancellationToken ct)
    {
        var buffer = new byte[64 << 10];
        byte[]? prepared = null;   // a commit that the server was told of before is asked for by its name
        int read;
        while ((read = await from.ReadAsync(buffer, ct)) > 0)
        {
            var isCommit = IsCommit(buffer.AsSpan(0, read), ref prepared);
            var cut = isCommit ? _decide() : null;
            if (cut is not null) Interlocked.Increment(ref _cuts);
            if (cut == Cut.Before) return;
            if (cut == Cut.After) cutting();
            await to.WriteAsync(buffer.AsMemory(0, read), ct);
            if (cut == Cut.After) await answered.WaitAsync(ct);
            if (cut is not null) return;
        }
    }

    /// <summary>A message Parse holds the statement's name, empty where it is not kept, and its text; a message Bind, after the empty
    /// name of the portal, the name of the statement.</summary>
    static bool IsCommit(ReadOnlySpan<byte> sent, ref byte[]? prepared)
    {
        var at = sent.IndexOf(Commit);
        if (at < 0) return prepared is not null && sent.IndexOf(prepared) >= 0;
        var from = at - 1;
        while (from > 0 && (char.IsAsciiLetterOrDigit((char)sent[from - 1]) || sent[from - 1] == '_')) from--;
        if (from < at - 1) prepared = [0, .. sent[from..at]];
        return true;
    }

    static async Task Back(NetworkStream from, NetworkStream to, Func<bool> isCutting, TaskCompletionSource<bool> answered,
        CancellationToken ct)
    {
        var buffer = new byte[64 << 10];
        try
        {
            int read;
            while ((read = await from.ReadAsync(buffer, ct)) > 0)
            {
                // An answer ends with ReadyForQuery: 'Z', length 5, the transaction's state. The commit's is the last that is lost.
                if (!isCutting()) await to.WriteAsync(buffer.AsMemory(0, read), ct);
                else if (read >= 6 && buffer[read - 6] == 'Z') answered.TrySetResult(true);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            answered.TrySetResult(false);   // the other side is gone, which the pair learns at once
        }
    }

    /// <summary>Cuts all.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _closing.Dispose();
    }
}
