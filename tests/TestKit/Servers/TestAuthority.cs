using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace BackupDr.TestKit.Servers;

/// <summary>A private authority, as firms have one, that signs the certificates of servers.</summary>
public sealed class TestAuthority : IDisposable
{
    static readonly DateTimeOffset Now = TimeProvider.System.GetUtcNow();

    readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    readonly X509Certificate2 _root;
    byte _serial;

    /// <param name="name">What its certificate is for.</param>
    public TestAuthority(string name)
    {
        var request = new CertificateRequest($"CN={name}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _root = request.CreateSelfSigned(Now.AddDays(-30), Now.AddDays(30));
    }

    /// <summary>Its certificate.</summary>
    public string Pem => _root.ExportCertificatePem();

    /// <summary>A server's certificate with its key; the caller disposes it.</summary>
    /// <param name="host">The one name or address that it is for.</param>
    /// <param name="isOver">Whether it ended yesterday.</param>
    public X509Certificate2 Sign(string host, bool isOver = false)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=server at {host}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
        else names.AddDnsName(host);
        request.CertificateExtensions.Add(names.Build());
        using var signed = request.Create(_root, Now.AddDays(-20), Now.AddDays(isOver ? -1 : 20), [++_serial]);
        using var whole = signed.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
    }

    public void Dispose()
    {
        _root.Dispose();
        _key.Dispose();
    }
}
