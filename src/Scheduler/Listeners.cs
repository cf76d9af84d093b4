using System.Diagnostics.CodeAnalysis;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace BackupDr.Scheduler;

/// <summary>Which of a node's two listeners a connection came in by.</summary>
public enum Listener
{
    /// <summary>Console and public API.</summary>
    Console,
    /// <summary>Agents.</summary>
    Agents,
}

/// <summary>Marks a connection with its listener.</summary>
/// <param name="Listener">It came in here.</param>
/// <param name="OpenedAt">When, as <see cref="TimeProvider.GetTimestamp"/> says it.</param>
public sealed record ListenerFeature(Listener Listener, long OpenedAt);

/// <summary>The addresses of a node's listeners.</summary>
public sealed class Listeners(NodeSettings settings, IServer server)
{
    /// <summary>The console's URL as bound; known once the node runs.</summary>
    public Uri Console => Bound(settings.Console.Url);

    /// <summary>The agents' URL as bound; known once the node runs.</summary>
    public Uri Agents => Bound(settings.Agents.Url);

    /// <summary>How hosts reach the agents' listener.</summary>
    public string AgentsPublicUrl
    {
        get
        {
            if (settings.Agents.PublicUrl.Length > 0) return settings.Agents.PublicUrl.TrimEnd('/');
            var bound = Agents;
            var isAny = IPAddress.TryParse(bound.Host.Trim('[', ']'), out var address)
                && (address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any));
            return $"https://{(isAny ? Environment.MachineName : bound.Host)}:{bound.Port}";
        }
    }

    Uri Bound(string configured)
    {
        if (!TryParse(configured, out var wanted, out _)) throw new InvalidOperationException($"'{configured}' is no listener address.");
        if (wanted.Port != 0) return wanted;
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        return addresses.Select(text => new Uri(text)).First(bound => bound.Scheme == wanted.Scheme);
    }

    /// <summary>Reads a listener's URL: an IP address or localhost, and a port.</summary>
    public static bool TryParse(string url, [NotNullWhen(true)] out Uri? uri, [NotNullWhen(true)] out IPAddress? address)
    {
        address = null;
        if (!Uri.TryCreate(url, UriKind.Absolute, out uri) || uri.AbsolutePath != "/" || uri.Query.Length > 0) return false;
        address = uri.Host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(uri.Host.Trim('[', ']'), out var parsed) ? parsed
            : null;
        return address is not null;
    }

    /// <summary>Whether the text is an https URL that is nothing but name and port, so that it may stand in a shell line.</summary>
    public static bool IsPublicUrl(string url)
        => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme == "https" && uri.AbsolutePath == "/" && uri.Query.Length == 0
            && uri.Fragment.Length == 0
            && uri.UserInfo.Length == 0 && url.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is ':' or '/' or '.' or '-' or '['
                or ']');
}
