using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;

namespace BackupDr.Storage.Http;

/// <summary>Certificates of authorities that may vouch for a server, beside those that the system knows.</summary>
public static class Authorities
{
    /// <summary>Longest text in characters. A certificate has about 2,000.</summary>
    public const int LongestText = 64 * 1024;

    /// <summary>Reads certificates in PEM.</summary>
    /// <param name="field">What the text was given for.</param>
    /// <param name="pem">The text; what stands around the certificates is skipped.</param>
    /// <exception cref="BadInputException">There is none in it, or it cannot be an authority's, or a private key is in it.</exception>
    public static X509Certificate2Collection Parse(string field, string pem)
    {
        if (pem.Length > LongestText)
            throw new BadInputException(field, $"More than {LongestText} characters are no authority's certificate.",
                "Give the one certificate that signed the server's.");
        if (pem.Contains("PRIVATE KEY-----", StringComparison.Ordinal))
            throw new BadInputException(field, "There is a private key in it, which belongs nowhere but to its owner.",
                "Give only what stands between BEGIN CERTIFICATE and END CERTIFICATE.");
        var found = new X509Certificate2Collection();
        try { found.ImportFromPem(pem); }
        catch (CryptographicException e)
        {
            throw new BadInputException(field, $"The certificate cannot be read: {e.Message}", "Give it in PEM, whole.");
        }
        return Checked(field, found);
    }

    /// <summary>The same certificates, if they can be authorities.</summary>
    /// <exception cref="BadInputException">There are none, or none is a root.</exception>
    internal static X509Certificate2Collection Checked(string field, X509Certificate2Collection found)
    {
        if (found.Count == 0)
            throw new BadInputException(field, "There is no certificate in it.", "Give it in PEM: -----BEGIN CERTIFICATE-----, and so on.");
        // Whoever gives only what stands between would be refused at each connection.
        if (!found.Any(IsSignedByItself))
            throw new BadInputException(field, $"'{Name(found[0])}' is no root: it is signed by '{Signer(found[0])}'.",
                "Give that one's certificate, or both.");
        return found;
    }

    /// <summary>The certificates alone, each with a line feed at its end.</summary>
    public static string Text(X509Certificate2Collection authorities)
        => string.Concat(authorities.Select(one => one.ExportCertificatePem() + "\n"));

    /// <summary>What a certificate is for.</summary>
    public static string Name(X509Certificate2 certificate)
        => certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: false) is { Length: > 0 } name ? name : certificate.Subject;

    /// <summary>Who signed it.</summary>
    public static string Signer(X509Certificate2 certificate)
        => certificate.GetNameInfo(X509NameType.SimpleName, forIssuer: true) is { Length: > 0 } name ? name : certificate.Issuer;

    internal static bool IsSignedByItself(X509Certificate2 certificate)
        => certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);
}
