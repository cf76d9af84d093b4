using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.Contracts;
using BackupDr.Storage.Azure;
using BackupDr.Storage.Http;
using BackupDr.Storage.Layers;
using BackupDr.Storage.Rest;
using BackupDr.Storage.S3;
using BackupDr.TestKit.Servers;

namespace BackupDr.Storage.Tests;

/// <summary>Servers with a certificate that a private authority signed: who is trusted, and what is said of who is not.</summary>
public sealed class PrivateAuthorityTests(S3Server s3, AzuriteServer azure) : IDisposable
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Name = new("config");

    readonly TestAuthority _acme = new("Acme Root"), _other = new("Other Root");

    public void Dispose()
    {
        _acme.Dispose();
        _other.Dispose();
    }

    static StoreOptions With(StoreOptions options, string? pem)
        => options with { AuthorityPem = pem, Retry = new RetryOptions { Budget = TimeSpan.Zero } };

    static async Task<StoreException> Refused(IObjectStore store)
    {
        await using (store) return await Assert.ThrowsAsync<StoreException>(() => store.Head(Name, None));
    }

    [Fact]
    public async Task A_bucket_behind_a_private_authority_opens_with_that_authoritys_certificate_only()
    {
        var bucket = await s3.NewBucket("p");
        using var certificate = _acme.Sign("127.0.0.1");
        await using var front = await FaultProxy.Start(new Uri(s3.Endpoint), _ => ProxyFault.None, certificate: certificate);
        var address = bucket with { Endpoint = new Uri(front.Url) };
        S3Store Open(string? pem) => new(address, With(S3Server.Options(), pem));

        var nobody = await Refused(Open(null));
        var another = await Refused(Open(_other.Pem));
        await using var right = Open($"a note of somebody's\n{_other.Pem}\n{_acme.Pem}\n");
        await right.Put(Name, new byte[] { 7 }, None);

        Assert.Equal((StoreFault.Unusable, 1), (nobody.Fault, (await right.Head(Name, None))!.Value.SizeBytes));
        Assert.EndsWith("the server's certificate is not trusted: it is signed by 'Acme Root'.", nobody.Message, StringComparison.Ordinal);
        Assert.Contains("Give that authority's certificate", nobody.Hint, StringComparison.Ordinal);
        Assert.EndsWith("it is signed by 'Acme Root', and not by the authority that was given.", another.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_hosts_certificate_and_one_that_ended_are_told_though_the_authority_is_right()
    {
        var bucket = await s3.NewBucket("p");
        using var foreign = _acme.Sign("s3.acme.example");
        using var old = _acme.Sign("127.0.0.1", isOver: true);

        var mismatch = await At(foreign);
        var over = await At(old);

        Assert.EndsWith("it is for s3.acme.example.", mismatch.Message, StringComparison.Ordinal);
        Assert.Contains("does not count now", over.Message, StringComparison.Ordinal);

        async Task<StoreException> At(X509Certificate2 certificate)
        {
            await using var front = await FaultProxy.Start(new Uri(s3.Endpoint), _ => ProxyFault.None, certificate: certificate);
            return await Refused(new S3Store(bucket with { Endpoint = new Uri(front.Url) }, With(S3Server.Options(), _acme.Pem)));
        }
    }

    [Fact]
    public async Task Containers_and_REST_servers_are_the_same()
    {
        var container = await azure.NewContainer("p");
        using var certificate = _acme.Sign("127.0.0.1");
        await using var front = await FaultProxy.Start(new Uri(azure.Endpoint), _ => ProxyFault.None, certificate: certificate);
        var words = azure.Words.Replace("DefaultEndpointsProtocol=http;", "DefaultEndpointsProtocol=https;", StringComparison.Ordinal)
            .Replace(azure.Endpoint, $"{front.Url}/{AzuriteServer.Account}", StringComparison.Ordinal);
        AzureStore Container(string? pem) => new(container, With(AzuriteServer.OptionsWith(words), pem));
        RestStore Rest(string? pem)
        {
            var options = With(new StoreOptions { Environment = _ => null }, pem);
            return new RestStore(RestAddress.Parse($"rest:{front.Url}/p/", options), options);
        }

        var refused = await Refused(Container(null));
        await using var right = Container(_acme.Pem);
        await right.Put(Name, new byte[] { 7 }, None);
        var rest = await Refused(Rest(null));

        Assert.Contains("signed by 'Acme Root'", refused.Message, StringComparison.Ordinal);
        Assert.Equal(1, (await right.Head(Name, None))!.Value.SizeBytes);
        Assert.Contains("signed by 'Acme Root'", rest.Message, StringComparison.Ordinal);
        // What answers is no REST server, but its certificate was taken.
        Assert.DoesNotContain("certificate", (await Refused(Rest(_acme.Pem))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_be_an_authority_is_refused_with_what_to_give()
    {
        using var server = _acme.Sign("s3.acme.example");
        using var key = ECDsa.Create();

        Says("signed by 'Acme Root'", server.ExportCertificatePem());
        Says("There is no certificate in it", "Acme Root");
        Says("There is a private key in it", _acme.Pem + key.ExportPkcs8PrivateKeyPem());
        Says("cannot be read", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----");
        Says("characters", new string('x', Authorities.LongestText + 1));
        Assert.Equal(_acme.Pem.Trim(), Authorities.Text(Authorities.Parse("authority", $"noise\n{_acme.Pem}\nnoise")).Trim());

        static void Says(string words, string pem)
        {
            var e = Assert.Throws<BadInputException>(() => Authorities.Parse("authority", pem));
            Assert.Contains(words, e.Message, StringComparison.Ordinal);
            Assert.Equal("authority", e.Field);
        }
    }
}
