using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>An agent takes nothing from a control plane that is older than one that it was told of, also after a restart.</summary>
public sealed class TermTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly AgentState _state;

    public TermTests()
    {
        _state = new AgentState(_scratch.Folder("state"));
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        File.WriteAllText(_state.AuthorityFile, certificate.ExportCertificatePem());
        File.WriteAllText(_state.CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(_state.KeyFile, key.ExportPkcs8PrivateKeyPem());
        // As the version before wrote it: no term.
        File.WriteAllText(_state.MembershipFile,
            $$"""{ "host": "{{HostId.New(TimeProvider.System)}}", "hostName": "web-1", "urls": ["https://node1:8421/"] }""");
    }

    public void Dispose() => _scratch.Dispose();

    static TermMark Mark(long term) => new(term, $"seal of {term}");

    [Fact]
    public void The_highest_term_is_kept_and_a_lower_one_is_refused_after_a_restart_too()
    {
        using (var identity = AgentIdentity.Load(_state))
        {
            Assert.Equal(TermMark.None, identity.Term);
            identity.Heed(null);       // a node of the version before tells none
            identity.Heed(Mark(1));
            identity.Heed(Mark(3));
            identity.Heed(Mark(3));
            identity.Told(["https://node2:8421"], "a");   // forgets nothing of it
        }

        using var again = AgentIdentity.Load(_state);

        Assert.Equal((Mark(3), "a"), (again.Term, again.Membership.Mark));
        foreach (var old in (TermMark?[])[Mark(2), Mark(1), null])
            Assert.Equal(AgentProtocol.Superseded, Assert.Throws<ConflictException>(() => again.Heed(old)).Code);
        again.Heed(Mark(4));
        Assert.Equal(Mark(4), again.Term);
    }

    [Fact]
    public void The_version_before_reads_the_file_of_this_one()
    {
        using (var identity = AgentIdentity.Load(_state)) identity.Heed(Mark(2));

        using var document = JsonDocument.Parse(File.ReadAllText(_state.MembershipFile));

        Assert.Equal(["host", "hostName", "urls", "told", "mark", "term"], document.RootElement.EnumerateObject().Select(one => one.Name));
    }
}
