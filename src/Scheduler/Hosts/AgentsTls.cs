using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace BackupDr.Scheduler.Hosts;

/// <summary>TLS of the agents' listener: our own certificate; clients may show one of ours, and no other.</summary>
public sealed class AgentsTls(CertificateAuthority authority)
{
    static readonly TimeSpan HandshakePatience = TimeSpan.FromSeconds(10);

    (X509Certificate2 Certificate, SslStreamCertificateContext Context)? _current;

    /// <summary>For Kestrel.</summary>
    public TlsHandshakeCallbackOptions Options => new()
    {
        HandshakeTimeout = HandshakePatience,
        OnConnection = _ => ValueTask.FromResult(new SslServerAuthenticationOptions
        {
            ServerCertificateContext = Context(),
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            ClientCertificateRequired = true,   // asked for; the callback admits those who show none, for joining
            RemoteCertificateValidationCallback = (_, shown, _, _) => shown is null
                || (shown is X509Certificate2 certificate && authority.IsOurs(certificate)),
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        }),
    };

    SslStreamCertificateContext Context()
    {
        var certificate = authority.Listener;
        if (_current is { } current && ReferenceEquals(current.Certificate, certificate)) return current.Context;
        var context = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        _current = (certificate, context);
        return context;
    }
}
