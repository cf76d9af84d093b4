using System.Net;
using System.Net.Sockets;

namespace BackupDr.TestKit.Servers;

/// <summary>An address that can be pointed at another machine, as a name in DNS is: passes TCP on to where it points.</summary>
public sealed class Relay : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _closing = new();
    readonly Lock _gate = new();
    readonly Task _accepting;
    CancellationTokenSource _passing = new();
    int _target;

    /// <param name="target">The port of this machine that it points at first.</param>
    public Relay(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = Accept();
    }

    /// <summary>Where it listens.</summary>
    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Points it elsewhere, and cuts what it passes to where it pointed before.</summary>
    public void Point(int target)
    {
        CancellationTokenSource before;
        lock (_gate) (_target, before, _passing) = (target, _passing, new CancellationTokenSource());
        before.Cancel();
        before.Dispose();
    }

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
        int target;
        CancellationTokenSource end;
        lock (_gate)
            (target, end) = (_target, CancellationTokenSource.CreateLinkedTokenSource(_closing.Token, _passing.Token));
        using (end)
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, target, end.Token);
                (client.NoDelay, server.NoDelay) = (true, true);
                Task[] ways = [client.GetStream().CopyToAsync(server.GetStream(), end.Token),
                    server.GetStream().CopyToAsync(client.GetStream(), end.Token)];
                await Task.WhenAny(ways);
                await end.CancelAsync();
                await Task.WhenAll(ways);
            }
            // One side ended, nobody listens there, or it points elsewhere now: the other side learns it by the end of its connection.
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                await end.CancelAsync();
            }
    }

    /// <summary>Cuts all.</summary>
    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _passing.Dispose();
        _closing.Dispose();
    }
}
