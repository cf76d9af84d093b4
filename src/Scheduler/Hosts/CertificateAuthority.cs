using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Hosts;

/// <summary>The built-in authority: signs agents' certificates and the listener's, and recognises its own.</summary>
/// <remarks>ECDSA P-256. Its key and the listener's are sealed in the database, so every node of an installation presents the same key.</remarks>
public sealed class CertificateAuthority(Postgres db, SealedSecrets secrets, TimeProvider clock) : IDisposable
{
    const string ClientAuth = "1.3.6.1.5.5.7.3.2", ServerAuth = "1.3.6.1.5.5.7.3.1", SealedRow = "1";

    /// <summary>How long an agent's certificate lasts; agents renew at half of it.</summary>
    public static readonly TimeSpan AgentLifetime = TimeSpan.FromDays(30);
    static readonly TimeSpan ListenerLifetime = TimeSpan.FromDays(365), AuthorityLifetime = TimeSpan.FromDays(3650), Backdate = TimeSpan.FromMinutes(10);

    X509Certificate2? _authority, _listener;

    X509Certificate2 Authority => _authority ?? throw new InvalidOperationException("The authority was not loaded.");
    X509Certificate2 ListenerCertificate => _listener ?? throw new InvalidOperationException("The authority was not loaded.");

    /// <summary>SHA-256 of the authority's certificate, 64 hex characters: what join tokens carry.</summary>
    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData(Authority.RawData));
    /// <summary>SHA-256 of the listener's public key in base64: what the install line pins.</summary>
    public string ListenerPin => Convert.ToBase64String(SHA256.HashData(ListenerCertificate.PublicKey.ExportSubjectPublicKeyInfo()));
    /// <summary>The authority's certificate.</summary>
    public string AuthorityPem => Authority.ExportCertificatePem();

    /// <summary>How the agents' listener greets: with its certificate and the authority's; asks for a client certificate and refuses foreign ones.</summary>
    public SslServerAuthenticationOptions Greeting() => new()
    {
        ServerCertificateContext = SslStreamCertificateContext.Create(ListenerCertificate, [Authority], offline: true),
        ClientCertificateRequired = true,   // asked for; whoever has none may only join
        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is null || (certificate is X509Certificate2 full && IsOurs(full)),
    };

    /// <summary>Loads the installation's authority and listener key, or makes them at the first start. Called once, before the listener opens.</summary>
    public async Task Load(CancellationToken ct)
    {
        await db.InTransaction(tx => Make(tx, ct), ct);
        var (pem, box) = await db.First("select certificate_pem, key_sealed from authority", [], row => (row.Text(0), row.Bytes(1)), ct);
        using var key = Key(secrets.Open("authority", SealedRow, "key_sealed", box));
        using var certificate = X509Certificate2.CreateFromPem(pem);
        _authority = Portable(certificate.CopyWithPrivateKey(key));
        var listenerBox = await db.First("select key_sealed from listener_identity", [], row => row.Bytes(0), ct);
        using var listenerKey = Key(secrets.Open("listener_identity", SealedRow, "key_sealed", listenerBox!));
        _listener = ForListener(_authority, listenerKey, clock.GetUtcNow());
    }

    async Task Make(Transaction tx, CancellationToken ct)
    {
        // Two first nodes may start at once: the table lock lets one make it, and the other finds it made.
        await tx.Execute("lock table authority in exclusive mode", [], ct);
        if (await tx.Scalar<long>("select count(*) from authority", [], ct) > 0) return;
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var listenerKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=BackupDr agents authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = clock.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now - Backdate, now + AuthorityLifetime);
        await tx.Execute("insert into authority (certificate_pem, key_sealed) values ($1, $2)", [certificate.ExportCertificatePem(), secrets.Seal("authority", SealedRow, "key_sealed", key.ExportPkcs8PrivateKey())], ct);
        using var listener = ForListener(certificate, listenerKey, now);
        await tx.Execute("insert into listener_identity (certificate_pem, key_sealed, expires_at) values ($1, $2, $3)",
            [listener.ExportCertificatePem(), secrets.Seal("listener_identity", SealedRow, "key_sealed", listenerKey.ExportPkcs8PrivateKey()), now + ListenerLifetime], ct);
    }

    static ECDsa Key(byte[] pkcs8)
    {
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(pkcs8, out _);
        return key;
    }

    // A certificate with an ephemeral key cannot be used by the TLS stack on every platform; one that went through PKCS#12 can.
    static X509Certificate2 Portable(X509Certificate2 certificate) => X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);

    static X509Certificate2 ForListener(X509Certificate2 authority, ECDsa key, DateTimeOffset now)
    {
        var request = new CertificateRequest("CN=BackupDr agents listener", key, HashAlgorithmName.SHA256);
        AddLeafExtensions(request, authority, ServerAuth);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("backupdr-agents");
        request.CertificateExtensions.Add(names.Build());
        using var leaf = request.Create(authority, now - Backdate, now + ListenerLifetime, Serial());
        return Portable(leaf.CopyWithPrivateKey(key));
    }

    static void AddLeafExtensions(CertificateRequest request, X509Certificate2 authority, string usage)
    {
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], true));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(authority, true, false));
    }

    static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] &= 0x7f;
        return serial;
    }

    /// <summary>Signs an agent's certificate. Only the key of the request counts; the subject is the host's id, set here.</summary>
    /// <exception cref="BadInputException">It is no request for a P-256 key, or its own signature is wrong.</exception>
    public (string Pem, string Serial, DateTimeOffset ExpiresAt) Sign(string csrPem, HostId host)
    {
        CertificateRequest asked;
        try { asked = CertificateRequest.LoadSigningRequestPem(csrPem, HashAlgorithmName.SHA256); }
        catch (Exception e) when (e is CryptographicException or ArgumentException) { throw new BadInputException("csrPem", "This is no certificate request in PEM form.", "Send a PKCS#10 request for an ECDSA P-256 key."); }
        if (asked.PublicKey.GetECDsaPublicKey() is not { KeySize: 256 } key) throw new BadInputException("csrPem", "The request is not for an ECDSA P-256 key.", "Make the key with the curve P-256.");
        using (key)
        {
            var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
            AddLeafExtensions(request, Authority, ClientAuth);
            var now = clock.GetUtcNow();
            using var leaf = request.Create(Authority, now - Backdate, now + AgentLifetime, Serial());
            return (leaf.ExportCertificatePem(), leaf.SerialNumber, now + AgentLifetime);
        }
    }

    /// <summary>Whether a client certificate is one of ours and still valid.</summary>
    public bool IsOurs(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(Authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientAuth));
        chain.ChainPolicy.VerificationTime = clock.GetUtcNow().UtcDateTime;
        chain.ChainPolicy.VerificationTimeIgnored = false;
        return chain.Build(certificate);
    }

    /// <summary>The host that a certificate of ours names; null for others.</summary>
    public HostId? HostOf(X509Certificate2 certificate)
    {
        var name = certificate.GetNameInfo(X509NameType.SimpleName, false);
        return TypedId.TryParse<HostId>(name, out var host) && IsOurs(certificate) ? host : null;
    }

    /// <summary>Frees the certificates.</summary>
    public void Dispose()
    {
        _authority?.Dispose();
        _listener?.Dispose();
    }
}
