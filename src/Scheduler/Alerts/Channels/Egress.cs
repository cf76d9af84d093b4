using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Storage.Http;

namespace BackupDr.Scheduler.Alerts.Channels;

/// <summary>Connections to what an administrator entered, and to nothing that only looks like it.</summary>
/// <remarks>Link-local addresses carry the metadata services of clouds, which hand out credentials: a name that leads there is
/// refused, whatever it is called.</remarks>
static class Egress
{
    static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    // The metadata service of one cloud has an address that is not link-local.
    static readonly IPAddress OtherMetadata = IPAddress.Parse("fd00:ec2::254");

    /// <summary>Who may vouch for a channel's server beside those that this machine knows.</summary>
    public static X509Certificate2Collection Authorities(ChannelSettings settings)
        => settings.AuthorityPem is { } pem ? Storage.Http.Authorities.Parse("authority", pem) : [];

    /// <summary>A client that follows no redirect, asks no proxy and keeps no cookie.</summary>
    /// <param name="timeout">Longest request.</param>
    /// <param name="authorities">Who may vouch for servers besides; empty for none.</param>
    /// <param name="connecting">Asked before each connection; throws where there is to be none.</param>
    public static HttpClient Client(TimeSpan timeout, X509Certificate2Collection authorities, Action? connecting = null)
        => new(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = ServerTrust.By(authorities) },
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            MaxResponseHeadersLength = 32,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            ConnectCallback = async (context, ct) =>
            {
                connecting?.Invoke();
                return await Connect(context.DnsEndPoint.Host, context.DnsEndPoint.Port, ct);
            },
        })
        { Timeout = timeout };

    /// <summary>Connects to the first address that answers.</summary>
    /// <exception cref="IOException">None does, or none is allowed; the message says which.</exception>
    public static async Task<NetworkStream> Connect(string host, int port, CancellationToken ct)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
        late.CancelAfter(ConnectLimit);
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(host, late.Token);
            if (addresses.FirstOrDefault(address => !IsAllowed(address)) is { } refused)
                throw new IOException($"{host} leads to {refused}, which is no address that is connected to.");
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(addresses, port, late.Token);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
        catch (SocketException e)
        {
            throw new IOException($"{host}:{port}: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw new IOException($"{host}:{port} did not answer within {ConnectLimit.TotalSeconds:0} seconds.", e);
        }
    }

    /// <summary>Whether an address may be connected to.</summary>
    public static bool IsAllowed(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        if (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) || address.Equals(OtherMetadata)) return false;
        if (address.AddressFamily == AddressFamily.InterNetworkV6) return !address.IsIPv6LinkLocal && !address.IsIPv6Multicast;
        var bytes = address.GetAddressBytes();
        return !(bytes[0] == 169 && bytes[1] == 254) && bytes[0] is > 0 and < 224;
    }

    /// <summary>An address that somebody wrote.</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public static Uri Url(string? text)
    {
        if (!Uri.TryCreate(text?.Trim(), UriKind.Absolute, out var url) || url.Scheme is not ("https" or "http") || url.UserInfo.Length > 0)
            throw new BadInputException("url", "This is no address that can be called.",
                "For example https://hooks.example.org/services/T0…");
        if (IPAddress.TryParse(url.Host.Trim('[', ']'), out var address) && !IsAllowed(address))
            throw new BadInputException("url", $"{address} is no address that is connected to.",
                "Link-local addresses lead to the metadata services of clouds.");
        return url;
    }
}
