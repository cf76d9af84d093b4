using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;

namespace BackupDr.Scheduler.Hosts;

/// <summary>The built-in authority: signs agents' certificates and the agents' listener's, and recognises its own.</summary>
/// <remarks>ECDSA P-256. Its key and the listener's are sealed in the database, so every node of an installation presents the same
/// key.</remarks>
public sealed class CertificateAuthority(Postgres db, SealedSecrets secrets, AgentsOptions options, TimeProvider clock) : IDisposable
{
    /// <summary>How long an agent's certificate lasts; agents renew at half of it.</summary>
    public static readonly TimeSpan AgentLifetime = TimeSpan.FromDays(30);

    const string ClientUsage = "1.3.6.1.5.5.7.3.2";
    const string ServerUsage = "1.3.6.1.5.5.7.3.1";
    static readonly TimeSpan AuthorityLifetime = TimeSpan.FromDays(20 * 365);
    static readonly TimeSpan ListenerLifetime = TimeSpan.FromDays(365);
    static readonly TimeSpan Backdate = TimeSpan.FromHours(1);   // hosts whose clocks are slow

    X509Certificate2? _authority;
    X509Certificate2? _listener;

    /// <summary>SHA-256 of the authority's certificate, 64 hex characters: what join tokens carry.</summary>
    public string Fingerprint => Convert.ToHexStringLower(SHA256.HashData(Authority.RawData));

    /// <summary>The authority's certificate.</summary>
    public string AuthorityPem => Authority.ExportCertificatePem() + "\n";

    /// <summary>SHA-256 of the listener's public key in base64, as curl's --pinnedpubkey takes it.</summary>
    public string ListenerPin => Convert.ToBase64String(SHA256.HashData(Listener.PublicKey.ExportSubjectPublicKeyInfo()));

    /// <summary>The agents' listener's certificate, with its key. The key stays when the certificate is renewed.</summary>
    public X509Certificate2 Listener => _listener ?? throw NotLoaded();

    X509Certificate2 Authority => _authority ?? throw NotLoaded();

    static InvalidOperationException NotLoaded() => new("The certificate authority was not loaded.");

    /// <summary>Loads the installation's authority and listener; makes them at the first start. Called once.</summary>
    public async Task Load(CancellationToken ct)
    {
        await using var tx = await db.Begin(ct);
        await tx.Execute("lock table authority in share row exclusive mode", [], ct);   // nodes that start together make one
        _authority = await Stored(tx, "authority", ct) ?? await MakeAuthority(tx, ct);
        _listener = await Stored(tx, "listener_identity", ct);
        if (_listener is null || _listener.NotAfter.ToUniversalTime() < clock.GetUtcNow().UtcDateTime
            + ListenerLifetime / 2) await SignListener(tx, ct);
        await tx.Commit(ct);
        NameListener();
    }

    /// <summary>Signs the shared key once more with this node's names, for clients that compare names: stock restic at the gateway.
    /// Agents know the authority and compare none.</summary>
    void NameListener()
    {
        using var stored = _listener ?? throw NotLoaded();
        using var key = stored.GetECDsaPrivateKey() ?? throw NotLoaded();
        var request = new CertificateRequest("CN=BackupDr agents listener", key, HashAlgorithmName.SHA256);
        AddLeafExtensions(request, ServerUsage);
        var names = new SubjectAlternativeNameBuilder();
        foreach (var name in (string[])["agents.backupdr.internal", "localhost", .. MachineNames()]) names.AddDnsName(name);
        foreach (var address in Addresses()) names.AddIpAddress(address);
        request.CertificateExtensions.Add(names.Build());
        using var leaf = request.Create(Authority, ValidFrom(), stored.NotAfter, Serial());
        _listener = leaf.CopyWithPrivateKey(key);
    }

    IEnumerable<string> MachineNames()
    {
        if (Uri.CheckHostName(Environment.MachineName) == UriHostNameType.Dns) yield return Environment.MachineName;
        if (PublicHost is { HostNameType: UriHostNameType.Dns } uri) yield return uri.IdnHost;
    }

    IEnumerable<IPAddress> Addresses()
    {
        yield return IPAddress.Loopback;
        yield return IPAddress.IPv6Loopback;
        if (Listeners.TryParse(options.Url, out _, out var bound) && !bound.Equals(IPAddress.Any) && !bound.Equals(IPAddress.IPv6Any))
            yield return bound;
        if (PublicHost is { } uri && IPAddress.TryParse(uri.Host.Trim('[', ']'), out var address)) yield return address;
    }

    Uri? PublicHost => options.PublicUrl.Length > 0 ? new Uri(options.PublicUrl) : null;

    async Task<X509Certificate2?> Stored(Transaction tx, string table, CancellationToken ct)
    {
        var (pem, box) = await tx.First($"select certificate_pem, key_sealed from {table}", [], row =>
            (row.Text("certificate_pem"), row.Bytes("key_sealed")), ct);
        if (pem is null) return null;
        using var key = KeyOf(secrets.Open(table, "1", "key", box));
        using var certificate = X509Certificate2.CreateFromPem(pem);
        return certificate.CopyWithPrivateKey(key);
    }

