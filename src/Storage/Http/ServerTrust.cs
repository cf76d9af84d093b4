using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace BackupDr.Storage.Http;

/// <summary>Which servers are believed to be who they say: those that this machine trusts, and those that authorities of one's own vouch
/// for. The host's name is always checked.</summary>
public static class ServerTrust
{
    /// <summary>Looks at a server's certificate while the connection is made. One that is not trusted ends that with an
    /// <see cref="System.Security.Authentication.AuthenticationException"/> that says what is wrong with it.</summary>
    /// <param name="own">Authorities besides; empty for none.</param>
    public static RemoteCertificateValidationCallback By(X509Certificate2Collection own) => (_, certificate, chain, errors)
        => errors == SslPolicyErrors.None || IsTrusted(own, certificate, chain, errors) ? true
            : throw RefusedCertificate.Of(certificate, chain, errors, own.Count > 0);

    // The host's name is always checked; only who may vouch for it is exchanged.
    static bool IsTrusted(X509Certificate2Collection authorities, X509Certificate? certificate, X509Chain? seen, SslPolicyErrors errors)
    {
        if (authorities.Count == 0 || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != 0
            || certificate is not X509Certificate2 server) return false;
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;   // private authorities seldom answer for revocation
        if (seen is not null)
            foreach (var element in seen.ChainElements) chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        return chain.Build(server);
    }
}
