using System.Diagnostics;
using System.Globalization;
using Amazon.S3;
using Amazon.S3.Model;
using BackupDr.Storage;
using BackupDr.Storage.Layers;
using BackupDr.Storage.S3;
using Xunit;

namespace BackupDr.TestKit.Servers;

/// <summary>A real S3 server for tests: a Ceph cluster of one monitor, one store in memory and one gateway, on loopback.</summary>
/// <remarks>Used as an assembly fixture; started by the first test that asks. About three seconds and 150 MiB.</remarks>
public sealed class S3Server : IAsyncDisposable
{
    /// <summary>The keys of its user.</summary>
    public const string Access = "test", Secret = "testsecret";

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(90);

    readonly SemaphoreSlim _once = new(1, 1);
    readonly ScratchFolder _folder = new();
    readonly Dictionary<string, GuardedProcess> _running = [];
    int _buckets;
    int _port;
    string? _failure;

    /// <summary>Address of the server: "http://127.0.0.1:PORT".</summary>
    public string Endpoint => $"http://{Address}:{_port}";

    /// <summary>Where it works; null for this machine's loopback.</summary>
    public SiteNetwork.Site? Site { get; init; }

    string Address => Site?.Address ?? "127.0.0.1";

    string Configuration => _folder.At("ceph.conf");

    /// <summary>Starts it if need be. Skips the test where its packages are not installed.</summary>
    public async Task Start()
    {
        await _once.WaitAsync();
        try
        {
            if (_failure is not null) Assert.Fail(_failure);   // once is enough to wait for
            if (_running.Count > 0) return;
            Tool.Need("radosgw", "radosgw");
            Tool.Need("ceph-mon", "ceph-mon");
            Tool.Need("ceph-osd", "ceph-osd");
            Tool.Need("ceph", "ceph-common");
            _port = FreePorts.Find(12);
            var cluster = Make();
            Spawn("mon", "ceph-mon", "-f", "-i", "a");
            Succeed("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", cluster);   // asks the monitor
            Succeed("ceph", "--connect-timeout", "20", "osd", "new", cluster, "0");
            Spawn("osd", "ceph-osd", "-f", "-i", "0");
            Admin("user", "create", "--uid", "backupdr", "--display-name", "backupdr", "--access-key", Access, "--secret-key", Secret);
            // Classes share the one pool; a put that names any other class is refused.
            foreach (var named in (string[])["STANDARD_IA", "COLD"])
            {
                Admin("zonegroup", "placement", "add", "--rgw-zonegroup", "default", "--placement-id", "default-placement",
                    "--storage-class", named);
                Admin("zone", "placement", "add", "--rgw-zone", "default", "--placement-id", "default-placement", "--storage-class",
                    named, "--data-pool", "default.rgw.buckets.data");
            }
            Spawn("gateway", "radosgw", "-f", "-n", "client.rgw", "--no-mon-config");
            await UntilItAnswers();
        }
        catch (Xunit.Sdk.XunitException e) when (e is not Xunit.Sdk.SkipException)
        {
            _failure = e.Message;
            throw;
        }
        finally { _once.Release(); }
    }

    /// <summary>An address in a new, empty bucket.</summary>
    public async Task<S3Address> NewBucket(string prefix = "")
    {
        await Start();
        var name = string.Create(CultureInfo.InvariantCulture, $"bucket-{Interlocked.Increment(ref _buckets)}");
        await using (var top = new S3Store(S3Address.Parse($"s3:{Endpoint}/{name}"), Options()))
        {
            await top.Put(new ObjectName("made"), new byte[1], CancellationToken.None);
            await top.Delete(new ObjectName("made"), CancellationToken.None);
        }
        return S3Address.Parse($"s3:{Endpoint}/{name}/{prefix}");
    }

    /// <summary>An address in a new, empty bucket with object lock, and so with versions.</summary>
    public async Task<S3Address> NewLockedBucket()
    {
        await Start();
        var name = string.Create(CultureInfo.InvariantCulture, $"locked-{Interlocked.Increment(ref _buckets)}");
        using var client = new AmazonS3Client(Access, Secret, new AmazonS3Config
        {
            ServiceURL = Endpoint,
            ForcePathStyle = true,
            AuthenticationRegion = "us-east-1"
        });
        await client.PutBucketAsync(new PutBucketRequest { BucketName = name, ObjectLockEnabledForBucket = true });
        return S3Address.Parse($"s3:{Endpoint}/{name}/p");
    }

    /// <summary>Options with this server's keys.</summary>
    public static StoreOptions Options(params IEnumerable<string> pairs) => new(pairs)
    {
        Environment = name => name switch { "AWS_ACCESS_KEY_ID" => Access, "AWS_SECRET_ACCESS_KEY" => Secret, _ => null },
        Retry = new RetryOptions { Budget = TimeSpan.FromSeconds(30) },
    };

    /// <summary>The environment in which programs find the keys.</summary>
    public static Dictionary<string, string> Keys => new() { ["AWS_ACCESS_KEY_ID"] = Access, ["AWS_SECRET_ACCESS_KEY"] = Secret };

    /// <summary>The administrator's program of the server.</summary>
    public string Admin(params IEnumerable<string> arguments) => Succeed("radosgw-admin", arguments);

    /// <summary>Kills the gateway and starts it again: connections are reset and refused meanwhile.</summary>
    public async Task RestartGateway()
    {
        await StopGateway();
        Spawn("gateway", "radosgw", "-f", "-n", "client.rgw", "--no-mon-config");
        await UntilItAnswers();
    }

    /// <summary>Kills the gateway.</summary>
    public async Task StopGateway()
    {
        if (_running.Remove("gateway", out var gateway)) await gateway.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _running.Values) await process.DisposeAsync();
        _running.Clear();
        _folder.Dispose();
        _once.Dispose();
    }

    string Make()
    {
        var cluster = Guid.CreateVersion7().ToString();
        foreach (var folder in (string[])["run", "log", "mon", "osd", "rgw", "crash"]) _folder.Folder(folder);
        File.WriteAllText(Configuration, CephSettings.Text(_folder.Path, cluster, Address, _port));
        Tool.Succeed("ceph-authtool", "--create-keyring", _folder.At("keyring"), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *");
        Tool.Succeed("monmaptool", "--create", "--fsid", cluster, "--addv", "a", $"[v2:{Address}:{_port + 1}/0]", "--set-min-mon-release",
            "pacific", _folder.At("monmap"));
        Succeed("ceph-mon", "-i", "a", "--mkfs", "--monmap", _folder.At("monmap"));
        return cluster;
    }

    string Succeed(string program, params IEnumerable<string> arguments)
    {
        string[] words = [.. Site?.Words ?? [], program, "-c", Configuration, .. arguments];
        return Tool.Succeed(words[0], words[1..]);
    }

    void Spawn(string name, string program, params IEnumerable<string> arguments)
        => _running[name] = new GuardedProcess(_folder.At($"log/{name}.out"),
            [.. Site?.Words ?? [], program, "-c", Configuration, .. arguments]);

    async Task UntilItAnswers()
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(Endpoint));
                if (answer.IsSuccessStatusCode) return;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                if (_running.Values.FirstOrDefault(process => process.HasEnded) is { } ended)
                    Assert.Fail($"The S3 server ended: {ended.LastWords}");
            }
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail($"The S3 server does not answer at {Endpoint}.");
            await Task.Delay(50);
        }
    }
}
