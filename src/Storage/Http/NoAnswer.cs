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
            // .NET's words for an answer that is no TLS have no type of their own.
            if (at is AuthenticationException && at.Message.Contains("frame", StringComparison.Ordinal))
                return new StoreException(StoreFault.Unusable, $"{what}: the server does not answer in TLS.",
                    "Check the port; if the server has no TLS, write http:// instead of https://.", e);
            if (at is RefusedCertificate refused)
                return new StoreException(StoreFault.Unusable, $"{what}: the server's certificate is not trusted: {refused.Message}.",
                    refused.Advice, e);
            if (at is AuthenticationException)
                return new StoreException(StoreFault.Unusable, $"{what}: the server's certificate is not trusted: {at.Message}",
                    "Give its authority with --cacert FILE, or check that it is the right host.", e);
            if (at is SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData })
                return new StoreException(StoreFault.Unavailable, $"{what}: the host's name is not known.", "Check the address and DNS.",
                    e);
            // So a server that wants TLS treats one who does not speak it.
            if (what.Contains("http://", StringComparison.Ordinal)
                && at is HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse }
                or HttpIOException { HttpRequestError: HttpRequestError.ResponseEnded })
                return new StoreException(StoreFault.Unavailable, $"{what}: {at.Message}",
                    "Check the port; if the server wants TLS, write https:// instead of http://.", e);
            if (at is SocketException socket)
                return new StoreException(StoreFault.Unavailable, $"{what}: {socket.Message}.", "Check that the server runs there.", e);
        }
        return new StoreException(StoreFault.Unavailable, $"{what}: {e.Message}", null, e);
    }
}
