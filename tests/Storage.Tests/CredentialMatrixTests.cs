using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Azure.Storage.Blobs;
using Azure.Storage.Sas;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Engine;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Crypto;
using BackupDr.Sources.Files;
using BackupDr.Storage.Azure;
using BackupDr.Storage.S3;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Storage.Tests;

/// <summary>What an agent's credentials can do when they are stolen: measured, and the same as the page says.</summary>
public sealed partial class CredentialMatrixTests(S3Server s3, AzuriteServer azure) : IDisposable
{
    const string Prefix = "host", Password = "a password";
    const string Agent = "agent", Broker = "broker";   // users of the server, with keys named after them

    static readonly CancellationToken None = CancellationToken.None;

    readonly ScratchFolder _scratch = new();

    [GeneratedRegex(@"\d+\.\d+")]
    private static partial Regex Version { get; }

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task The_policy_for_agents_does_on_S3_what_the_page_says()
    {
        Tool.Need("restic", "restic");
        Tool.Need("curl", "curl");
        await s3.Start();
        User(Agent);
        User(Broker);
        using var owner = Client(new ImmutableCredentials(S3Server.Access, S3Server.Secret, null));
        var plain = await Bucket(owner, "of-an-agent", isLocked: false);
        var locked = await Bucket(owner, "of-an-agent-locked", isLocked: true);
        var ofRole = await Bucket(owner, "of-a-role-locked", isLocked: true);
        var columns = new[]
        {
            new MatrixColumn("a bucket without versions", await Attempts(owner, plain, Keys(Agent))),
            new MatrixColumn("with versions and object lock", await Attempts(owner, locked, Keys(Agent))),
            new MatrixColumn("the same, for an hour by STS", await Attempts(owner, ofRole, AssumeRole(ofRole))),
        };

        MatrixPage.Check("**S3.** With `deploy/s3/agent-policy.json`:", columns);
        var version = Version.Match(Tool.Succeed("radosgw", "--version")).Value;
        Assert.Contains($"| Ceph's gateway | {version}", MatrixPage.Read(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Signatures_do_on_Azure_what_the_page_says()
    {
        const BlobContainerSasPermissions add = BlobContainerSasPermissions.Create | BlobContainerSasPermissions.Read
            | BlobContainerSasPermissions.List;
        await azure.Start();
        var columns = new[]
        {
            new MatrixColumn("create, read, list", await Attempts(add)),
            new MatrixColumn("and delete", await Attempts(add | BlobContainerSasPermissions.Delete)),
        };

        MatrixPage.Check("**Azure.** With a signature for the container and these permissions:", columns);
        Assert.Contains($"| Azurite | {Version.Match(AzuriteServer.Version).Value}", MatrixPage.Read(), StringComparison.Ordinal);
    }

    // Who may list only a prefix is not told of a name in it that nothing is there: HEAD and GET are refused.
    [Fact]
    public async Task What_went_away_is_missing_though_the_server_only_says_no()
    {
        const string user = "reader", gone = "locks/gone";
        await s3.Start();
        User(user);
        using var owner = Client(new ImmutableCredentials(S3Server.Access, S3Server.Secret, null));
        var bucket = await Bucket(owner, "of-a-reader", isLocked: false, user);
        var environment = new Dictionary<string, string> { ["AWS_ACCESS_KEY_ID"] = user, ["AWS_SECRET_ACCESS_KEY"] = user };
        await using var store = new S3Store(new S3Address(new Uri(s3.Endpoint), bucket, Prefix),
            S3Server.Options() with { Environment = environment.GetValueOrDefault });
        await store.Put(new ObjectName(gone + "-not"), new byte[1], None);

        Assert.Null(await store.Head(new ObjectName(gone), None));
        Assert.False(await store.Delete(new ObjectName(gone), None));
        var e = await Assert.ThrowsAsync<StoreException>(() => store.Read(new ObjectName(gone), 0, new byte[1], None));
        Assert.Equal(StoreFault.Missing, e.Fault);
        await using var foreign = new S3Store(new S3Address(new Uri(s3.Endpoint), bucket, "another"),
            S3Server.Options() with { Environment = environment.GetValueOrDefault });
        var denied = await Assert.ThrowsAsync<StoreException>(() => foreign.Head(new ObjectName("config"), None));
        Assert.Equal(StoreFault.Denied, denied.Fault);
    }

    async Task<List<(string, string)>> Attempts(AmazonS3Client owner, string bucket, ImmutableCredentials stolen)
    {
        var address = new S3Address(new Uri(s3.Endpoint), bucket, Prefix);
        var environment = new Dictionary<string, string>
        {
            ["AWS_ACCESS_KEY_ID"] = stolen.AccessKey,
            ["AWS_SECRET_ACCESS_KEY"] = stolen.SecretKey,
            ["AWS_SESSION_TOKEN"] = stolen.Token ?? "",
        };
        await Init(new S3Store(address, S3Server.Options()));
        var rows = new List<(string, string)>
        {
            ("back up", await BackUp(new S3Store(address, S3Server.Options() with { Environment = environment.GetValueOrDefault }))),
            ("check all with stock restic", ReadWithRestic(address.ToString(), environment)),
        };
        using var thief = Client(stolen);
        await foreach (var row in new S3Attempts(thief, owner, bucket, Prefix).All()) rows.Add(row);
        return rows;
    }

    async Task<List<(string, string)>> Attempts(BlobContainerSasPermissions may)
    {
        var address = await azure.NewContainer(Prefix);
        var others = await azure.NewContainer();
        await Init(new AzureStore(address, azure.Options()));
        var words = azure.WordsWithSignature(address.Container, may, TimeProvider.System.GetUtcNow().AddHours(1));
        var rows = new List<(string, string)> { ("back up", await BackUp(new AzureStore(address, AzuriteServer.OptionsWith(words)))) };
        var once = new BlobClientOptions { Retry = { MaxRetries = 0 } };
        var attempts = new AzureAttempts(new BlobContainerClient(words, address.Container, once),
            new BlobContainerClient(azure.Words, address.Container, once), Prefix, new BlobContainerClient(words, others.Container, once));
        await foreach (var row in attempts.All()) rows.Add(row);
        return rows;
    }

    // The owner makes the repository: agents add no keys.
    static async Task Init(IObjectStore store)
    {
        using var password = Secret.FromText(Password);
        using var _ = await Repository.Init(store, password, new RepositoryOptions { Kdf = new KdfCost(1024, 8, 1) }, None);
    }

    async Task<string> BackUp(IObjectStore store)
    {
        _scratch.File("source/note", "words");
        using var password = Secret.FromText(Password);
        using var repository = await Repository.Open(store, password, new RepositoryOptions { Clock = new ShortWaits() }, None);
        using var source = FileSource.Open(new FilesSpec { Paths = [FilePath.FromText(_scratch.At("source"))] });
        try
        {
            var done = await BackupRun.Execute(repository, source, new BackupRequest { HostName = "here" }, null, None);
            return done.IsComplete ? Came.Allowed : Came.Lost;
        }
        catch (StoreException e) when (e.Fault == StoreFault.Denied)
        {
            var isStored = await repository.Store.List("snapshots", None).AnyAsync(None);
            return isStored && e.Message.Contains("delete locks/", StringComparison.Ordinal) ? Came.LockStays : Came.Refused;
        }
    }

    string ReadWithRestic(string url, Dictionary<string, string> environment)
    {
        var check = new ResticCli(url, Password, _scratch.At("restic-cache")).Run(environment, "check", "--read-data");
        return check.ExitCode == 0 ? Came.Allowed : check.Output + check.Errors;
    }

    void User(string name)
        => s3.Admin("user", "create", "--uid", name, "--display-name", name, "--access-key", name, "--secret-key", name);

    static ImmutableCredentials Keys(string user) => new(user, user, null);

    static async Task<string> Bucket(AmazonS3Client owner, string name, bool isLocked, string agent = Agent)
    {
        await owner.PutBucketAsync(new PutBucketRequest { BucketName = name, ObjectLockEnabledForBucket = isLocked });
        await owner.PutBucketPolicyAsync(name, Policy(name, agent).ToJsonString());
        if (!isLocked) return name;
        var daily = new DefaultRetention { Mode = ObjectLockRetentionMode.Governance, Days = 1 };
        await owner.PutObjectLockConfigurationAsync(new PutObjectLockConfigurationRequest
        {
            BucketName = name,
            ObjectLockConfiguration = new ObjectLockConfiguration
            {
                ObjectLockEnabled = ObjectLockEnabled.Enabled,
                Rule = new ObjectLockRule { DefaultRetention = daily },
            },
        });
        return name;
    }

    AmazonS3Client Client(ImmutableCredentials credentials)
    {
        var settings = new AmazonS3Config
        {
            ServiceURL = s3.Endpoint,
            ForcePathStyle = true,
            AuthenticationRegion = "us-east-1",
            MaxErrorRetry = 0,
            CacheHttpClient = false,   // a connection each: after a refused put this server takes the body for the next request
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        };
        return credentials.UseToken
            ? new AmazonS3Client(credentials.AccessKey, credentials.SecretKey, credentials.Token, settings)
            : new AmazonS3Client(credentials.AccessKey, credentials.SecretKey, settings);
    }

    /// <summary>The file that is shipped, with the names that its reader puts into it.</summary>
    static JsonObject Policy(string bucket, string agent = Agent)
    {
        var text = File.ReadAllText(Path.Combine(Service.Checkout(), "deploy/s3/agent-policy.json"));
        foreach (var (word, meaning) in ((string, string)[])
            [("BUCKET", bucket), ("PREFIX", Prefix), ("AGENT", $"arn:aws:iam:::user/{agent}"), ("OWNER", "arn:aws:iam:::user/backupdr")])
            text = text.Replace(word, meaning, StringComparison.Ordinal);
        return JsonNode.Parse(text)!.AsObject();
    }

    // A policy of a role says what and not who: the agent's statements without their principals.
    ImmutableCredentials AssumeRole(string bucket)
    {
        const string trust = """
            {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/broker"]},
            "Action":["sts:AssumeRole"]}]}
            """;
        var policy = Policy(bucket);
        var statements = policy["Statement"]!.AsArray();
        statements.Remove(statements.Single(one => (string?)one!["Sid"] == "OwnerKeepsAll"));
        foreach (var statement in statements) statement!.AsObject().Remove("Principal");
        s3.Admin("caps", "add", "--uid", Broker, "--caps", "roles=*");
        s3.Admin("role", "create", "--role-name", Agent, "--path", "/", "--assume-role-policy-doc", trust);
        s3.Admin("role-policy", "put", "--role-name", Agent, "--policy-name", "own", "--policy-doc", policy.ToJsonString());
        var answer = XDocument.Parse(Tool.Succeed("curl", "--silent", "--show-error", "--aws-sigv4", "aws:amz:us-east-1:sts",
            "--user", $"{Broker}:{Broker}", s3.Endpoint, "--data", "Action=AssumeRole&Version=2011-06-15&RoleSessionName=host"
                + "&DurationSeconds=3600&RoleArn=arn:aws:iam:::role/agent"));
        return new ImmutableCredentials(Text("AccessKeyId"), Text("SecretAccessKey"), Text("SessionToken"));

        string Text(string name) => answer.Descendants().Single(element => element.Name.LocalName == name).Value;
    }
}
