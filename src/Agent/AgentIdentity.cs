using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;

namespace BackupDr.Agent;

/// <summary>Who this host is: key, certificate, authority and membership, as kept in the state folder.</summary>
public sealed class AgentIdentity : IDisposable
{
    const long FirstTerm = 1;

    readonly AgentState _state;
    readonly Lock _gate = new();
    X509Certificate2 _certificate;
    Membership _membership;

    AgentIdentity(AgentState state, Membership membership, X509Certificate2 authority, X509Certificate2 certificate)
        => (_state, _membership, Authority, _certificate) = (state, membership, authority, certificate);

    /// <summary>Which installation, and where its nodes are; changes when a node tells another list.</summary>
    public Membership Membership => Volatile.Read(ref _membership);

    /// <summary>Where indexes of repositories are kept between runs.</summary>
    public FilePath CacheFolder => FilePath.FromText(_state.CacheFolder);
    /// <summary>The only authority that is trusted.</summary>
    public X509Certificate2 Authority { get; }
    /// <summary>Our certificate with its key; changes with each renewal.</summary>
    public X509Certificate2 Certificate => Volatile.Read(ref _certificate);

    /// <summary>Reads the identity.</summary>
    /// <exception cref="BadInputException">This host has not joined, or its files are damaged.</exception>
    public static AgentIdentity Load(AgentState state)
    {
        if (!File.Exists(state.MembershipFile))
            throw new BadInputException("state", $"This host has not joined an installation (there is no {state.MembershipFile}).",
                "Run 'backupdr-agent join URL --token TOKEN' with a token from the console.");
        try
        {
            var membership = JsonSerializer.Deserialize(File.ReadAllBytes(state.MembershipFile), StateJson.Default.Membership)
                ?? throw new JsonException("it is empty");
            return new AgentIdentity(state, membership, X509CertificateLoader.LoadCertificateFromFile(state.AuthorityFile),
                LoadCertificate(state));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or CryptographicException)
        {
            throw new BadInputException("state", $"The identity in {state.Folder} cannot be read: {e.Message}",
                "Check the folder's rights, or join again.");
        }
    }

    static X509Certificate2 LoadCertificate(AgentState state)
    {
        using var pem = X509Certificate2.CreateFromPemFile(state.CertificateFile, state.KeyFile);
        // the TLS stack wants a key that is not ephemeral
        return X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pkcs12), null);
    }

    /// <summary>A fresh P-256 key and the request for its certificate.</summary>
    public static (string KeyPem, string CsrPem) NewKey()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=backupdr-agent", key, HashAlgorithmName.SHA256);
        return (key.ExportPkcs8PrivateKeyPem(), request.CreateSigningRequestPem());
    }

    /// <summary>Keeps a renewed certificate with its new key and uses it from now on.</summary>
    public void Renewed(string keyPem, string certificatePem)
    {
        // The pair is written under new names first: a crash in between leaves the old pair whole.
        PrivateFile.Write(_state.KeyFile + ".new", keyPem);
        PrivateFile.Write(_state.CertificateFile + ".new", certificatePem);
        File.Move(_state.KeyFile + ".new", _state.KeyFile, overwrite: true);
        File.Move(_state.CertificateFile + ".new", _state.CertificateFile, overwrite: true);
        Interlocked.Exchange(ref _certificate, LoadCertificate(_state));
    }

    /// <summary>Uses the list of nodes that one of them told, and keeps it on disk.</summary>
    public void Told(IReadOnlyList<string> urls, string mark)
    {
        lock (_gate) Keep(Membership.With(urls, mark));
    }

    /// <summary>The highest term that a node told; <see cref="TermMark.None"/> before any.</summary>
    public TermMark Term => Membership.Term ?? TermMark.None;

    /// <summary>Goes on only with a control plane that is not older than one that this host was told of; keeps a later term on disk.
    /// </summary>
    /// <param name="told">Its term; null where its version tells none, which counts as the first.</param>
    /// <exception cref="ConflictException">"control_plane.superseded": it is an older one. Nothing that it says may be done.</exception>
    /// <exception cref="IOException">The later term cannot be kept; until this process ends it is heeded.</exception>
    public void Heed(TermMark? told)
    {
        lock (_gate)
        {
            if ((told?.Term ?? FirstTerm) < Term.Term)
                throw new ConflictException(AgentProtocol.Superseded, $"A node is of term {told?.Term ?? FirstTerm} of its installation's "
                    + $"control plane, and term {Term.Term} has begun. What it hands out is not done.",
                    "Stop that node: its control plane was rebuilt elsewhere.");
            if (told is { } later && later.Term > Term.Term) Keep(Membership with { Term = later });
        }
    }

    void Keep(Membership membership)
    {
        Volatile.Write(ref _membership, membership);
        PrivateFile.Write(_state.MembershipFile, JsonSerializer.Serialize(membership, StateJson.Default.Membership));
    }

    /// <summary>Frees the certificates.</summary>
    public void Dispose()
    {
        Authority.Dispose();
        _certificate.Dispose();
    }
}

/// <summary>Files that only their owner may read.</summary>
static class PrivateFile
{
    /// <summary>Writes a file with mode 0600, durably, replacing what was there as a whole.</summary>
    public static void Write(string path, string text)
    {
        var temporary = path + ".tmp";
        File.Delete(temporary);
        using (var file = Storage.Posix.Descriptor.Open(FilePath.FromText(temporary),
            Storage.Posix.OpenFlags.WriteOnly | Storage.Posix.OpenFlags.Create | Storage.Posix.OpenFlags.Exclusive, 0x180))
        {
            file.WriteAt(0, System.Text.Encoding.UTF8.GetBytes(text));
            file.Sync();
        }
        File.Move(temporary, path, overwrite: true);
        using var folder = Storage.Posix.Descriptor.OpenFolder(FilePath.FromText(Path.GetDirectoryName(path)!));
        folder.Sync();
    }
}
