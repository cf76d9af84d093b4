using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Steps;

/// <summary>Sees what programs of a sandbox try to reach, and what names they ask for. Nothing of it leaves the sandbox, where every
/// address is the sandbox itself: what nobody listens at is refused by the kernel at once.</summary>
sealed class SandboxWatch : IDisposable
{
    const int Most = 100, Snapped = 512, Ipv4 = 4, Ipv6 = 6, Ipv6Header = 40, LeastIpv4Header = 20, UdpHeader = 8, DnsHeader = 12;
    const int Tcp = 6, Udp = 17, TcpFlags = 13, Syn = 0x02, Ack = 0x10, NameServerPort = 53, LongestLabel = 63;
    static readonly ProtocolType Everything = (ProtocolType)(ushort)IPAddress.HostToNetworkOrder((short)3);   // ETH_P_ALL
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    readonly Socket _socket;
    readonly Lock _gate = new();
    readonly HashSet<string> _allowed = new(StringComparer.Ordinal);
    readonly List<string> _tried = [];
    readonly Thread _reader;
    volatile bool _isOver;

    /// <summary>Begins.</summary>
    /// <param name="process">A process of the sandbox.</param>
    public SandboxWatch(int process)
    {
        _socket = NetworkNamespace.Inside(process, () => new Socket(AddressFamily.Packet, SocketType.Dgram, Everything));
        _reader = new Thread(Read) { IsBackground = true, Name = "sandbox watch" };
        _reader.Start();
    }

    /// <summary>What was tried since the last time, in order, each once: "10.1.0.5:5432", "the name db.example.org".</summary>
    public IReadOnlyList<string> Take()
    {
        lock (_gate)
        {
            Drain();   // the kernel hands a packet over before the program that sent it goes on
            string[] taken = [.. _tried];
            _tried.Clear();
            return taken;
        }
    }

    /// <summary>Counts what goes to an address that is let through as no attempt.</summary>
    public void Allow(IPEndPoint end)
    {
        lock (_gate) _allowed.Add(end.ToString());
    }

    // The kernel keeps a few hundred packets only.
    void Read()
    {
        while (!_isOver)
            if (_socket.Poll(LookEvery, SelectMode.SelectRead))
                lock (_gate) Drain();
    }

    void Drain()
    {
        Span<byte> packet = stackalloc byte[Snapped];   // its beginning is enough
        while (_socket.Available > 0) Note(packet[.._socket.Receive(packet)]);
    }

    void Note(ReadOnlySpan<byte> packet)
    {
        var (header, protocol, address) = packet.Length == 0 ? default : (packet[0] >> 4) switch
        {
            Ipv4 when packet.Length >= LeastIpv4Header => ((packet[0] & 15) * 4, packet[9], new IPAddress(packet[16..20])),
            Ipv6 when packet.Length >= Ipv6Header => (Ipv6Header, packet[6], new IPAddress(packet[24..40])),
            _ => default((int, byte, IPAddress?)),
        };
        if (address is null || packet.Length < header + UdpHeader) return;
        var body = packet[header..];
        var port = BinaryPrimitives.ReadUInt16BigEndian(body[2..]);
        if (protocol == Udp && port == NameServerPort && Name(body[UdpHeader..]) is { } name) Add($"the name {name}");
        else if (!IPAddress.IsLoopback(address) && (protocol == Udp
            || (protocol == Tcp && body.Length > TcpFlags && (body[TcpFlags] & (Syn | Ack)) == Syn)))
            Add(new IPEndPoint(address, port).ToString());
    }

    void Add(string one)
    {
        if (_tried.Count < Most && !_allowed.Contains(one) && !_tried.Contains(one)) _tried.Add(one);
    }

    /// <summary>The name that a question to a name server is about; null where it is none.</summary>
    internal static string? Name(ReadOnlySpan<byte> message)
    {
        var name = new StringBuilder();
        for (var at = DnsHeader; at < message.Length && message[at] is > 0 and <= LongestLabel; at += message[at] + 1)
        {
            if (at + 1 + message[at] > message.Length) return null;
            if (name.Length > 0) name.Append('.');
            foreach (var letter in message.Slice(at + 1, message[at])) name.Append(letter is > (byte)' ' and < 127 ? (char)letter : '?');
        }
        return name.Length > 0 ? name.ToString() : null;
    }

    /// <summary>Ends it.</summary>
    public void Dispose()
    {
        _isOver = true;
        _reader.Join();
        _socket.Dispose();
    }
}
