using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace BackupDr.TestKit;

/// <summary>Ports for servers under test.</summary>
/// <remarks>
/// Not from the range that the kernel gives to outgoing connections (32768 and up): a server that is ended and started again must find its
/// port as it left it, and there any client's connection may have taken it meanwhile.
/// </remarks>
public static class FreePorts
{
    const int First = 15_000, End = 32_000;

    /// <summary>The first of <paramref name="count"/> neighbouring ports that nobody listens on.</summary>
    public static int Find(int count = 1)
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(First, End);
            if (Enumerable.Range(port, count).All(IsFree)) return port;
        }
    }

    /// <summary>What to add to each of these ports, so that nobody listens on any of them.</summary>
    public static int Offset(params IReadOnlyCollection<int> ports)
    {
        while (true)
        {
            var offset = RandomNumberGenerator.GetInt32(First - ports.Min(), End - ports.Max());
            if (ports.All(port => IsFree(port + offset))) return offset;
        }
    }

    static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Any, port));
            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse) { return false; }
    }
}