    /// <summary>From when on a certificate holds that is signed now. Nothing holds before the authority does, and a node whose clock is
    /// behind that of the one that made it would ask for just that.</summary>
    DateTimeOffset ValidFrom()
    {
        var (wanted, least) = (clock.GetUtcNow() - Backdate, new DateTimeOffset(Authority.NotBefore.ToUniversalTime()));
        return wanted > least ? wanted : least;
    }

    async Task<X509Certificate2> MakeAuthority(Transaction tx, CancellationToken ct)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=BackupDr agents authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        var now = clock.GetUtcNow();
        var made = request.CreateSelfSigned(now - Backdate, now + AuthorityLifetime);
        await tx.Execute("insert into authority (certificate_pem, key_sealed) values ($1, $2)",
            [made.ExportCertificatePem(), (await secrets.InUse(tx, ct)).Seal("authority", "1", "key", key.ExportPkcs8PrivateKey())], ct);
        return made;
    }

    async Task SignListener(Transaction tx, CancellationToken ct)
    {
        using var key = _listener?.GetECDsaPrivateKey() ?? ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=BackupDr agents listener", key, HashAlgorithmName.SHA256);
        AddLeafExtensions(request, ServerUsage);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("agents.backupdr.internal");   // agents trust the authority, not the name
        request.CertificateExtensions.Add(names.Build());
        var now = clock.GetUtcNow();
        using var leaf = request.Create(Authority, ValidFrom(), now + ListenerLifetime, Serial());
        _listener = leaf.CopyWithPrivateKey(key);
        await tx.Execute("""
            insert into listener_identity (certificate_pem, key_sealed, expires_at) values ($1, $2, $3)
            on conflict (singleton) do update set certificate_pem = excluded.certificate_pem, key_sealed = excluded.key_sealed,
            expires_at = excluded.expires_at
            """,
            [leaf.ExportCertificatePem(), (await secrets.InUse(tx, ct)).Seal("listener_identity", "1", "key",
                key.ExportPkcs8PrivateKey()), now + ListenerLifetime], ct);
    }

    /// <summary>Signs an agent's certificate. Only the key of the request counts; the subject is the host's id, set here.</summary>
    /// <exception cref="BadInputException">It is no request for a P-256 key, or its own signature is wrong.</exception>
    public (string Pem, string Serial, DateTimeOffset ExpiresAt) Sign(string csrPem, HostId host)
    {
        CertificateRequest asked;
        try
        {
            asked = CertificateRequest.LoadSigningRequestPem(csrPem, HashAlgorithmName.SHA256);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            throw new BadInputException("csrPem", "This is no certificate request in PEM form.",
                "Send a PKCS#10 request for an ECDSA P-256 key.");
        }
        using var key = asked.PublicKey.GetECDsaPublicKey();
        if (key is null || key.ExportParameters(false).Curve.Oid.Value != ECCurve.NamedCurves.nistP256.Oid.Value)
            throw new BadInputException("csrPem", "The request is not for an ECDSA P-256 key.", "Make the key with the curve P-256.");
        var request = new CertificateRequest($"CN={host}", key, HashAlgorithmName.SHA256);
        AddLeafExtensions(request, ClientUsage);
        var now = clock.GetUtcNow();
        using var leaf = request.Create(Authority, ValidFrom(), now + AgentLifetime, Serial());
        return (leaf.ExportCertificatePem() + "\n", leaf.SerialNumber, now + AgentLifetime);
    }

    /// <summary>Whether a client certificate is one of ours and valid now.</summary>
    public bool IsOurs(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(Authority);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;   // revocation is looked up in the database
        chain.ChainPolicy.DisableCertificateDownloads = true;
        chain.ChainPolicy.ApplicationPolicy.Add(new Oid(ClientUsage));
        chain.ChainPolicy.VerificationTimeIgnored = false;
        chain.ChainPolicy.VerificationTime = clock.GetUtcNow().UtcDateTime;
        return chain.Build(certificate);
    }

    /// <summary>The host that a certificate of ours names; null for others.</summary>
    public HostId? HostOf(X509Certificate2 certificate)
        => TypedId.TryParse<HostId>(certificate.GetNameInfo(X509NameType.SimpleName, false), out var host) && IsOurs(certificate) ? host
            : null;

    void AddLeafExtensions(CertificateRequest request, string usage)
    {
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], true));
        request.CertificateExtensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromCertificate(Authority, true, false));
    }

    static byte[] Serial()
    {
        var serial = RandomNumberGenerator.GetBytes(16);
        serial[0] = (byte)((serial[0] & 0x3f) | 0x40);   // positive and of full length
        return serial;
    }

    static ECDsa KeyOf(byte[] pkcs8)
    {
        var key = ECDsa.Create();
        key.ImportPkcs8PrivateKey(pkcs8, out _);
        return key;
    }

    public void Dispose()
    {
        _authority?.Dispose();
        _listener?.Dispose();
    }
}
