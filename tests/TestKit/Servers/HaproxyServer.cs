using System.Globalization;
using Xunit;

namespace BackupDr.TestKit.Servers;

/// <summary>A real HAProxy on loopback with a folder of its own: the backend "be" with the servers s1 and s2, which are this test's, and
/// its runtime API both on a port and on a socket.</summary>
/// <param name="site">Where it works; null for this machine's loopback.</param>
public sealed class HaproxyServer(SiteNetwork.Site? site = null) : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2), LookEvery = TimeSpan.FromMilliseconds(50);

    readonly ScratchFolder _folder = new();
    readonly int _port = FreePorts.Find(2);
    GuardedProcess? _haproxy;

    string Address => site?.Address ?? "127.0.0.1";

    /// <summary>Where traffic comes in.</summary>
    public int Front => _port;

    /// <summary>The runtime API over TCP.</summary>
    public string Api => string.Create(CultureInfo.InvariantCulture, $"{Address}:{_port + 1}");

    /// <summary>The runtime API over a socket.</summary>
    public string Socket => $"unix:{_folder.At("api")}";

    /// <summary>Starts it before two servers. Skips the test where it is not installed.</summary>
    /// <param name="first">Port of s1.</param>
    /// <param name="second">Port of s2, in maintenance at the beginning.</param>
    public Task Start(int first, int second) => Start(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{first}"),
        string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{second}"));

    /// <summary>Starts it before two servers of whatever address.</summary>
    /// <param name="first">Address and port of s1.</param>
    /// <param name="second">Address and port of s2, in maintenance at the beginning.</param>
    public async Task Start(string first, string second)
    {
        if (!File.Exists("/usr/sbin/haproxy")) Tool.Need("haproxy", "haproxy");
        _folder.File("cfg", $"""
            global
                stats socket {_folder.At("api")} mode 600 level admin
                stats socket {Address}:{_port + 1} level admin
            defaults
                mode tcp
                retries 0
                timeout connect 2s
                timeout client 30s
                timeout server 30s
            frontend fe
                bind {Address}:{Front}
                default_backend be
            backend be
                server s1 {first} weight 100
                server s2 {second} weight 100 disabled
            backend sandbox
                server s1 {first} disabled

            """);
        _haproxy = new GuardedProcess(_folder.At("log"), [.. site?.Words ?? [], "/usr/sbin/haproxy", "-db", "-f", _folder.At("cfg")]);
        using var late = new CancellationTokenSource(Patience);
        while (!await IsUp(late.Token))
        {
            if (_haproxy.HasEnded) Assert.Fail($"haproxy ended: {_haproxy.LastWords}");
            await Task.Delay(LookEvery, late.Token);
        }
    }

    async Task<bool> IsUp(CancellationToken ct)
    {
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(Address, _port + 1, ct);
            return true;
        }
        catch (System.Net.Sockets.SocketException) { return false; }   // not yet
    }

    /// <summary>Ends it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_haproxy is not null) await _haproxy.DisposeAsync();
        _folder.Dispose();
    }
}
