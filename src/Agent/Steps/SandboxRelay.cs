using System.Net;
using System.Net.Sockets;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Steps;

/// <summary>Lets programs of a sandbox reach one address outside: it listens there under that address, and leads on to the real one.
/// </summary>
sealed class SandboxRelay : IAsyncDisposable
{
    static readonly TimeSpan ConnectWithin = TimeSpan.FromSeconds(10);

    readonly TcpListener _listener;
    readonly IPEndPoint _outside;
    readonly CancellationTokenSource _stop = new();
    readonly Task _accepting;

    /// <summary>Begins.</summary>
    /// <param name="process">A process of the sandbox.</param>
    /// <param name="outside">The address.</param>
    public SandboxRelay(int process, IPEndPoint outside)
    {
        _outside = outside;
        _listener = NetworkNamespace.Inside(process, () =>
        {
            var listener = new TcpListener(outside);
            listener.Start();
            return listener;
        });
        _accepting = Task.Run(() => Accept(_stop.Token));
    }

    async Task Accept(CancellationToken ct)
    {
        var at = new List<Task>();
        try
        {
            while (true)
            {
                at.RemoveAll(task => task.IsCompleted);
                at.Add(Lead(await _listener.AcceptTcpClientAsync(ct), ct));
            }
        }
        catch (OperationCanceledException) { await Task.WhenAll(at); }   // the sandbox ends
    }

    async Task Lead(TcpClient inner, CancellationToken ct)
    {
        using var from = inner;
        using var to = new TcpClient(_outside.AddressFamily);
        try
        {
            using (var late = CancellationTokenSource.CreateLinkedTokenSource(ct))
            {
                late.CancelAfter(ConnectWithin);
                await to.ConnectAsync(_outside, late.Token);
            }
            await Task.WhenAll(Pump(from, to, ct), Pump(to, from, ct));
        }
        // Whoever called sees its connection end, as it would without us.
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException) { return; }
    }

    static async Task Pump(TcpClient from, TcpClient to, CancellationToken ct)
    {
        await from.GetStream().CopyToAsync(to.GetStream(), ct);
        to.Client.Shutdown(SocketShutdown.Send);
    }

    /// <summary>Ends it, and every connection through it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }
}
