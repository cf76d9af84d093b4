using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;

namespace BackupDr.Storage.Http;

/// <summary>The HTTP connections of a store: with limits, and with the authorities that the options name.</summary>
static class StoreHttp
{
    /// <summary>See <see cref="IObjectStore.RequestsAtOnce"/>.</summary>
    public const int RequestsAtOnce = 8;

    const string ServerUsage = "1.3.6.1.5.5.7.3.1";
    // A load balancer's addresses change; a connection that lives for ever would never notice.
    static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(10);

    /// <summary>A client that the caller disposes. It has no time limit of its own: stalls are cut by <see cref="Stall"/>.</summary>
    /// <param name="options">Authorities and our own certificate.</param>
    /// <param name="clock">Sees every answer; null where nobody asks for the server's clock.</param>
    /// <exception cref="BadInputException">The file with certificates cannot be used.</exception>
    public static HttpClient Open(StoreOptions options, ServerClock? clock = null)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectPatience,
            PooledConnectionLifetime = ConnectionLifetime,
            AllowAutoRedirect = false,                     // a signature is made for one host
            AutomaticDecompression = DecompressionMethods.None,
            UseCookies = false,
        };
        if (options.ClientCertificate is { } shown)
            handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => shown();   // also where the server names no issuers
        if (options.Authority is { } authority)
            handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, _) => IsSignedBy(authority, certificate);
        else handler.SslOptions.RemoteCertificateValidationCallback = ServerTrust.By(Own(options));
        HttpMessageHandler way = options.Bandwidth is { } limits ? new PacedTraffic(limits) { InnerHandler = handler } : handler;
        clock?.InnerHandler = way;
        return new HttpClient(clock ?? way, disposeHandler: true) { Timeout = Timeout.InfiniteTimeSpan };
    }

    static X509Certificate2Collection Own(StoreOptions options)
    {
        var own = new X509Certificate2Collection();
        if (options.CaCertificateFile is { } file) own.AddRange(Read(file));
        if (options.AuthorityPem is { } pem) own.AddRange(Authorities.Parse("authority", pem));
        return own;
    }

    static X509Certificate2Collection Read(string file)
    {
        var found = new X509Certificate2Collection();
        try { found.ImportFromPemFile(file); }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("--cacert", $"The certificates in {file} cannot be read: {e.Message}", "Give a PEM file.");
        }
        return Authorities.Checked("--cacert", found);
    }

    static bool IsSignedBy(X509Certificate2 authority, X509Certificate? certificate)
    {
        if (certificate is not X509Certificate2 server) return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ServerUsage));
        return chain.Build(server);
    }
}
