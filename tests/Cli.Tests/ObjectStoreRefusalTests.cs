using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Cli.Tests;

/// <summary>What a person gets wrong about an object store, and what its owner may change meanwhile: each ends with what is wrong and what
/// to do, and changes nothing.</summary>
public sealed class ObjectStoreRefusalTests(S3Server s3, AzuriteServer azurite) : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    // The variables of a person who has the key and the secret.
    static Dictionary<string, string> With(string access, string secret) => new()
    {
        ["AWS_ACCESS_KEY_ID"] = access,
        ["AWS_SECRET_ACCESS_KEY"] = secret,
        ["AWS_EC2_METADATA_DISABLED"] = "true",
        ["BACKUPDR_PASSWORD"] = BackupdrProgram.Password,
    };

    static Dictionary<string, string> Right => With(S3Server.Access, S3Server.Secret);

    [Theory]
    [InlineData("nobody", S3Server.Secret)]
    [InlineData(S3Server.Access, "wrong")]
    public async Task A_wrong_key_is_told_with_the_variables_that_hold_keys(string access, string secret)
        => Refused(With(access, secret), 1, ["AccessDenied", "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY"], "snapshots", "--repo",
            (await s3.NewBucket()).ToString());

    [Fact]
    public async Task A_missing_key_is_told_with_the_variables_to_set()
        => Refused(With("", ""), 1, ["there are no credentials", "Set AWS_ACCESS_KEY_ID"], "snapshots", "--repo",
            (await s3.NewBucket()).ToString());

    [Theory]
    [InlineData("-2h")]
    [InlineData("+3h")]
    public async Task A_clock_that_is_wrong_is_told(string by)
    {
        var url = (await s3.NewBucket("p")).ToString();
        Succeed(Right, "repo", "init", "--repo", url);
        var late = Right;
        (late["LD_PRELOAD"], late["FAKETIME"], late["FAKETIME_DONT_FAKE_MONOTONIC"]) = (WrongClock(), by, "1");

        Refused(late, 1, ["RequestTimeTooSkewed", "The clock of this machine is wrong"], "snapshots", "--repo", url);
    }

    /// <summary>The library that shows another time to a program.</summary>
    static string WrongClock()
    {
        var found = Directory.GetDirectories("/usr/lib", "*-linux-gnu").Select(folder => Path.Combine(folder, "faketime/libfaketime.so.1"))
            .FirstOrDefault(File.Exists);
        if (found is null) Assert.Skip("needs the package faketime");
        return found;
    }

    [Fact]
    public async Task A_bucket_that_is_not_there_is_no_repository()
    {
        await s3.Start();
        Refused(Right, 10, ["There is no repository at s3:", "or make one with 'backupdr repo init'"],
            "snapshots", "--repo", $"s3:{s3.Endpoint}/nowhere/p");
    }

    [Fact]
    public async Task A_bucket_of_somebody_else_is_told_with_what_to_look_at()
    {
        var bucket = await s3.NewBucket();
        s3.Admin("user", "create", "--uid", "stranger", "--display-name", "stranger", "--access-key", "stranger",
            "--secret-key", "strange");

        Refused(With("stranger", "strange"), 1, ["AccessDenied", "what they may do with this bucket"], "snapshots", "--repo",
            bucket.ToString());
    }

    [Fact]
    public void An_endpoint_where_nothing_runs_is_given_up_after_half_a_minute_and_told_before()
    {
        var result = Refused(Right, 1, ["Connection refused", "It is tried again for 0:", "Check that the server runs there"],
            "snapshots", "--repo", $"s3:http://127.0.0.1:{FreePorts.Find()}/bucket");

        Assert.InRange(result.Errors.Split('\n').Count(line => line.Contains("It is tried again", StringComparison.Ordinal)), 1, 2);
    }

    [Fact]
    public async Task Too_much_for_a_quota_is_told_and_the_next_backup_is_right_once_it_is_raised()
    {
        await s3.Start();
        s3.Admin("user", "create", "--uid", "small", "--display-name", "small", "--access-key", "small", "--secret-key", "smallsecret");
        s3.Admin("quota", "set", "--uid", "small", "--quota-scope", "bucket", "--max-size", "2M");
        s3.Admin("quota", "enable", "--uid", "small", "--quota-scope", "bucket");
        var (keys, url) = (With("small", "smallsecret"), $"s3:{s3.Endpoint}/small/p");
        File.WriteAllBytes(_scratch.At("noise"), RandomNumberGenerator.GetBytes(20 << 20));
        Succeed(keys, "repo", "init", "--repo", url);

        Refused(keys, 1, ["QuotaExceeded", "Raise the quota, or free space"], "backup", "--repo", url, _scratch.At("noise"));
        s3.Admin("quota", "disable", "--uid", "small", "--quota-scope", "bucket");
        await s3.RestartGateway();   // it remembers quotas for minutes

        Succeed(keys, "backup", "--repo", url, _scratch.At("noise"));
        Succeed(keys, "check", "--read-data", "--repo", url);
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_told_with_the_option_that_does()
    {
        var bucket = await s3.NewBucket("p");
        using var certificate = OfLoopback();
        await using var proxy = await FaultProxy.Start(new Uri(s3.Endpoint), _ => ProxyFault.None, certificate: certificate);
        _scratch.File("authority.pem", certificate.ExportCertificatePem());
        var url = (bucket with { Endpoint = new Uri(proxy.Url) }).ToString();

        Refused(Right, 10, ["certificate is not trusted", "--cacert FILE"], "snapshots", "--repo", url);
        Succeed(Right, "repo", "init", "--repo", url, "--cacert", _scratch.At("authority.pem"));
        Succeed(Right, "snapshots", "--repo", url, "--cacert", _scratch.At("authority.pem"));
    }

    [Fact]
    public async Task A_server_without_TLS_is_told()
    {
        var bucket = await s3.NewBucket("p");
        Refused(Right, 10, ["does not answer in TLS", "write http:// instead of https://"], "snapshots", "--repo",
            bucket.ToString().Replace("http:", "https:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Azure_tells_a_wrong_key_and_a_missing_container()
    {
        var address = await azurite.NewContainer("p");
        var wrong = new Dictionary<string, string>
        {
            ["AZURE_STORAGE_CONNECTION_STRING"] = azurite.WordsWithKey(Convert.ToBase64String(new byte[64])),
            ["BACKUPDR_PASSWORD"] = BackupdrProgram.Password,
        };
        var right = azurite.Keys;
        right["BACKUPDR_PASSWORD"] = BackupdrProgram.Password;

        Refused(wrong, 1, ["Check the account"], "snapshots", "--repo", address.ToString());
        Refused(right, 10, ["There is no repository at azure:"], "snapshots", "--repo", "azure:nowhere:/p");
    }

    static ToolResult Refused(Dictionary<string, string> environment, int exitCode, IEnumerable<string> words, params string[] arguments)
    {
        var result = BackupdrProgram.Run(environment, arguments);
        Assert.True(result.ExitCode == exitCode, $"It ended with {result.ExitCode}: {result.Output}{result.Errors}");
        Assert.All(words, word => Assert.True(result.Errors.Contains(word, StringComparison.Ordinal), result.Errors));
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);   // no stack trace
        Assert.Equal("", result.Output);
        return result;
    }

    static void Succeed(Dictionary<string, string> environment, params string[] arguments)
    {
        var result = BackupdrProgram.Run(environment, arguments);
        Assert.True(result.ExitCode == 0, $"{string.Join(' ', arguments)} ended with {result.ExitCode}: {result.Output}{result.Errors}");
    }

    static X509Certificate2 OfLoopback()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=an object store", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var made = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
    }
}
