using System.Net;
using System.Net.Sockets;
using System.Text;

namespace BackupDr.Storage.Tests;

/// <summary>Gives every request the same answer and ends the connection; for answers that no real server can be made to give.</summary>
/// <remarks>An empty answer is none: the connection stays open and silent.</remarks>
sealed class ScriptedServer : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _end = new();
    readonly List<TcpClient> _silent = [];
    readonly Task _serving;
    readonly byte[] _answer;
    int _requests;

    public ScriptedServer(string answer)
    {
        _answer = Encoding.ASCII.GetBytes(answer.ReplaceLineEndings("\r\n"));
        _listener.Start();
        _serving = Serve();
    }

    public string Endpoint => $"http://{_listener.LocalEndpoint}";

    /// <summary>Requests that came whole.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _serving;
        foreach (var client in _silent) client.Dispose();
        _listener.Dispose();
        _end.Dispose();
    }

    async Task Serve()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_end.Token);
                using var lines = new StreamReader(client.GetStream(), Encoding.ASCII, leaveOpen: true);
                while (await lines.ReadLineAsync(_end.Token) is { Length: > 0 }) { }
                Interlocked.Increment(ref _requests);
                if (_answer.Length == 0) { _silent.Add(client); continue; }
                await client.GetStream().WriteAsync(_answer, _end.Token);
                client.Dispose();
            }
        }
        catch (OperationCanceledException) { /* the end */ }
    }
}
