using System.Net.Sockets;
using System.Security.Authentication;

namespace BackupDr.Storage.Http;

/// <summary>The store's words for a request that no answer came to.</summary>
static class NoAnswer
{
    /// <param name="what">What was attempted, for example "put config in s3:https://host/bucket".</param>
    /// <param name="e">What the SDK threw.</param>
    public static StoreException Translate(string what, Exception e)
    {
        for (var at = e; at is not null; at = at.InnerException)
        {
            if (at is AuthenticationException)
                return new StoreException(StoreFault.Unusable, $"{what}: the server's certificate is not trusted: {at.Message}",
                    "Give its authority with --cacert FILE, or check that it is the right host.", e);
            if (at is SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData })
                return new StoreException(StoreFault.Unavailable, $"{what}: the host's name is not known.", "Check the address and DNS.",
                    e);
            if (at is SocketException socket)
                return new StoreException(StoreFault.Unavailable, $"{what}: {socket.Message}.", "Check that the server runs there.", e);
        }
        return new StoreException(StoreFault.Unavailable, $"{what}: {e.Message}", null, e);
    }
}
