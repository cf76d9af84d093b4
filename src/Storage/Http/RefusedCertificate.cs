using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace BackupDr.Storage.Http;

/// <summary>A server's certificate is not trusted, and why.</summary>
sealed class RefusedCertificate : AuthenticationException
{
    RefusedCertificate(string message, string advice) : base(message) => Advice = advice;

    /// <summary>What the reader can do next.</summary>
    public string Advice { get; }

    /// <param name="certificate">What the server showed.</param>
    /// <param name="seen">The chain as the system sees it.</param>
    /// <param name="errors">What the system found wrong.</param>
    /// <param name="hasOwn">Whether authorities of our own were given, and did not fit.</param>
    public static RefusedCertificate Of(X509Certificate? certificate, X509Chain? seen, SslPolicyErrors errors, bool hasOwn)
    {
        if (certificate is not X509Certificate2 server)
            return new RefusedCertificate("it shows none", "Check that it is the right host and port.");
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
            return new RefusedCertificate($"it is for {Hosts(server)}", "Check that it is the right host, and write it as the certificate "
                + "does.");
        var status = seen?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status) ?? default;
        if (status.HasFlag(X509ChainStatusFlags.NotTimeValid))
            return new RefusedCertificate(string.Create(CultureInfo.InvariantCulture, $"it, or one above it, does not count now; it counts "
                + $"from {server.NotBefore.ToUniversalTime():yyyy-MM-dd} to {server.NotAfter.ToUniversalTime():yyyy-MM-dd}"),
                "Renew it at the server, or set this machine's clock.");
        // The highest that the server showed: what signed that is what is missing.
        var top = seen is { ChainElements.Count: > 0 } ? seen.ChainElements[^1].Certificate : server;
        var signer = Authorities.Signer(top);
        var words = Authorities.IsSignedByItself(server) ? $"it is signed by itself, '{signer}'" : $"it is signed by '{signer}'";
        return new RefusedCertificate(hasOwn ? $"{words}, and not by the authority that was given" : words,
            "Give that authority's certificate with --cacert FILE, or paste it into the location; or check that it is the right host.");
    }

    static string Hosts(X509Certificate2 server)
    {
        var named = server.Extensions.OfType<X509SubjectAlternativeNameExtension>()
            .SelectMany(names => names.EnumerateDnsNames().Concat(names.EnumerateIPAddresses().Select(address => address.ToString())))
            .Take(5).ToList();
        return named.Count > 0 ? string.Join(", ", named) : $"'{Authorities.Name(server)}'";
    }
}
